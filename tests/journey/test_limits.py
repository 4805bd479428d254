"""Rates over restarts and several nodes, quotas and duplicate windows, from bind to store."""

from __future__ import annotations

from typing import Any

import pytest

from smsgw.admin.prices import set_price
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from smsgw.smpp.pdu import sm_body
from smsgw.store.database import Connection
from smsgw.store.prices import PriceKey
from tests.journey.scene import Scene
from tests.peers import Esme
from tests.rig import provisioning, running
from tests.smsc import Smsc

QUOTA = STATUSES["quota"][0]
BALANCE = STATUSES["balance"][0]
THROTTLED = const.ESME_RTHROTTLED


def body(text: bytes = b"x", **fields: Any) -> bytes:
    """A submit_sm."""
    return sm_body(**({"source": b"1069", "dest": b"8613800138000", "short_message": text} | fields))


async def answers(esme: Esme, bodies: list[bytes]) -> list[int]:
    """Submit all at once; returns the statuses in order."""
    sequences = [esme.send(const.SUBMIT_SM, one) for one in bodies]
    return [(await esme.answer_to(sequence)).status for sequence in sequences]


@pytest.mark.parametrize(
    ("account", "bodies", "reason"),
    [
        ("session_rate = 2", [body(), body(), body()], "session_rate"),
        ("sender_rate = 0.5\nsender_burst = 2", [body(), body(dest=b"861"), body(dest=b"862")], "sender_rate"),
        ("recipient_rate = 0.5\nrecipient_burst = 2", [body(), body(source=b"1"), body(dest=b"+8613800138000")], "recipient_rate"),
    ],
)
async def test_each_kind_of_rate_refuses_with_the_throttle_status(database: str, account: str, bodies: list[bytes], reason: str):
    """Over the rate of a session, a sender or a recipient: ESME_RTHROTTLED at once, with a word of its own."""
    async with Scene(database, account=account).playing() as scene:
        tenant = await scene.tenant()
        assert await answers(tenant, bodies) == [0, 0, THROTTLED]
        assert scene.daemon.meters.account("acme1").refused == {reason: 1}
        assert await answers(tenant, [body(dest=b"4915", source=b"77")]) == [THROTTLED if reason == "session_rate" else 0]
        await scene.smsc.submitted(2 if reason == "session_rate" else 3)


async def test_what_is_refused_later_costs_no_token(database: str):
    """Balance and quota give the tokens back: a tenant without money is told so, and never that it is too fast."""
    text = lambda port: provisioning(port, account="rate = 2\nburst = 2").replace('"1000000.00"', '"0.076"')  # noqa: E731
    async with Scene(database, text=text).playing() as scene:
        tenant = await scene.tenant()
        assert await answers(tenant, [body()] * 2) == [0, 0]
        await scene.later(10)
        for _ in range(5):
            assert await answers(tenant, [body()] * 2) == [BALANCE] * 2
        await scene.smsc.submitted(2)


async def sent_meanwhile(scene: Scene, tenant: Esme, seconds: float) -> tuple[int, float]:
    """Offer more than the rate allows for so many seconds of the injected clock; returns parts that passed and seconds."""
    began, passed = scene.clock.now(), 0
    while scene.clock.now() < began + seconds:
        bodies = [body(b"x" * 10), body(b"x" * 200), body(b"x" * 10), body(b"\0x" * 101, data_coding=8)] * 10
        statuses = await answers(tenant, bodies)
        assert set(statuses) <= {0, THROTTLED}
        passed += sum(parts for status, parts in zip(statuses, [1, 2, 1, 2] * 10, strict=True) if not status)
        await scene.later(0.25)
    return passed, scene.clock.now() - began


async def test_a_burst_then_the_rate_also_across_a_restart(database: str):
    """100 parts/s, burst 200: 200 pass, then 100/s within 2 % over 30 s, 15 of them after a restart that brings no new burst."""
    text = lambda port: provisioning(port, account="rate = 100\nburst = 200")  # noqa: E731
    async with Scene(database, text=text).playing() as scene:
        tenant = await scene.tenant()
        began = scene.clock.now()
        statuses = await answers(tenant, [body()] * 400)
        assert statuses[:200] == [0] * 200
        burst = statuses.count(0) - 100 * (scene.clock.now() - began)
        assert burst <= 200
        first = await sent_meanwhile(scene, tenant, 15.0)
        stopped = scene.clock.now()
        await scene.stop()
        await scene.start()
        tenant = await scene.tenant()
        second = await sent_meanwhile(scene, tenant, 15.0)
        elapsed = scene.clock.now() - stopped - second[1] + first[1] + second[1]
        assert abs(first[0] + second[0] - 100 * elapsed) <= 0.02 * 100 * elapsed


async def test_after_a_kill_the_slack_is_what_was_not_told(database: str):
    """What was told before kill -9 is known to the next process; nothing else passes than what the rate has refilled."""
    async with Scene(database, account="rate = 1\nburst = 50", more="[limits]\nshare_s = 60.0").playing() as scene:
        tenant = await scene.tenant()
        assert (await answers(tenant, [body()] * 60)).count(0) >= 50
        await scene.daemon.limits.share()
        await scene.kill()
        await scene.start(bound=False)
        tenant = await scene.tenant()
        assert (await answers(tenant, [body()] * 60)).count(0) < 10


async def test_two_gateways_share_one_rate(database: str):
    """What both let through beyond the burst is at most one more burst, and they pay for it before anything else passes."""
    text = "rate = 5\nburst = 40"
    async with (
        Smsc() as smsc,
        running(database, provisioning(smsc.port, account=text)) as one,
        running(database, provisioning(smsc.port, account=text), node=2) as two,
    ):
        first, second = await Esme.connect(one.ports[0]), await Esme.connect(two.ports[0])
        for esme in (first, second):
            await esme.bind("acme1", "secret")
        passed = [(await answers(esme, [body()] * 60)).count(0) for esme in (first, second)]
        assert 80 <= sum(passed) < 100
        await two.limits.share()
        while not one.limits.throttle.changed:  # it hears when it has something to tell
            await answers(first, [body()])
        await one.limits.share()
        now = one.clock.now()
        (bucket,) = one.limits.throttle._accounts.values()
        assert -50 < bucket.level(now) < -20
        assert await answers(first, [body()] * 5) == [THROTTLED] * 5
        assert await answers(second, [body()] * 5) == [THROTTLED] * 5
        await first.close()
        await second.close()


async def test_the_store_may_be_away(database: str):
    """While nothing can be told each node goes on by what it knows, and tells it later."""
    async with Scene(database, account="rate = 1\nburst = 3", more="[limits]\nshare_s = 60.0").playing() as scene:
        tenant = await scene.tenant()
        limits = scene.daemon.limits
        await answers(tenant, [body()] * 2)
        pool, limits._pool = limits._pool, _NoPool()
        await limits.share()
        await limits.settle(1.0)
        assert (limits.failures, limits.throttle.changed) == (2, 1)
        limits._pool = pool
        await limits.share()
        assert limits.throttle.changed == 0
        assert await scene.connection.fetchval("SELECT count(*) FROM bucket") == 1


class _NoPool:
    def acquire(self) -> Any:
        raise ConnectionResetError("away")


@pytest.mark.parametrize(
    ("account", "statuses"),
    [
        ("quota_minute = 2", [0, 0, QUOTA]),
        ("quota_hour = 1", [0, QUOTA, QUOTA]),
        ("quota_parts_day = 5", [0, 0, QUOTA]),
        ('quota_parts_month = 3\nquota_window = "rolling"', [0, QUOTA, QUOTA]),
    ],
)
async def test_quotas_in_messages_and_parts(database: str, account: str, statuses: list[int]):
    """Minute, hour, day and month, in messages or parts (two here), by the calendar or rolling."""
    async with Scene(database, account=account).playing() as scene:
        tenant = await scene.tenant()
        assert await answers(tenant, [body(b"x" * 200)] * 3) == statuses
        await scene.smsc.submitted(statuses.count(0))


async def test_a_quota_holds_over_a_restart(database: str):
    """What was counted before a kill counts after it."""
    async with Scene(database, account="quota_day = 3\nquota_month = 3").playing() as scene:
        tenant = await scene.tenant()
        assert await answers(tenant, [body()] * 2) == [0, 0]
        await scene.kill()
        await scene.start(bound=False)
        tenant = await scene.tenant()
        assert await answers(tenant, [body()] * 3) == [0, QUOTA, QUOTA]


# ---- duplicates -----------------------------------------------------------------------------------------------------


async def test_the_same_message_within_its_window_is_answered_with_the_first_id(database: str):
    """Same source, destination, coding and text: ESME_ROK, the first id, no row and no debit; anything else is another one."""
    async with Scene(database, account="duplicate_window_s = 60").playing() as scene:
        tenant = await scene.tenant()
        first = await tenant.ask(const.SUBMIT_SM, body(b"code 1"))
        again = await tenant.ask(const.SUBMIT_SM, body(b"code 1", registered_delivery=1))
        assert (again.status, again.body) == (const.ESME_ROK, first.body)
        others = [body(b"code 2"), body(b"code 1", dest=b"861"), body(b"code 1", source=b"2"), body(b"code 1", data_coding=1)]
        ids = {(await tenant.ask(const.SUBMIT_SM, one)).body for one in others}
        assert len(ids | {first.body}) == 5
        assert await scene.connection.fetchval("SELECT count(*) FROM message") == 5
        assert await scene.connection.fetchval("SELECT -amount FROM ledger WHERE kind = 'debit'") == 5 * 38_000
        assert scene.daemon.meters.account("acme1").refused == {"duplicate": 1}
        await scene.later(61)
        assert (await tenant.ask(const.SUBMIT_SM, body(b"code 1"))).body != first.body
        await scene.smsc.submitted(6)


async def test_duplicates_in_one_cycle_and_after_a_restart(database: str):
    """Those that come together are decided in their order; the window is known to the next process."""
    async with Scene(database, account="duplicate_window_s = 600").playing() as scene:
        tenant = await scene.tenant()
        async with scene.stalled():
            sequences = [tenant.send(const.SUBMIT_SM, body(text)) for text in (b"a", b"b", b"a", b"a", b"b")]
        replies = [await tenant.answer_to(sequence) for sequence in sequences]
        assert [reply.status for reply in replies] == [0] * 5
        ids = [reply.body for reply in replies]
        assert ids[0] == ids[2] == ids[3]
        assert ids[1] == ids[4] != ids[0]
        await scene.kill()
        await scene.start(bound=False)
        tenant = await scene.tenant()
        assert (await tenant.ask(const.SUBMIT_SM, body(b"a"))).body == ids[0]
        assert await scene.connection.fetchval("SELECT count(*) FROM message") == 2


async def test_parts_of_one_message_are_no_duplicates(database: str):
    """Parts that say the same thing are still different parts, by UDH and by TLVs."""
    async with Scene(database, account="duplicate_window_s = 600").playing() as scene:
        tenant = await scene.tenant()
        parts = [body(b"\x05\x00\x03\x07\x02" + bytes((number,)) + b"same", esm_class=0x40) for number in (1, 2)]
        parts += [
            body(b"same", tlvs=b"\x02\x0c\x00\x02\x00\x07\x02\x0e\x00\x01\x02\x02\x0f\x00\x01" + bytes((number,)))
            for number in (1, 2)
        ]
        ids = {(await tenant.ask(const.SUBMIT_SM, one)).body for one in parts}
        assert len(ids) == 4
        await scene.smsc.submitted(4)


async def test_a_duplicate_of_what_was_refused_is_refused_too(database: str, connection: Connection):
    """When the first of a cycle finds no money, the second, which says the same, finds none either."""
    text = lambda port: provisioning(port, account="duplicate_window_s = 600").replace('"1000000.00"', '"0.01"')  # noqa: E731
    async with Scene(database, text=text).playing() as scene:
        tenant = await scene.tenant()
        async with scene.stalled():
            sequences = [tenant.send(const.SUBMIT_SM, body(b"a")) for _ in range(3)]
        assert [(await tenant.answer_to(sequence)).status for sequence in sequences] == [BALANCE] * 3
        assert await connection.fetchval("SELECT count(*) FROM duplicate") == 0


async def test_an_old_session_gets_the_short_id_again(database: str):
    """A 3.3 session that repeats itself is told the 8 digits that it was told before, in one cycle and later."""
    async with Scene(database, account="duplicate_window_s = 600").playing() as scene:
        tenant = await scene.tenant(version=const.V33)
        await scene.until(lambda: scene.daemon.recall._blocks)
        async with scene.stalled():
            sequences = [tenant.send(const.SUBMIT_SM, body(b"a")) for _ in range(2)]
        first, second = [await tenant.answer_to(sequence) for sequence in sequences]
        assert len(first.body) == 9
        assert first.body == second.body == (await tenant.ask(const.SUBMIT_SM, body(b"a"))).body


async def test_two_gateways_know_of_each_others_duplicates(database: str, connection: Connection):
    """The same message over two gateways at the same time is one message."""
    text = "duplicate_window_s = 600"
    async with (
        Smsc() as smsc,
        running(database, provisioning(smsc.port, account=text)) as one,
        running(database, provisioning(smsc.port, account=text), node=2) as two,
    ):
        two.accept._key = one.accept._key  # the gateways of one database have one seal.key
        sessions = [await Esme.connect(daemon.ports[0]) for daemon in (one, two)]
        for esme in sessions:
            await esme.bind("acme1", "secret")
        for number in range(20):
            sequences = [(esme, esme.send(const.SUBMIT_SM, body(b"%d" % number))) for esme in sessions]
            replies = {(await esme.answer_to(sequence)).body for esme, sequence in sequences}
            assert len(replies) == 1
        assert await connection.fetchval("SELECT count(*) FROM message") == 20
        for esme in sessions:
            await esme.close()


# ---- what it costs --------------------------------------------------------------------------------------------------


async def test_the_rule_and_the_price_of_the_route_are_fixed_at_accept(database: str):
    """A hundred letters on a cn_char route are two parts at the price for that route, and stay so."""
    more = '\n[[price]]\ntenant = "acme"\nprefix = ""\nprice = "0.05"\nroute = "direct"\n'

    def text(port: int) -> str:
        return provisioning(port).replace('prefix = ""\nlinks', 'part_rule = "cn_char"\nname = "direct"\nprefix = ""\nlinks') + more

    async with Scene(database, text=text).playing() as scene:
        tenant = await scene.tenant()
        assert await answers(tenant, [body(b"x" * 100)]) == [0]
        await scene.smsc.submitted(1)
        row = await scene.connection.fetchrow("SELECT parts, price FROM message")
        assert tuple(row) == (2, 100_000)


async def test_a_price_changes_at_its_instant_without_a_reload(database: str):
    """What is accepted before the date has the old price, what is accepted after it the new one."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        begins = round((scene.clock.time() + 3_600) * 1000)
        key = PriceKey("acme", "", from_ms=begins)
        async with scene.connection.transaction():
            await set_price(scene.connection, key, 50_000, actor="ops", reason="test")
        await scene.until(lambda: len(scene.daemon.directory.tariff.prices) == 2)
        version = scene.daemon.directory.version
        assert await answers(tenant, [body(b"old")]) == [0]
        await scene.later(3_600)
        assert await answers(tenant, [body(b"new")]) == [0]
        assert scene.daemon.directory.version == version
        rows = await scene.connection.fetch("SELECT price FROM message ORDER BY id")
        assert [row["price"] for row in rows] == [38_000, 50_000]
        await scene.smsc.submitted(2)
