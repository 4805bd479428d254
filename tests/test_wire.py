from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from smsgw.smpp import const
from smsgw.smpp.pdu import Pdu, encode
from smsgw.smpp.session import LateResponse, Role, Session, SessionSettings
from smsgw.wire import Clock, Wire, WireLimits, dial, listen
from tests.tls import self_signed

WAIT_S = 10.0
MEGABYTE = 1_000_000


class FakeClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def now(self) -> float:
        return self.at

    def time(self) -> float:
        return self.at


class Recorder:
    """A peer that remembers what it is told; `on` is called with each request or response."""

    def __init__(self, on: Callable[[Pdu], None] | None = None) -> None:
        self.requests: list[Pdu] = []
        self.responses: list[Any] = []
        self.expired: list[Any] = []
        self.lost: list[tuple[str, list[Any]]] = []
        self.on = on
        self._changed = asyncio.Event()

    def on_request(self, pdu: Pdu) -> None:
        self.requests.append(pdu)
        self._tell(pdu)

    def on_response(self, pdu: Pdu, context: Any) -> None:
        self.responses.append(context)
        self._tell(pdu)

    def on_expired(self, context: Any) -> None:
        self.expired.append(context)
        self._tell(None)

    def on_lost(self, reason: str, contexts: list[Any]) -> None:
        self.lost.append((reason, contexts))
        self._changed.set()

    def _tell(self, pdu: Any) -> None:
        self._changed.set()
        if self.on is not None:
            self.on(pdu)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something that it is told makes the condition true."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def end(self) -> tuple[str, list[Any]]:
        """Wait for the end of the connection."""
        await self.until(lambda: self.lost)
        return self.lost[0]


class Port:
    """A listening end whose connections are bound transceivers, and raw ends that are connected to it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.limits = WireLimits()
        self.settings = SessionSettings(enquire_link_s=0)
        self.wires: list[Wire] = []
        self.peers: list[Recorder] = []
        self.server: asyncio.Server | None = None
        self.writers: list[asyncio.StreamWriter] = []

    def made(self) -> Wire:
        """What `listen` calls."""
        session = Session(Role.MC, self.settings, self.clock.now())
        session.bound_as(const.BIND_TRANSCEIVER, const.V34)
        self.peers.append(Recorder())
        self.wires.append(Wire(session, self.clock, self.peers[-1], self.limits))
        return self.wires[-1]

    @property
    def number(self) -> int:
        """The port."""
        assert self.server is not None
        return int(self.server.sockets[0].getsockname()[1])

    async def connect(self, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Wire, Recorder]:
        """Connect a raw end; returns it, and the wire with its peer that it has met."""
        count = len(self.wires)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number, **options)
        self.writers.append(writer)
        async with asyncio.timeout(WAIT_S):
            while len(self.wires) == count or not self.wires[-1].open:  # noqa: ASYNC110 - a turn of the loop, no time
                await asyncio.sleep(0)
        return reader, writer, self.wires[-1], self.peers[-1]


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    """A listening end; everything is closed in the end."""
    made = Port()
    made.server = await listen(made.made, "127.0.0.1", 0)
    yield made
    made.server.close()
    for writer in made.writers:
        writer.close()
    for wire in made.wires:
        wire.abort("test")
    for peer in made.peers:
        await peer.end()
    await made.server.wait_closed()


class Writes:
    """A transport in front of the real one that counts what is written."""

    def __init__(self, wire: Wire) -> None:
        self.octets: list[bytes] = []
        self._transport = wire._transport
        wire._transport = self  # type: ignore[assignment]

    def write(self, octets: bytes) -> None:
        self.octets.append(octets)
        assert self._transport is not None
        self._transport.write(octets)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def submit(sequence: int, body: bytes = b"") -> bytes:
    """A submit_sm."""
    return encode(const.SUBMIT_SM, 0, sequence, body)


def answers(octets: bytes) -> list[int]:
    """The sequence numbers of the PDUs in these octets."""
    numbers = []
    while octets:
        numbers.append(int.from_bytes(octets[12:16], "big"))
        octets = octets[int.from_bytes(octets[:4], "big") :]
    return numbers


# ---- one write a turn -----------------------------------------------------------------------------------------------


async def test_all_answers_of_a_turn_leave_in_one_write(port: Port):
    """Requests that come together are answered together, whoever answers and whatever else is sent meanwhile."""
    reader, writer, wire, peer = await port.connect()
    writes = Writes(wire)
    peer.on = lambda pdu: wire.respond(pdu, 0, b"id\0")
    writer.write(b"".join(submit(number) for number in range(1, 6)))
    assert answers(await reader.readexactly(5 * 19)) == [1, 2, 3, 4, 5]
    assert len(writes.octets) == 1
    writes.octets.clear()
    wire.request(const.DELIVER_SM, b"", "first")
    wire.request(const.DELIVER_SM, b"", "second")
    wire.answer(const.SUBMIT_SM, 9, 0)
    assert writes.octets == []
    await reader.readexactly(3 * 16)
    assert len(writes.octets) == 1
    assert wire.octets_in == 5 * 16
    assert wire.octets_out == 5 * 19 + 3 * 16


async def test_answers_that_come_later_leave_at_the_end_of_their_turn(port: Port):
    """What is answered outside `data_received` is written once, at the end of the loop turn."""
    reader, writer, wire, peer = await port.connect()
    writes = Writes(wire)
    writer.write(submit(1) + submit(2))
    await peer.until(lambda: len(peer.requests) == 2)
    for pdu in peer.requests:
        wire.respond(pdu, 0)
    assert answers(await reader.readexactly(32)) == [1, 2]
    assert len(writes.octets) == 1


async def test_no_octet_waits_for_company(port: Port):
    """Both ends switch Nagle's algorithm off."""
    accepted, _, _, _ = await port.connect()
    assert accepted is not None
    session = Session(Role.ESME, SessionSettings(), 0.0)
    peer = Recorder()
    wire = await dial(Wire(session, Clock(), peer), "127.0.0.1", port.number)
    for end in (wire, port.wires[0]):
        assert end._transport is not None
        raw = end._transport.get_extra_info("socket")
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    wire.abort("test")
    assert (await peer.end())[0] == "test"


# ---- a peer that does not read --------------------------------------------------------------------------------------


async def flooded(port: Port) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Wire, Recorder]:
    """A connection whose other end does not read, with as much written to it as it takes until writing is paused."""
    reader, writer, wire, peer = await port.connect(limit=1_000)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    while wire.writable:
        wire.request(const.DELIVER_SM, bytes(60_000), "big")
        await asyncio.sleep(0)
    return reader, writer, wire, peer


async def test_who_does_not_read_is_not_read_from(port: Port):
    """Writing is paused over the limit, and so is reading; when the peer reads again both go on, and nothing is lost."""
    reader, writer, wire, peer = await flooded(port)
    assert not wire.writable
    assert wire.blocked_since == port.clock.now()
    asked = wire.session.outstanding
    writer.write(submit(1))
    for _ in range(50):
        await asyncio.sleep(0)
    assert peer.requests == []
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    got = await reader.readexactly(asked * 60_016)
    assert len(answers(got)) == asked
    await peer.until(lambda: peer.requests)
    assert wire.writable
    assert wire.blocked_since == 0.0


async def test_a_carrier_is_read_from_all_the_same(port: Port):
    """Where reading is not paused, requests of a peer that does not read still arrive: else both could wait for ever."""
    port.limits = WireLimits(pause_reading=False)
    _, writer, wire, peer = await flooded(port)
    writer.write(submit(1))
    await peer.until(lambda: peer.requests)
    assert not wire.writable


async def test_a_stalled_peer_is_dropped(port: Port):
    """Who leaves its octets unread for longer than the limit is dropped, with everything that was asked of it."""
    _, _, wire, peer = await flooded(port)
    asked = wire.session.outstanding
    wire.tick(port.clock.at + 30.0)
    assert wire.open
    wire.tick(port.clock.at + 30.1)
    assert await peer.end() == ("peer_does_not_read", ["big"] * asked)
    assert not wire.open


async def test_a_peer_that_does_not_read_keeps_no_connection_that_is_over(port: Port):
    """Less waits than would stop the writing, but the peer never takes it: a closed connection ends after the same time."""
    port.limits = WireLimits(write_high=100 * MEGABYTE)
    _, writer, wire, peer = await port.connect()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(20):
        wire.request(const.DELIVER_SM, bytes(MEGABYTE), "big")
    wire.flush()
    assert wire.writable
    wire.close("drained")
    wire.flush()
    for seconds in (0.0, 30.0):
        wire.tick(port.clock.at + seconds)
    for _ in range(50):
        await asyncio.sleep(0)
    assert peer.lost == []
    wire.tick(port.clock.at + 30.1)
    assert await peer.end() == ("drained", ["big"] * 20)


# ---- walls ----------------------------------------------------------------------------------------------------------


class Fault(Exception):
    """A fault of the room above."""


def fail(_pdu: Any) -> None:
    """Raise."""
    raise Fault("8613800138000")


async def test_a_fault_ends_only_its_own_connection(port: Port):
    """A peer that raises loses its connection; another connection, and the listener, do not notice; no number is logged."""
    first, second = await port.connect(), await port.connect()
    first[3].on = fail
    with structlog.testing.capture_logs() as logs:
        first[1].write(submit(1) + submit(2))
        second[1].write(submit(1))
        assert (await first[3].end())[0] == "internal_error"
        await second[3].until(lambda: second[3].requests)
    assert len(first[3].requests) == 1
    assert second[2].open
    assert (await port.connect())[2].open
    assert [entry["event"] for entry in logs] == ["connection_failed"]
    assert logs[0]["error"] == "Fault"
    assert "8613800138000" not in repr(logs)


async def test_after_a_fault_every_request_comes_back(port: Port):
    """Answers that stood behind the one that failed are lost like those that never came: each request comes back once."""
    _, writer, wire, peer = await port.connect()
    numbers = [wire.request(const.DELIVER_SM, b"", name) for name in ("first", "second", "third", "fourth")]
    peer.on = fail
    writer.write(b"".join(encode(const.DELIVER_SM_RESP, 0, number) for number in numbers[:3]))
    assert await peer.end() == ("internal_error", ["second", "third", "fourth"])
    assert peer.responses == ["first"]


async def test_a_fault_in_a_time_out_ends_only_its_own_connection(port: Port):
    """The ticker that all connections share does not stop at one whose peer raises, and each time-out is told."""
    _, _, wire, peer = await port.connect()
    wire.request(const.DELIVER_SM, b"", "first")
    wire.request(const.DELIVER_SM, b"", "second")
    peer.on = fail
    with structlog.testing.capture_logs() as logs:
        wire.tick(port.clock.at + 61.0)
    assert peer.expired == ["first", "second"]
    assert {entry["event"] for entry in logs} == {"connection_failed"}
    assert await peer.end() == ("internal_error", [])


# ---- requests and answers -------------------------------------------------------------------------------------------


async def test_an_answer_brings_its_context(port: Port):
    """The answer to an own request, or a generic_nack, brings back what was given with it, once."""
    reader, writer, wire, peer = await port.connect()
    numbers = [wire.request(const.DELIVER_SM, b"", name) for name in ("first", "second")]
    assert answers(await reader.readexactly(32)) == numbers
    writer.write(encode(const.GENERIC_NACK, 3, numbers[1]) + encode(const.DELIVER_SM_RESP, 0, numbers[0]))
    await peer.until(lambda: len(peer.responses) == 2)
    assert peer.responses == ["second", "first"]


async def test_a_request_without_an_answer_expires(port: Port):
    """After the response time-out `tick` gives the request back; an answer after that says so itself."""
    _, writer, wire, peer = await port.connect()
    number = wire.request(const.DELIVER_SM, b"", "late")
    wire.tick(port.clock.at + 59.0)
    assert peer.expired == []
    wire.tick(port.clock.at + 61.0)
    assert peer.expired == ["late"]
    writer.write(encode(const.DELIVER_SM_RESP, 0, number))
    await peer.until(lambda: peer.responses)
    (late,) = peer.responses
    assert isinstance(late, LateResponse)
    assert late.context == "late"


async def test_ticks_send_what_time_demands(port: Port):
    """A silent peer is asked whether it is there, and dropped when it does not say so."""
    port.settings = SessionSettings(enquire_link_s=30.0, response_timeout_s=10.0)
    reader, _, wire, peer = await port.connect()
    wire.tick(port.clock.at + 31.0)
    octets = await reader.readexactly(16)
    assert int.from_bytes(octets[4:8], "big") == const.ENQUIRE_LINK
    wire.tick(port.clock.at + 42.0)
    assert await peer.end() == ("enquire_link_timeout", [])


# ---- ends -----------------------------------------------------------------------------------------------------------


async def test_close_writes_what_waits(port: Port):
    """`close` lets what is waiting go out first; the reason is told once, with what was asked and never answered."""
    reader, _, wire, peer = await port.connect()
    wire.request(const.DELIVER_SM, b"last words", "asked")
    wire.close("drained")
    wire.close("again")
    octets = await reader.read()
    assert octets.endswith(b"last words")
    assert await peer.end() == ("drained", ["asked"])
    assert peer.lost == [("drained", ["asked"])]


async def test_abort_drops_what_waits(port: Port):
    """`abort` ends the connection at once, with nothing written; afterwards nothing is written either."""
    reader, _, wire, peer = await port.connect()
    wire.request(const.DELIVER_SM, b"never", "asked")
    wire.abort("fenced")
    assert await peer.end() == ("fenced", ["asked"])
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    wire.request(const.DELIVER_SM, b"", "too late")
    wire.flush()
    assert wire.session.out == []
    assert not wire.open
    assert wire.remote == ("", 0)


async def test_half_a_pdu_is_discarded(port: Port):
    """A peer that leaves in the middle of a PDU has closed the connection, and that PDU never was."""
    _, writer, _, peer = await port.connect()
    writer.write(submit(1) + submit(2)[:10])
    writer.write_eof()
    assert await peer.end() == ("closed_by_peer", [])
    assert [pdu.sequence for pdu in peer.requests] == [1]


async def test_a_reset_is_told_as_one(port: Port):
    """A connection that breaks says how."""
    _, writer, _, peer = await port.connect()
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()
    assert (await peer.end())[0] in {"ConnectionResetError", "closed_by_peer"}


async def test_a_session_that_closes_is_closed_behind_its_answer(port: Port):
    """A broken frame is answered, then the connection ends: the nack goes out first."""
    reader, writer, _, peer = await port.connect()
    writer.write(b"\xff" * 16)
    octets = await reader.read()
    assert int.from_bytes(octets[4:8], "big") == const.GENERIC_NACK
    assert await peer.end() == ("bad_length", [])


# ---- dialling and listening -----------------------------------------------------------------------------------------


async def test_dial_connects_from_where_it_is_told(port: Port):
    """A dialled wire is open, knows its other end, and may be bound to a local address."""
    peer = Recorder()
    wire = await dial(
        Wire(Session(Role.ESME, SessionSettings(), 0.0), Clock(), peer), "127.0.0.1", port.number, local_addr=("127.0.0.2", 0)
    )
    assert wire.open
    assert not wire.tls
    assert wire.certificate is None
    assert wire.remote == ("127.0.0.1", port.number)
    await asyncio.sleep(0)
    wire.close("done")
    assert (await peer.end())[0] == "done"
    await port.peers[0].end()
    assert len(port.wires) == 1


async def test_what_is_in_the_session_before_is_sent_at_once(port: Port):
    """A bind that was prepared before the connection came up goes out as soon as it is."""
    session = Session(Role.ESME, SessionSettings(), 0.0)
    session.request(const.BIND_TRANSCEIVER, b"", "bind", 0.0)
    peer = Recorder()
    wire = await dial(Wire(session, Clock(), peer), "127.0.0.1", port.number)
    await peer.until(lambda: peer.responses)  # the port's sessions are bound: it refuses, which is an answer
    assert peer.responses == ["bind"]
    wire.abort("test")
    await peer.end()


async def test_dial_gives_up_in_time():
    """Where nobody accepts, or nobody shakes hands, `dial` raises TimeoutError when its time is over, and leaves nothing open."""
    silent = socket.create_server(("127.0.0.1", 0), backlog=0)
    address = silent.getsockname()
    fillers = [socket.socket() for _ in range(3)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(address)
    peer = Recorder()
    wire = Wire(Session(Role.ESME, SessionSettings(), 0.0), Clock(), peer)
    with pytest.raises(TimeoutError):
        await dial(wire, *address, timeout_s=0.05)
    for filler in fillers:
        filler.close()
    silent.close()
    assert not wire.open

    accepted: list[asyncio.StreamWriter] = []
    mute = await asyncio.start_server(lambda _, writer: accepted.append(writer), "127.0.0.1", 0)
    with pytest.raises(TimeoutError):
        await dial(
            wire,
            "127.0.0.1",
            mute.sockets[0].getsockname()[1],
            ssl=ssl.create_default_context(),
            server_hostname="x",
            timeout_s=0.05,
        )
    for writer in accepted:
        writer.close()
        await writer.wait_closed()
    mute.close()
    await mute.wait_closed()
    assert not wire.open
    assert peer.lost == []


async def test_dial_says_what_fails():
    """A refused connection and a name that does not exist are OSErrors."""
    free = socket.create_server(("127.0.0.1", 0))
    address = free.getsockname()
    free.close()
    for host, port in (address, ("name.invalid", 1)):
        with pytest.raises(OSError, match=r"\w"):
            await dial(Wire(Session(Role.ESME, SessionSettings(), 0.0), Clock()), host, port)


async def test_listens_on_a_socket_that_is_given():
    """A socket that was bound by whoever started us is served as it is."""
    made = Port()
    made.server = await listen(made.made, sock=socket.create_server(("127.0.0.1", 0)))
    _, writer, wire, peer = await made.connect()
    assert wire.open
    writer.close()
    assert (await peer.end())[0] == "closed_by_peer"
    made.server.close()
    await made.server.wait_closed()


async def test_tls_at_both_ends(tmp_path: Path):
    """An encrypted connection says so at both ends, and the dialling end has the other's certificate."""
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    made, peer = Port(), Recorder()
    made.server = await listen(made.made, "127.0.0.1", 0, ssl=context)
    trust = ssl.create_default_context(cafile=str(certificate))
    wire = Wire(Session(Role.ESME, SessionSettings(), 0.0), Clock(), peer)
    await dial(wire, "127.0.0.1", made.number, ssl=trust, server_hostname="localhost")
    assert wire.tls
    assert wire.certificate is not None
    assert wire.certificate["subjectAltName"] == (("DNS", "localhost"),)
    wire.request(const.SUBMIT_SM, b"", "asked")
    async with asyncio.timeout(WAIT_S):
        while not made.wires:  # noqa: ASYNC110 - a turn of the loop, no time
            await asyncio.sleep(0)
    await made.peers[0].until(lambda: made.peers[0].requests)
    assert made.wires[0].tls
    wire.abort("test")
    await made.peers[0].end()
    made.server.close()
    await made.server.wait_closed()
