from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smsgw.telemetry.records import Record, RecordFile, RecordLog

GOLDEN = """event ts record tenant account mid link cmid source destination parts price state status reason attempts
 commit_ms sent_ms final_ms rule transform reply svc v""".split()


class Gathered:
    """A sink that keeps what is written, `most` octets at a time."""

    def __init__(self, most: int = 1 << 30) -> None:
        self.octets = b""
        self.most = most

    def write(self, octets: memoryview) -> int:
        taken = bytes(octets[: self.most])
        self.octets += taken
        return len(taken)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.octets.splitlines()]


def record(**fields: Any) -> Record:
    """A record of a delivered message, but for the fields given."""
    given: dict[str, Any] = {
        "ts": 1_764_000_000.25,
        "record": "final",
        "tenant": "acme",
        "account": "acme1",
        "mid": 250_000_000_000_000_001,
        "link": "alpha-1",
        "cmid": "9f",
        "source": "1069****01",
        "destination": "8613****8000",
        "parts": 1,
        "price": 38_000,
        "state": "DELIVERED",
        "status": 0,
        "reason": "",
        "attempts": 1,
        "commit_ms": 2.1,
        "sent_ms": 3.5,
        "final_ms": 2_000.0,
        "rule": "",
        "transform": ("source_replaced", "tlv_0x1400"),
        "reply": "",
    }
    return Record(**(given | fields))


def written(*records: Record, sink: Gathered | None = None) -> list[dict[str, Any]]:
    """What the log makes of records."""
    sink = sink or Gathered()
    log = RecordLog(sink=sink)
    for line in records:
        log.append(line)
    log.close()
    return sink.lines()


def test_the_fields_are_a_promise():
    """The keys of a record line, and their order, are fixed: whoever renames one breaks its readers."""
    (line,) = written(record())
    assert list(line) == GOLDEN


def test_values_are_written_to_be_read():
    """Time is RFC 3339 in UTC, our id is text that no reader rounds, statuses have names."""
    (line,) = written(record())
    assert line["event"] == "message"
    assert line["ts"] == "2025-11-24T16:00:00.250000Z"
    assert line["mid"] == "250000000000000001"
    assert line["status"] == "ESME_ROK"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"record": "refused", "status": 0x58, "state": "QUEUED", "mid": 0}, "ESME_RTHROTTLED"),
        ({"state": "REFUSED", "status": 0x0B}, "ESME_RINVDSTADR"),
        ({"state": "REFUSED", "status": 0x0455}, "0x00000455"),
        ({"state": "FAILED", "status": 27}, "27"),
    ],
)
def test_a_status_is_named_where_it_is_one(fields: dict[str, Any], status: str):
    """A command_status is written by name; the error of a carrier's receipt is none and stays a number."""
    (line,) = written(record(**fields))
    assert line["status"] == status


def test_a_refusal_at_the_door_has_no_id():
    """What was refused before it had an id shows none, rather than nought."""
    (line,) = written(record(record="refused", mid=0))
    assert line["mid"] == ""


def test_every_record_is_written_once_in_order():
    """More than a slice, over a sink that takes little at a time: all lines whole, in order."""
    lines = written(*(record(parts=number) for number in range(2_500)), sink=Gathered(most=10_000))
    assert [line["parts"] for line in lines] == list(range(2_500))


def test_a_full_queue_drops_and_counts():
    """While the writer cannot write, the queue is bounded; what is lost is counted, and the loop never waits."""
    reading, taken = threading.Event(), threading.Event()

    class Slow(Gathered):
        def write(self, octets: memoryview) -> int:
            taken.set()
            reading.wait(10)
            return super().write(octets)

    sink = Slow()
    log = RecordLog(sink=sink, cap=10)
    log.append(record())
    assert taken.wait(10)
    for _ in range(25):
        log.append(record())
    assert (log.waiting, log.dropped) == (10, 15)
    reading.set()
    log.close()
    assert (log.written, len(sink.lines())) == (11, 11)


def test_a_reader_that_went_away_stops_nothing():
    """A broken pipe costs its records, counted; later ones are tried again."""

    class Broken(Gathered):
        def write(self, _octets: memoryview) -> int:
            raise BrokenPipeError

    log = RecordLog(sink=Broken())
    log.append(record())
    log.close()
    assert (log.written, log.dropped) == (0, 1)


def test_close_does_not_wait_for_good():
    """A reader that never reads cannot keep the process from ending."""
    reading = threading.Event()

    class Never(Gathered):
        def write(self, octets: memoryview) -> int:
            reading.wait(30)
            return len(octets)

    log = RecordLog(sink=Never())
    log.append(record())
    log.close(timeout_s=0.01)
    assert log.written == 0
    reading.set()


def test_records_go_to_a_file(tmp_path: Path):
    """With a path the lines are appended to that file, which others cannot read."""
    path = tmp_path / "records.jsonl"
    for account in ("a", "b"):
        log = RecordLog(str(path))
        log.append(record(account=account))
        log.close()
    assert [json.loads(line)["account"] for line in path.read_text().splitlines()] == ["a", "b"]
    assert path.stat().st_mode & 0o007 == 0


def test_a_file_is_rotated_by_size(tmp_path: Path):
    """A file that has grown to its limit is put aside between two lines; only so many are kept."""
    file = RecordFile(tmp_path / "r", rotate_octets=10, kept=2)
    for word in ("first", "second", "third", "fourth"):
        file.write(memoryview(f"{word:>10}\n".encode()))
    file.close()
    assert {path.name: path.read_text().strip() for path in tmp_path.iterdir()} == {"r": "fourth", "r.1": "third", "r.2": "second"}


def test_a_file_that_was_taken_away_is_made_again(tmp_path: Path):
    """After logrotate has moved the file, lines go to a new one of its name."""
    path = tmp_path / "r"
    file = RecordFile(path)
    file.write(memoryview(b"old\n"))
    path.rename(tmp_path / "r.old")
    file.write(memoryview(b"new\n"))
    file.close()
    assert path.read_bytes() == b"new\n"


def test_records_are_not_tracked_by_the_collector():
    """A queue of many records must not make garbage collections slow."""
    assert Record.__struct_config__.gc is False
    assert msgspec.json.encode(record(source="10"))
