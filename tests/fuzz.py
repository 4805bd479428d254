"""Mutated PDUs against a running gateway, from tenants and from a carrier, and against readers and sessions beside it.

`python -m tests.fuzz --count 1000000` is what `make fuzz` runs; 10,000 are part of the tests. A PDU counts when the gateway has
answered an enquire_link that was sent behind it: it was read. What must hold: no exception is logged, no session hangs, another
tenant on another link notices nothing, the gateway's memory does not grow, and it ends by SIGTERM with 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from smsgw.smpp import bodies, const, pdu
from smsgw.smpp.pdu import encode
from smsgw.smpp.session import Session, SessionState
from tests.alone import own_server
from tests.hostile.town import MIB, Town, memory, town
from tests.mutants import good_pdus, mutated, open_session, read_whole
from tests.rig import LINK
from tests.serving import serving

VECTORS = Path(__file__).resolve().parents[1] / ".." / "shared" / "vectors" / "pdu_vectors.jsonl"
TENANTS = 8
BATCH = 64
OWN = 5
"""How often our own seeds are among those of others, of which most are answers."""
MARK = 0x7ABCDEF0
HUNG_S = 30.0
GROWTH = 48 * MIB
BINDS = (*(const.BIND_TRANSCEIVER,) * 4, const.BIND_TRANSMITTER, const.BIND_RECEIVER)
ROUTE = '\n[[route]]\nprefix = "999"\nlinks = ["fuzzed"]\n'


@dataclass(slots=True)
class Figures:
    """What came of it. `read`: PDUs from tenants and from the carrier that the gateway read; `pure`: by session and readers."""

    wanted: int
    read: int = 0
    from_carrier: int = 0
    pure: int = 0
    whole: int = 0
    sessions: int = 0
    closed: int = 0
    accepted: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    grown_mib: float = 0.0
    neighbour: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """True when enough was read, or something is wrong."""
        return self.read >= self.wanted or bool(self.faults)


def seeds() -> list[bytes]:
    """Good PDUs of every kind but unbind, which would end each session at once; those of other libraries where they are there."""
    made = [octets for octets in good_pdus() if int.from_bytes(octets[4:8], "big") != const.UNBIND]
    number = {"source": b"10690002", "dest": b"9991380013800"}
    made += 6 * [
        encode(const.SUBMIT_SM, 0, 1, pdu.sm_body(**number, short_message=b"hello", registered_delivery=1)),
        encode(const.SUBMIT_SM, 0, 1, pdu.sm_body(**number, short_message=bytes(range(200)), data_coding=4, registered_delivery=1)),
        encode(const.DATA_SM, 0, 1, pdu.data_sm_body(**number, registered_delivery=1)),
    ]
    if VECTORS.exists():
        with VECTORS.open(encoding="utf-8") as lines:
            vectors = [bytes.fromhex(json.loads(line)["hex"]) for line in lines]
        made = made * OWN + [octets for octets in vectors if int.from_bytes(octets[4:8], "big") != const.UNBIND]
    return made


def whole_frames(stream: Iterator[bytes]) -> Iterator[bytes]:
    """Those whose command_length is true: what stands behind them is read too."""
    return (octets for octets in stream if len(octets) >= 16 and int.from_bytes(octets[:4], "big") == len(octets))


async def pdus_of(reader: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    """Read one PDU: command, status, sequence, body. Raises IncompleteReadError, OSError."""
    length, command, status, sequence = struct.unpack(">IIII", await reader.readexactly(16))
    return command, status, sequence, await reader.readexactly(length - 16)


class Fuzzer:
    """Tenants and a carrier that send what they should not, against one gateway."""

    def __init__(self, count: int, seed: int) -> None:
        """Prepare; `seed` decides everything that is sent."""
        self.figures = Figures(count)
        self.random = random.Random(seed)
        self.stream = mutated(self.random, seeds())
        self.frames = whole_frames(self.stream)
        self._pure = open_session(self.random)

    # ---- beside the gateway -----------------------------------------------------------------------------------------

    def batch(self) -> list[bytes]:
        """The next PDUs, which our own session and readers have survived."""
        made = [next(self.frames) for _ in range(BATCH)]
        for octets in made:
            self._feed(octets)
        return made

    def _feed(self, octets: bytes) -> None:
        session = self._pure
        figures = self.figures
        for request in session.receive(octets, float(figures.pure)):
            if request.context is None:
                self._answer(session, request)
        figures.pure += 1
        figures.whole += read_whole(octets, int.from_bytes(octets[4:8], "big"))
        session.out.clear()
        if session.unanswered:
            figures.faults.append("an answer is owed")
        if session.closing or session.state is SessionState.CLOSED or not self.random.randrange(200):
            self._pure = open_session(self.random)

    @staticmethod
    def _answer(session: Session, request: pdu.Pdu) -> None:
        if request.command in {const.ALERT_NOTIFICATION, const.OUTBIND}:
            session.unanswerable()
        else:
            session.respond(request, 0)

    # ---- as a tenant --------------------------------------------------------------------------------------------------

    async def tenant(self, port: int) -> None:
        """Connect again and again, bound nine times of ten, until enough was read."""
        while not self.figures.done:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            self.figures.sessions += 1
            try:
                async with asyncio.timeout(HUNG_S):
                    await self._bind(reader, writer)
                while not self.figures.done:
                    async with asyncio.timeout(HUNG_S):
                        await self._send(reader, writer)
            except (asyncio.IncompleteReadError, OSError) as end:
                if isinstance(end, TimeoutError):
                    self.figures.faults.append("a session of a tenant hangs")
                self.figures.closed += 1
            finally:
                writer.transport.abort()

    async def _bind(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.random.randrange(10):
            return
        version = self.random.choice((const.V33, const.V34, const.V50))
        body = bodies.bind_body(system_id=b"evil", password=b"evil", interface_version=version)
        writer.write(encode(self.random.choice(BINDS), 0, 1, body))
        _, status, _, _ = await pdus_of(reader)
        if status:
            self.figures.faults.append(f"a bind was refused: {status}")

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send a batch, and now and then a frame that ends the session; then wait for the mark behind it."""
        made = self.batch()
        writer.write(b"".join(made))
        loose = next(self.stream) if not self.random.randrange(50) else b""
        if loose and int.from_bytes(loose[:4], "big") != len(loose):
            writer.write(loose)  # what it says to be long stays unread: half a PDU is all that comes, then the end
            writer.write_eof()
            await reader.read(-1)
            raise ConnectionError
        writer.write(encode(const.ENQUIRE_LINK, 0, MARK))
        while True:
            command, status, sequence, _ = await pdus_of(reader)
            if command == const.ENQUIRE_LINK_RESP and sequence == MARK:
                break
            if command in {const.SUBMIT_SM_RESP, const.DATA_SM_RESP}:
                self.figures.accepted += not status
                self.figures.statuses[status] += 1
            elif command == const.DELIVER_SM:
                writer.write(encode(const.DELIVER_SM_RESP, 0, sequence, b"\0"))
            elif command == const.ENQUIRE_LINK:
                writer.write(encode(const.ENQUIRE_LINK_RESP, 0, sequence))
        self.figures.read += len(made)

    # ---- as a carrier ---------------------------------------------------------------------------------------------------

    async def carrier(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One bind of the gateway's link: answered, then sent what no carrier should; half of the submits are answered."""
        try:
            command, _, sequence, _ = await pdus_of(reader)
            writer.write(encode(command | const.RESP, 0, sequence, bodies.bind_resp_body(b"fuzz", const.V34)))
            unread = self._pour(writer)
            while not self.figures.done:
                command, _, sequence, _ = await pdus_of(reader)
                if command == const.ENQUIRE_LINK_RESP and sequence == MARK:
                    self.figures.read += unread
                    self.figures.from_carrier += unread
                    unread = self._pour(writer)
                elif command == const.SUBMIT_SM and self.random.randrange(2):
                    self._answer_submit(writer, sequence)
                elif command in {const.ENQUIRE_LINK, const.UNBIND}:
                    writer.write(encode(command | const.RESP, 0, sequence))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            self.figures.closed += 1

    def _pour(self, writer: asyncio.StreamWriter) -> int:
        made = self.batch()
        writer.write(b"".join(made) + encode(const.ENQUIRE_LINK, 0, MARK))
        return len(made)

    def _answer_submit(self, writer: asyncio.StreamWriter, sequence: int) -> None:
        octets = next(self.frames)
        writer.write(octets[:4] + struct.pack(">II", const.SUBMIT_SM_RESP, self.random.choice((0, 0, 0, 8, 0x58, 0x400))))
        writer.write(struct.pack(">I", sequence) + octets[16:])

    # ---- all of it ------------------------------------------------------------------------------------------------------

    async def against(self, place: Town) -> None:
        """Everything at once, with a good tenant beside it."""
        neighbour = place.good(rate=50.0, seconds=0.0, response_timeout_s=20.0)
        began = time.monotonic()
        async with neighbour.bound():
            neighbour.start()
            async with asyncio.TaskGroup() as group:
                tenants = [group.create_task(self.tenant(place.gateway.port)) for _ in range(TENANTS)]
                group.create_task(self._weigh(place.gateway.pid, tenants))
            neighbour.stop()
            await neighbour.settled()
            ledger = neighbour.ledger
            self.figures.neighbour = ledger.ok
            harmed = (dict(ledger.statuses), dict(ledger.wrong), dict(ledger.disconnects), ledger.lost, ledger.expired)
            if any(harmed) or not ledger.ok or ledger.matched != ledger.sent:
                self.figures.faults.append(f"the neighbour was harmed: {neighbour.report()}")
        self.figures.seconds = time.monotonic() - began

    async def _weigh(self, pid: int, tenants: list[asyncio.Task[None]]) -> None:
        """Compare the gateway's memory at a fifth of the way, and at the end."""
        first = 0
        while any(not tenant.done() for tenant in tenants):
            await asyncio.wait(tenants, timeout=0.1)
            if not first and self.figures.read * 5 >= self.figures.wanted:
                first = memory(pid)
        grown = memory(pid) - first
        self.figures.grown_mib = grown / MIB
        if grown > GROWTH:
            self.figures.faults.append(f"the gateway's memory has grown by {grown / MIB:.0f} MiB")


async def fuzz(dsn: str, directory: Path, count: int, seed: int) -> Figures:
    """Fuzz a gateway on this database until it has read `count` PDUs; whatever went wrong stands in `faults`."""
    fuzzer = Fuzzer(count, seed)
    async with serving(fuzzer.carrier) as port:
        more = LINK.format(name="fuzzed", port=port, link="") + ROUTE
        try:
            async with town(dsn, directory, window=1_000, provision_more=more) as place:
                await fuzzer.against(place)
        except AssertionError as error:
            fuzzer.figures.faults.append(str(error)[:2_000] or "the gateway did not end well")
    return fuzzer.figures


async def _fuzz_alone(count: int, seed: int) -> Figures:
    async with own_server("fuzz") as (server, own):
        return await fuzz(server.dsn, own, count, seed)


def main() -> int:
    """Fuzz with a database of its own; exits 1 when anything is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of writes to sessions that the gateway has ended
    figures = asyncio.run(_fuzz_alone(asked.count, asked.seed))
    sys.stdout.write(
        f"seed {asked.seed}: the gateway read {figures.read} mutated PDUs in {figures.seconds:.0f} s"
        f" ({figures.from_carrier} as from a carrier; {figures.whole} of {figures.pure} well-formed), {figures.sessions} sessions,"
        f" {figures.closed} closed, {figures.accepted} messages accepted, {figures.grown_mib:+.1f} MiB,"
        f" neighbour's messages {figures.neighbour}, faults: {figures.faults or 'none'}\n"
    )
    return int(bool(figures.faults))


if __name__ == "__main__":
    sys.exit(main())
