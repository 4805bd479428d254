"""The yardstick: one process that relays SMPP in memory and rewrites nothing but sequence numbers and message ids.

    python -m smsgw.bench.relay LISTEN_PORT UPSTREAM_PORT

No store, no money, no limits, no care for what peers do wrong: the least that any gateway in one Python process has to do. It
says `listening PORT` once it is bound upstream. Never use it for traffic.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import struct
import sys
from typing import Final

import uvloop

_HEAD: Final = struct.Struct(">IIII")
_BIND: Final = b"relay\0relay\0\0\x34\0\0\0"
_SUBMIT, _DELIVER, _ENQUIRE, _UNBIND = 4, 5, 0x15, 6
_RESPONSE: Final = 0x80000000
_BINDS: Final = frozenset({1, 2, 9})


class _Side(asyncio.Protocol):
    """A connection: frames in, a list of octets out, written once for each chunk that came in."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.out: list[bytes] = []
        self.sequence = 0
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= _HEAD.size:
            length, command, status, sequence = _HEAD.unpack_from(data, at)
            if at + length > end:
                break
            self.pdu(command, status, sequence, data[at + 16 : at + length])
            at += length
        self._rest = data[at:]
        self.relay.flush()

    def pdu(self, command: int, status: int, sequence: int, body: bytes) -> None:
        """Take one PDU."""
        raise NotImplementedError

    def send(self, command: int, status: int, sequence: int, body: bytes = b"") -> None:
        """Have a PDU written with the rest of this chunk."""
        self.out.append(_HEAD.pack(16 + len(body), command, status, sequence) + body)
        self.relay.unwritten.add(self)

    def write(self) -> None:
        """Write what was sent."""
        if self._transport is not None:
            self._transport.write(b"".join(self.out))
        self.out.clear()


class _Tenant(_Side):
    def pdu(self, command: int, status: int, sequence: int, body: bytes) -> None:  # noqa: ARG002 - as in _Side
        if command == _SUBMIT:
            self.relay.upstream.forward(self, sequence, body)
        elif command in _BINDS:
            self.send(command | _RESPONSE, 0, sequence, b"relay\0")
        elif command in {_ENQUIRE, _UNBIND}:
            self.send(command | _RESPONSE, 0, sequence)


class _Upstream(_Side):
    def __init__(self, relay: Relay) -> None:
        super().__init__(relay)
        self.bound = asyncio.Event()
        self._waiting: dict[int, tuple[_Tenant, int]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.sequence = 1
        self.send(9, 0, 1, _BIND)
        self.relay.flush()

    def forward(self, tenant: _Tenant, sequence: int, body: bytes) -> None:
        """Send a tenant's submit_sm on."""
        self.sequence += 1
        self._waiting[self.sequence] = tenant, sequence
        self.send(_SUBMIT, 0, self.sequence, body)

    def pdu(self, command: int, status: int, sequence: int, body: bytes) -> None:
        if command == _SUBMIT | _RESPONSE:
            tenant, theirs = self._waiting.pop(sequence)
            if status:
                tenant.send(command, status, theirs)
                return
            ours = b"%016x" % next(self.relay.numbers)
            self.relay.owners[body[:-1]] = tenant, ours
            tenant.send(command, 0, theirs, ours + b"\0")
        elif command == _DELIVER:
            self.send(_DELIVER | _RESPONSE, 0, sequence, b"\0")
            self._receipt(body)
        elif command == _ENQUIRE:
            self.send(_ENQUIRE | _RESPONSE, 0, sequence)
        elif command == 9 | _RESPONSE:
            self.bound.set()

    def _receipt(self, body: bytes) -> None:
        """Put our id into the text and into the TLV, which both ends of the bench write in this one way."""
        start = body.index(b"id:") + 3
        stop = body.index(b" ", start)
        tenant, ours = self.relay.owners.pop(body[start:stop])
        length_at = start - 4
        end = length_at + 1 + body[length_at]
        text = b"id:%b%b" % (ours, body[stop:end])
        tenant.sequence += 1
        tlvs = b"\0\x1e\0\x11%b\0\x04\x27\0\x01\x02" % ours
        tenant.send(_DELIVER, 0, tenant.sequence, b"%b%c%b%b" % (body[:length_at], len(text), text, tlvs))


class Relay:
    """What the connections share."""

    def __init__(self) -> None:
        """Start with nothing relayed."""
        self.unwritten: set[_Side] = set()
        self.numbers = itertools.count(1)
        self.owners: dict[bytes, tuple[_Tenant, bytes]] = {}
        self.upstream = _Upstream(self)

    def flush(self) -> None:
        """Write what this chunk has led to, one write a connection."""
        for side in self.unwritten:
            side.write()
        self.unwritten.clear()

    async def start(self, port: int, upstream_port: int) -> asyncio.Server:
        """Bind upstream, then listen."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self.upstream, "127.0.0.1", upstream_port)
        await self.upstream.bound.wait()
        return await loop.create_server(lambda: _Tenant(self), "127.0.0.1", port, backlog=2_048)


async def serve(port: int, upstream_port: int) -> None:
    """Relay until the process is ended."""
    server = await Relay().start(port, upstream_port)
    print(f"listening {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    gc.disable()
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
