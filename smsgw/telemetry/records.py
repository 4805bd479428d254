"""The message record line: one rich line at the end of each message, and one for each that was refused at the door.

The loop only appends (0.1 µs); a thread gives numbers their names, encodes and writes what has gathered, every 50 ms
(structlog per message costs 7 µs). It works in slices, so that it never holds the interpreter for long. The queue is
bounded: what does not fit is dropped and counted, because a full disk or a reader that went away must not stop traffic.

The fields are a promise to whoever parses the lines: a golden test holds them.

Must never: hold content, a full number, a secret; write in the loop; wait for a reader for good.
"""

from __future__ import annotations

import datetime
import io
import os
import threading
from collections import deque
from pathlib import Path
from typing import Final, Protocol

import msgspec

from smsgw import __version__
from smsgw.telemetry.names import status_name

CAP: Final = 200_000
EVERY_S: Final = 0.05
SLICE: Final = 1_000
KEPT: Final = 5
CLOSE_S: Final = 5.0
PATIENCE: Final = 20
_UTC: Final = datetime.UTC
_moment: Final = datetime.datetime.fromtimestamp
_BY_STATUS: Final = frozenset({"REFUSED", "REJECTED"})


class Record(msgspec.Struct, gc=False, tag_field="event", tag="message"):
    """One line, as the journeys give it (by position: 0.1 µs, by name 0.6). The thread turns some of it into what is read.

    `ts`: Unix seconds → RFC 3339, UTC. `record`: final | refused. `mid`: our id → decimal text (many readers of JSON lose
    digits after 2⁵³), "" when refused before it had one. `cmid`: the carrier's id. `source`, `destination`: masked. `price`: Money
    (10⁻⁶ of the currency) for all parts, what was refunded taken off. `status`: a command_status → its name, where the door or the
    carrier refused; else the error of the carrier's receipt, a number or a code. `reason`: a constant word. `commit_ms`, `sent_ms`,
    `final_ms`: milliseconds since the message was accepted, 0 for what never came. `rule`: which rule of which version of a policy
    refused or flagged it, "policy@version:rule". `transform`: words for what was changed in it, [] for most.
    `reply`: "refuse", "resume" or "help" of what the platform itself has answered to such a keyword, "" of a tenant's message.
    """

    ts: float | datetime.datetime
    record: str
    tenant: str
    account: str
    mid: int | str
    link: str
    cmid: str
    source: str
    destination: str
    parts: int
    price: int
    state: str
    status: int | str
    reason: str
    attempts: int
    commit_ms: float
    sent_ms: float
    final_ms: float
    rule: str = ""
    transform: tuple[str, ...] = ()
    reply: str = ""
    svc: str = "smsgw"
    v: str = __version__


class Sink(Protocol):
    """Where octets go: a raw file."""

    def write(self, octets: memoryview, /) -> int | None:
        """Write some of them and return how many; None when it would block."""
        ...


class RecordFile:
    """A file that records are appended to; at `rotate_octets` it becomes FILE.1 and so on, `kept` of them (0: never)."""

    def __init__(self, path: str | Path, *, rotate_octets: int = 0, kept: int = KEPT) -> None:
        """Open the file, making it (0640) if there is none. Raises OSError."""
        self._path = Path(path)
        self._rotate_octets = rotate_octets
        self._kept = kept
        self._open()

    def _open(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._file = io.FileIO(descriptor, "ab")
        self._octets = os.fstat(descriptor).st_size
        self._whole = True

    def write(self, octets: memoryview, /) -> int | None:
        """Append; rotates only between writes, which end with a line."""
        if self._whole and self._rotate_octets and self._octets >= self._rotate_octets:
            self._rotate()
        elif self._whole and not self._path.exists():  # logrotate has taken it away
            self._file.close()
            self._open()
        written = self._file.write(octets)
        self._octets += written or 0
        self._whole = written == len(octets)
        return written

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._kept - 1, 0, -1):
            older = Path(f"{self._path}.{number}")
            if older.exists():
                older.replace(f"{self._path}.{number + 1}")
        self._path.replace(f"{self._path}.1")
        self._open()


PACKED: Final = 500
"""Records that `pack` encodes at once, and that bring it on: in well under a millisecond, where more would be a stall."""


class RecordLog:
    """Takes records from the loop and writes them from a thread. `written` and `dropped` count lines."""

    def __init__(self, path: str = "", *, cap: int = CAP, sink: Sink | None = None, rotate_octets: int = 0) -> None:
        """Write to a file, else to the sink, else to standard output. Starts the thread. Raises OSError."""
        self._queue: deque[Record] = deque()
        self._cap = cap
        self._file = RecordFile(path, rotate_octets=rotate_octets) if path else None
        # The raw descriptor: a thread that hangs in the buffered one would block the interpreter's end.
        self._sink: Sink = self._file or sink or io.FileIO(1, "wb", closefd=False)
        self._encoder = msgspec.json.Encoder()
        self._packed: deque[tuple[bytes, int]] = deque()
        self._packs = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self.dropped = 0
        self.written = 0
        self._thread.start()

    def append(self, record: Record) -> None:
        """Hand a record over, not to be touched again; dropped and counted when the queue is full."""
        queue = self._queue
        if len(queue) >= self._cap:
            self.dropped += 1
            return
        queue.append(record)
        if self._packs and len(queue) >= PACKED:
            self.pack()

    def pack(self) -> None:
        """Encode what waits, in the loop; the thread then only writes.

        For an owner who calls it ten times a second: two threads that both run Python take the interpreter from each other, which
        cost more than the encoding (2 µs a line of the loop's time at 20,000 lines a second).
        """
        self._packs = True
        queue = self._queue
        if queue:
            lines = [queue.popleft() for _ in range(min(len(queue), PACKED))]
            for record in lines:
                _finish(record)
            self._packed.append((self._encoder.encode_lines(lines), len(lines)))

    @property
    def waiting(self) -> int:
        """How many records wait to be written."""
        return len(self._queue) + sum(count for _, count in self._packed)

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Write what is left and end the thread; after `timeout_s` the rest is lost to a reader that does not read."""
        self._stop.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self.dropped += self.waiting
        elif self._file is not None:
            self._file.close()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._write()
        self._packs = False
        self._write()

    def _write(self) -> None:
        """Write all that waits, a slice at a time."""
        while self._packed:
            octets, count = self._packed.popleft()
            if self._put(memoryview(octets)):
                self.written += count
            else:
                self.dropped += count
        queue = self._queue
        while queue and not self._packs:
            lines = [queue.popleft() for _ in range(min(len(queue), SLICE))]
            for record in lines:
                _finish(record)
            if self._put(memoryview(self._encoder.encode_lines(lines))):
                self.written += len(lines)
            else:
                self.dropped += len(lines)

    def _put(self, octets: memoryview) -> bool:
        patience = PATIENCE
        try:
            while octets and patience:
                written = self._sink.write(octets)
                if written:
                    octets = octets[written:]
                else:  # a descriptor that does not block, and is full
                    patience -= 1
                    self._stop.wait(EVERY_S)
        except (OSError, ValueError):  # no room, no reader, closed meanwhile
            return False
        return not octets


def _finish(record: Record) -> None:
    """Turn what the loop wrote down into what is read."""
    record.ts = _moment(record.ts, _UTC)  # type: ignore[arg-type]
    record.mid = str(record.mid) if record.mid else ""
    status = record.status
    if not status:
        record.status = "ESME_ROK"
    elif record.record == "refused" or record.state in _BY_STATUS:
        record.status = status_name(status)  # type: ignore[arg-type]
    else:
        record.status = str(status)
