"""The hot path alone, in one process: real sessions, links, journeys and packing, ends without sockets, a store that says yes.

What a message costs here is what the gateway's own Python costs: no kernel, no PostgreSQL, no other process. `calls` counts its
function calls, which no busy machine changes; `python -m tests.bench.hot_path` measures microseconds, to compare two versions;
`… hot_path 10000` does it with and without a rule set of so many terms, in turn, and tells what judging adds.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from smsgw import config as settings
from smsgw.admin.sealing import Key
from smsgw.bench.rules import made_set
from smsgw.carriers.link import BindState, LinkBind, settings_of
from smsgw.daemon import Daemon
from smsgw.directory import Directory
from smsgw.model import Account, Carrier, Link, Price, Provisioned, Route, Tenant
from smsgw.policy.ruleset import RuleSet
from smsgw.smpp import bodies, const, tlv
from smsgw.smpp.pdu import HEADER, Pdu, encode, read_sm, sm_body
from smsgw.smpp.session import Role, Session
from smsgw.store.commit import Seat
from smsgw.wire import Wire, WireLimits
from tests.policy.sets import compiled

SESSIONS: Final = 10
WINDOW: Final = 50
TEXT: Final = (b" hello world, your parcel is on its way to you" * 3)[:89]
SMSGW: Final = str(Path(__file__).resolve().parents[2] / "smsgw")


class _Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.write = self.out.append

    def taken(self) -> bytes:
        """Hand over what was written since the last time."""
        octets = b"".join(self.out)
        self.out.clear()
        return octets

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int = 0, low: int = 0) -> None:
        """There is no buffer."""

    pause_reading = resume_reading = close = abort = lambda _self: None


class _Store:
    """A connection whose every cycle is decided at once, as asked for."""

    async def prepare(self, _sql: str) -> _Store:
        return self

    async def fetchval(self, *_arguments: Any, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's signature
        """Nothing was refused."""

    async def close(self) -> None:
        """Nothing is open."""

    def terminate(self) -> None:
        """Nothing is open."""


def _directory(policies: dict[str, RuleSet]) -> Directory:
    tenant, carrier = Tenant(1, "bench", "CNY"), Carrier(1, "bench")
    account = Account(1, "bench", tenant, max_binds=100, window=WINDOW, policy="".join(policies))
    link = Link(1, "bench-1", carrier, "127.0.0.1", 1, "gw", "gw", window=2_000)
    rows = (Route(1, "", ("bench-1",)),), (Price("bench", "", 38_000),)
    return Directory(Provisioned(1, (tenant,), (account,), (), (carrier,), (link,), *rows), policies=policies)


def _pdus(octets: bytes) -> list[Pdu]:
    at, found = 0, []
    while at < len(octets):
        length, command, status, sequence = HEADER.unpack_from(octets, at)
        found.append(Pdu(octets[at : at + length], command, status, sequence))
        at += length
    return found


class HotPath:
    """A gateway, ten sessions of a tenant, one bind of a carrier that answers and reports at once."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self._submitted = 0
        self._carrier_ids = 1_000_000
        self._tenants: list[tuple[Wire, _Transport]] = []

    def bind(self) -> None:
        """Have both sides bound."""
        daemon, clock = self.daemon, self.daemon.clock
        (link,) = daemon.directory.links()
        account = daemon.directory.account("bench")
        assert account is not None
        daemon.carriers.apply((link,))
        runner = daemon.carriers._runners[link.id]
        bind = LinkBind(runner.line, const.BIND_TRANSCEIVER)
        runner.binds.append(bind)
        self._link = Wire(Session(Role.ESME, settings_of(link), clock.now()), clock, bind, WireLimits(pause_reading=False))
        self._link_out = _Transport()
        self._link.connection_made(self._link_out)  # type: ignore[arg-type]
        bind.wire, bind.state = self._link, BindState.BINDING
        sequence = self._link.request(const.BIND_TRANSCEIVER, b"", "bind")
        self._link.data_received(encode(const.BIND_TRANSCEIVER_RESP, 0, sequence, bodies.bind_resp_body(b"carrier", const.V34)))
        for _ in range(SESSIONS):
            wire, out = daemon.listener._wire(), _Transport()
            wire.connection_made(out)  # type: ignore[arg-type]
            octets = encode(const.BIND_TRANSCEIVER, 0, 1)
            (pdu,) = wire.session.receive(octets, clock.now())
            wire.peer.enter(account, pdu, const.V34, daemon.meters.account("bench"), b"smsgw\0")  # type: ignore[union-attr]
            daemon.registry.add(wire.peer)  # type: ignore[arg-type]
            self._tenants.append((wire, out))
        self._link.flush()
        self._link_out.taken()

    async def carry(self, count: int) -> float:
        """Let so many messages and their receipts through, in a closed loop; returns the CPU seconds of the ends alone."""
        until, receipts, ends_s = self._submitted + count, 0, 0.0
        for wire, out in self._tenants:
            out.taken()
            wire.data_received(self._submits(min(WINDOW, until - self._submitted)))
        while receipts < count:
            await asyncio.sleep(0)
            began = time.process_time()
            said = self._carrier(self._link_out.taken())
            ends_s += time.process_time() - began
            if said:
                self._link.data_received(said)
            for wire, out in self._tenants:
                began = time.process_time()
                said, more = self._tenant(out.taken(), until)
                ends_s += time.process_time() - began
                receipts += more
                if said:
                    wire.data_received(said)
            if self.daemon.records is not None:
                self.daemon.records.pack()
        return ends_s

    def _submits(self, count: int) -> bytes:
        submits = []
        for number in range(self._submitted, self._submitted + count):
            dest = b"447700%06d" % (number % 1_000_000)
            body = sm_body(source=b"1000", dest=dest, short_message=b"#%010d%b" % (number, TEXT), registered_delivery=1)
            submits.append(encode(const.SUBMIT_SM, 0, number + 2, body))
        self._submitted += count
        return b"".join(submits)

    def _carrier(self, octets: bytes) -> bytes:
        said = []
        for pdu in _pdus(octets):
            if pdu.command != const.SUBMIT_SM:
                continue
            sm = read_sm(pdu.octets)
            self._carrier_ids += 1
            message_id = b"%d" % self._carrier_ids
            text = (
                b"id:%b sub:001 dlvrd:001 submit date:2611241200 done date:2611241200 stat:DELIVRD err:000 text:hello" % message_id
            )
            tlvs = tlv.append(const.TAG_RECEIPTED_MESSAGE_ID, message_id + b"\0") + tlv.append(const.TAG_MESSAGE_STATE, b"\2")
            body = sm_body(source=sm.dest, dest=sm.source, short_message=text, esm_class=4, tlvs=tlvs)
            said.append(encode(const.SUBMIT_SM_RESP, 0, pdu.sequence, message_id + b"\0"))
            said.append(encode(const.DELIVER_SM, 0, self._carrier_ids, body))
        return b"".join(said)

    def _tenant(self, octets: bytes, until: int) -> tuple[bytes, int]:
        said, answered, receipts = [], 0, 0
        for pdu in _pdus(octets):
            assert not pdu.status, pdu
            if pdu.command == const.DELIVER_SM:
                receipts += 1
                said.append(encode(const.DELIVER_SM_RESP, 0, pdu.sequence, b"\0"))
            answered += pdu.command == const.SUBMIT_SM_RESP
        said.append(self._submits(min(answered, until - self._submitted)))
        return b"".join(said), receipts


async def on_the_path(use: Any, directory: str, policies: dict[str, RuleSet] | None = None) -> Any:
    """Build the path, with a rule set or none, let `use(path)` use it, and return what that returned."""
    text = f'[node]\nid = 1\ndata_dir = "{directory}"\n[log]\nrecords = "{directory}/records.jsonl"\n'
    daemon: Any = Daemon(settings.parse(text))
    ground, daemon.directory = daemon.ground, _directory(policies or {})
    ground.dsn, ground.pool, ground.key = "", None, Key(bytes(32))
    ground.seating = SimpleNamespace(seat=Seat(1, 1), last_ms=0, adopted={})
    async with daemon._stack:
        daemon._build()
        daemon.commit._connect = _connected
        task = asyncio.ensure_future(daemon.commit.run())
        await daemon.commit.ready()
        path = HotPath(daemon)
        path.bind()
        try:
            return await use(path)
        finally:
            daemon.commit.stop()
            await task


async def _connected() -> Any:
    return _Store()


def calls(count: int, directory: str, policies: dict[str, RuleSet] | None = None) -> float:
    """Return how many functions of smsgw are called for a message."""

    async def use(path: HotPath) -> float:
        await path.carry(1_000)
        profile = cProfile.Profile()
        profile.enable()
        await path.carry(count)
        profile.disable()
        return sum(entry.callcount for entry in profile.getstats() if _ours(entry.code)) / count

    return asyncio.run(on_the_path(use, directory, policies))


def _ours(code: Any) -> bool:
    return not isinstance(code, str) and code.co_filename.startswith(SMSGW)


def microseconds(count: int, runs: int, directory: str, policies: dict[str, RuleSet] | None = None) -> list[float]:
    """Return the CPU microseconds of a message in each run, those of the ends taken off."""

    async def use(path: HotPath) -> list[float]:
        await path.carry(5_000)
        gc.collect()
        gc.freeze()
        gc.disable()
        found = []
        for _ in range(runs):
            began = time.process_time()
            ends_s = await path.carry(count)
            found.append((time.process_time() - began - ends_s) / count * 1e6)
        return found

    try:
        return asyncio.run(on_the_path(use, directory, policies))
    finally:
        gc.enable()
        gc.unfreeze()


def judging(terms: int, pairs: int, directory: str) -> list[tuple[float, float]]:
    """Return (without, with a rule set of so many terms) in CPU microseconds a message, the best of three runs each, in turn."""
    policies = {"made": compiled(*made_set(terms))}
    return [(min(microseconds(5_000, 3, directory)), min(microseconds(5_000, 3, directory, policies))) for _ in range(pairs)]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        if len(sys.argv) > 1:
            found_pairs = judging(int(sys.argv[1]), 7, scratch)
            sys.stdout.write(" ".join(f"{without:.1f}/{judged:.1f}" for without, judged in found_pairs) + " µs a message\n")
            added = statistics.median(judged - without for without, judged in found_pairs)
            sys.stdout.write(f"judging: {added:+.1f} µs, the median of {len(found_pairs)} pairs\n")
        else:
            sys.stdout.write(" ".join(f"{cost:.1f}" for cost in sorted(microseconds(20_000, 5, scratch))) + " µs a message\n")
