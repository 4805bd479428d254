"""Peers that tests drive by hand: raw SMPP ends on a real socket that do as they are told, wrong things included.

They share nothing with `smsgw.smpp.session`: framing and correlation are their own, so that a mistake there shows here.
"""

from __future__ import annotations

import asyncio
import ssl as tls
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from smsgw.smpp import bodies, const, pdu
from smsgw.smpp.pdu import Pdu, encode

WAIT_S = 10.0
BINDS = {"tx": const.BIND_TRANSMITTER, "rx": const.BIND_RECEIVER, "trx": const.BIND_TRANSCEIVER}


class Esme:
    """An ESME on a real socket. It answers deliver_sm, data_sm, enquire_link and unbind by itself, but for these knobs:

    `late`: answers to deliveries are kept in `kept` until `answer_late()`; `lost`: so many of the next answers are never sent;
    `garbled`: the next answers go through this function first (octets → octets); `status`: of the answers;
    `quiet`: answers neither enquire_link nor unbind. `reading(False)` stops reading from the socket.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.late = False
        self.lost = 0
        self.garbled: Callable[[bytes], bytes] | None = None
        self.status = const.ESME_ROK
        self.quiet = False
        self.kept: list[bytes] = []
        self.requests: list[Pdu] = []
        """Every request that came, in order."""
        self.responses: list[Pdu] = []
        """Every response that came, in order."""
        self.ended = asyncio.Event()
        self._changed = asyncio.Event()
        self._sequence = 0
        self._taken = 0
        self._reader = reader
        self._writer = writer
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._task = asyncio.get_running_loop().create_task(self._read())

    # ---- a life ---------------------------------------------------------------------------------------------------

    @classmethod
    async def connect(cls, port: int, host: str = "127.0.0.1", *, ssl: tls.SSLContext | None = None, **options: Any) -> Self:
        """Connect; raises OSError. `options` go to asyncio.open_connection (local_addr and the like)."""
        reader, writer = await asyncio.open_connection(host, port, ssl=ssl, server_hostname="localhost" if ssl else None, **options)
        return cls(reader, writer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection without a word."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    def abort(self) -> None:
        """Reset the connection."""
        self._task.cancel()
        self._writer.transport.abort()

    def reading(self, on: bool) -> None:  # noqa: FBT001 - a switch
        """Read from the socket, or leave its octets there."""
        if on:
            self._may_read.set()
            self._writer.transport.resume_reading()  # type: ignore[attr-defined]
        else:
            self._may_read.clear()
            self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    # ---- out ------------------------------------------------------------------------------------------------------

    def send_raw(self, octets: bytes) -> None:
        """Write octets as they are."""
        self._writer.write(octets)

    def send(self, command: int, body: bytes = b"", *, sequence: int | None = None, status: int = 0) -> int:
        """Send a request or response; returns its sequence number, the next one unless given."""
        if sequence is None:
            self._sequence += 1
            sequence = self._sequence
        self.send_raw(encode(command, status, sequence, body))
        return sequence

    async def ask(self, command: int, body: bytes = b"", *, sequence: int | None = None) -> Pdu:
        """Send a request and wait for its answer."""
        return await self.answer_to(self.send(command, body, sequence=sequence))

    async def bind(self, system_id: str, password: str, kind: str = "trx", version: int = const.V34, **fields: Any) -> Pdu:
        """Bind as "tx", "rx" or "trx"; returns the response."""
        body = bind_body(system_id.encode("latin-1"), password.encode("latin-1"), version, **fields)
        return await self.ask(BINDS[kind], body)

    async def submit(self, source: bytes = b"1069", dest: bytes = b"8613800138000", text: bytes = b"hello", **fields: Any) -> Pdu:
        """Send a submit_sm and wait for its answer; `fields` are those of `pdu.sm_body`."""
        return await self.ask(const.SUBMIT_SM, pdu.sm_body(source=source, dest=dest, short_message=text, **fields))

    def answer_late(self) -> None:
        """Send the answers that were kept."""
        for octets in self.kept:
            self.send_raw(octets)
        self.kept.clear()

    # ---- in -------------------------------------------------------------------------------------------------------

    async def answer_to(self, sequence: int) -> Pdu:
        """Wait for the response with this sequence number."""
        return await self._until(lambda: next((p for p in self.responses if p.sequence == sequence), None))

    async def request(self, command: int | None = None) -> Pdu:
        """Wait for the next request that no call has returned yet (of this command)."""

        def next_one() -> Pdu | None:
            for index in range(self._taken, len(self.requests)):
                if command is None or self.requests[index].command == command:
                    self._taken = index + 1
                    return self.requests[index]
            return None

        return await self._until(next_one)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that came makes the condition true."""
        await self._until(lambda: condition() or None)

    async def closed(self) -> None:
        """Wait until the other end has closed the connection."""
        async with asyncio.timeout(WAIT_S):
            await self.ended.wait()

    async def _until(self, find: Callable[[], Any]) -> Any:
        async with asyncio.timeout(WAIT_S):
            while True:
                found = find()
                if found is not None:
                    return found
                assert not self.ended.is_set(), "the connection has ended"
                self._changed.clear()
                await self._changed.wait()

    async def _read(self) -> None:
        try:
            while True:
                await self._may_read.wait()
                header = await self._reader.readexactly(16)
                length, command, status, sequence = struct.unpack(">IIII", header)
                octets = header + await self._reader.readexactly(length - 16)
                self._came(Pdu(octets, command, status, sequence))
                self._changed.set()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.ended.set()
            self._changed.set()

    def _came(self, came: Pdu) -> None:
        if came.command & const.RESP:
            self.responses.append(came)
            return
        self.requests.append(came)
        if came.command in {const.ENQUIRE_LINK, const.UNBIND}:
            if not self.quiet:
                self.send(came.command | const.RESP, sequence=came.sequence)
        elif came.command in {const.DELIVER_SM, const.DATA_SM}:
            self._answer(encode(came.command | const.RESP, self.status, came.sequence, b"\0"))

    def _answer(self, octets: bytes) -> None:
        if self.lost:
            self.lost -= 1
            return
        if self.garbled is not None:
            octets = self.garbled(octets)
        if self.late:
            self.kept.append(octets)
        else:
            self.send_raw(octets)


def bind_body(
    system_id: bytes, password: bytes, version: int = const.V34, *, system_type: bytes = b"", address_range: bytes = b""
) -> bytes:
    """Return a bind's body without judging what is in it."""
    return b"\0".join((system_id, password, system_type, bytes((version, 0, 0)) + address_range, b""))


def version_in(response: Pdu) -> int | None:
    """Return sc_interface_version of a bind response; None where there is none."""
    return bodies.read_bind_resp(response.octets).version
