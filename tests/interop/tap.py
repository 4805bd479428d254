"""A tap between a foreign ESME and the gateway: passes octets on, and remembers the PDUs of both directions."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from smsgw.smpp.pdu import Pdu
from tests.serving import serving

WAIT_S = 20.0


def pdus(octets: bytes) -> list[Pdu]:
    """Return the PDUs in octets; the last may be under way."""
    found = []
    while len(octets) >= 16:
        length, command, status, sequence = struct.unpack_from(">IIII", octets)
        assert length >= 16
        if length > len(octets):
            break
        found.append(Pdu(octets[:length], command, status, sequence))
        octets = octets[length:]
    return found


@dataclass(slots=True)
class Line:
    """One connection: what went to the gateway, what came from it."""

    to_gateway: bytearray = field(default_factory=bytearray)
    from_gateway: bytearray = field(default_factory=bytearray)

    def sent(self, command: int) -> list[Pdu]:
        """Return what the ESME sent, of a command."""
        return [pdu for pdu in pdus(bytes(self.to_gateway)) if pdu.command == command]

    def came(self, command: int) -> list[Pdu]:
        """Return what the gateway sent, of a command."""
        return [pdu for pdu in pdus(bytes(self.from_gateway)) if pdu.command == command]


class Tap:
    """Listens on `port` and connects to the gateway for each that comes."""

    def __init__(self, gateway_port: int) -> None:
        self.port = 0
        self.lines: list[Line] = []
        self._gateway_port = gateway_port
        self._changed = asyncio.Event()
        self._open = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Tap]:
        """Listen within the block."""
        async with serving(self._serve) as self.port:
            yield self

    async def idle(self) -> None:
        """Wait until every connection has ended."""
        await self.until(lambda: not self._open)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that passed makes the condition true."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def sent(self, command: int) -> list[Pdu]:
        """Return what ESMEs sent, of a command."""
        return [pdu for line in self.lines for pdu in line.sent(command)]

    def came(self, command: int) -> list[Pdu]:
        """Return what the gateway sent, of a command."""
        return [pdu for line in self.lines for pdu in line.came(command)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line()
        self.lines.append(line)
        self._open += 1
        there, back = await asyncio.open_connection("127.0.0.1", self._gateway_port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, back, line.to_gateway))
                group.create_task(self._pass(there, writer, line.from_gateway))
        finally:
            back.close()
            writer.close()
            self._open -= 1
            self._changed.set()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                kept += data
                writer.write(data)
                await writer.drain()
                self._changed.set()
            writer.write_eof()
