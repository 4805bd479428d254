"""Caps on the way in: who has had enough gets no more, whichever process is asked, and nothing else is spent on it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from pathlib import Path

import pytest

from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from smsgw.store import invariants
from smsgw.store.database import Connection
from tests.admin.test_why import why
from tests.journey.parted import put
from tests.journey.scene import Scene, id_of
from tests.journey.test_judged import policed, scene_of, status_of
from tests.peers import Esme
from tests.properties.test_last_units import deadlocks
from tests.rig import GatewayProcess, provision, provisioning
from tests.smsc import Smsc

FREQUENCY = STATUSES["frequency"][0]
BALANCE = STATUSES["balance"][0]
OK = const.ESME_ROK
ONE_A_MINUTE = '[[cap]]\nid = "minute"\nlimit = 1\nspan = "minute"\nwindow = "natural"\n'
ONE_A_DAY = '[[cap]]\nid = "day"\nlimit = 1\n'
TWO_A_DAY = '[[cap]]\nid = "day"\nlimit = 2\n'


async def counted(scene: Scene) -> int:
    """How many messages all counters hold."""
    found = await scene.connection.fetchval("SELECT coalesce(sum(cardinality(times)), 0) FROM recipient_cap")
    return int(found)


async def to_second(scene: Scene, second: float, of: int = 60) -> None:
    """Move the clock forward to so many seconds after the beginning of a minute (or of so many seconds)."""
    now = scene.clock.time()
    await scene.later((second - now) % of)


async def test_a_cap_refuses_and_names_itself(database: str, tmp_path: Path):
    """The third in a day is refused with its own status, costs nothing; record lines name set, version and cap, also of a flag."""
    records = tmp_path / "records.jsonl"
    mark = '[[cap]]\nid = "mark"\nlimit = 1\naction = "flag"\n'
    async with scene_of(database, tmp_path, TWO_A_DAY + mark, "quota_day = 3\nrate = 100").recording(records).playing() as scene:
        tenant = await scene.tenant()
        statuses = [await status_of(tenant, text) for text in ("一", "二", "三", "四")]
        assert statuses == [OK, OK, FREQUENCY, FREQUENCY]
        assert await scene.spent() == 2 * 38_000
        assert await scene.connection.fetchval("SELECT sum(used) FROM quota") == 2
        assert await scene.count("message") == 2
        assert await status_of(tenant, "一", dest=b"8613900000000") == OK
        assert scene.daemon.meters.account("acme1").refused == {"frequency": 2}
        assert scene.daemon.docket.hits["china", "cap.day", "reject"] == 2
        await scene.smsc.submitted(3)
        version = scene.daemon.docket.rule_sets()[0].version[:8]
        await scene.settled()
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    refused = [(line["reason"], line["status"], line["rule"]) for line in lines if line["record"] == "refused"]
    final = [line["rule"] for line in lines if line["record"] == "final"]
    assert final == ["", f"china@{version}:cap.mark", ""]
    assert refused == [("frequency", f"0x{FREQUENCY:08x}", f"china@{version}:cap.day")] * 2
    assert "13800138000" not in records.read_text(encoding="utf-8")


async def test_the_strict_profile_reads_a_status_of_the_specification(database: str, tmp_path: Path):
    """With strict_34 it is ESME_RSUBMITFAIL, and never the one that says to try again at once."""
    async with scene_of(database, tmp_path, ONE_A_MINUTE, "strict_34 = true").playing() as scene:
        tenant = await scene.tenant()
        await to_second(scene, 1)
        assert [await status_of(tenant, "一") for _ in range(2)] == [OK, const.ESME_RSUBMITFAIL]


async def test_what_the_balance_refuses_eats_no_cap(database: str, tmp_path: Path):
    """A tenant without money is told of the money, and the cap stays as it was: with money again its message goes."""
    from smsgw.admin import books

    policy = policed(tmp_path, TWO_A_DAY)
    text = lambda *ports: provisioning(*ports, account='policy = "china"').replace("1000000.00", "0.038") + policy  # noqa: E731
    async with Scene(database, text=text).playing() as scene:
        tenant = await scene.tenant()
        assert [await status_of(tenant, "一") for _ in range(4)] == [OK, BALANCE, BALANCE, BALANCE]
        assert await counted(scene) == 1
        await books.top_up(scene.connection, "acme", 38_000, books.Signature("test", "more"))
        assert [await status_of(tenant, "一") for _ in range(2)] == [OK, FREQUENCY]


async def test_what_is_refused_at_the_door_eats_no_cap(database: str, tmp_path: Path):
    """A rule, a rate and a missing route refuse before anything is counted; a refusal of a cap gives the token back."""
    policy = TWO_A_DAY + '[[terms]]\nid = "a"\nwords = ["百家乐"]\nmust = ["百家乐"]\n'
    async with scene_of(database, tmp_path, policy, "rate = 1\nburst = 2").playing() as scene:
        tenant = await scene.tenant()
        assert await status_of(tenant, "百家乐") == STATUSES["content"][0]
        assert await counted(scene) == 0
        assert [await status_of(tenant, "一") for _ in range(3)] == [OK, OK, const.ESME_RTHROTTLED]
        await scene.later(10)
        assert [await status_of(tenant, "一") for _ in range(5)] == [FREQUENCY] * 5
        assert await counted(scene) == 2


async def test_a_natural_minute_ends_with_the_clock(database: str, tmp_path: Path):
    """At 59 seconds past there is no room, at the next minute there is, seconds after the last one."""
    async with scene_of(database, tmp_path, ONE_A_MINUTE).playing() as scene:
        tenant = await scene.tenant()
        await to_second(scene, 2)
        assert await status_of(tenant, "一") == OK
        await to_second(scene, 57)
        assert await status_of(tenant, "二") == FREQUENCY
        await to_second(scene, 0.5)
        assert await status_of(tenant, "三") == OK
        assert await status_of(tenant, "四") == FREQUENCY


async def test_a_natural_day_is_that_of_the_sets_zone(database: str, tmp_path: Path):
    """Midnight in Shanghai is 16 o'clock in Greenwich: there the day's cap begins anew, at midnight in Greenwich not."""
    day = 'zone = "Asia/Shanghai"\n[[cap]]\nid = "day"\nlimit = 1\nwindow = "natural"\n'
    async with scene_of(database, tmp_path, day).playing() as scene:
        tenant = await scene.tenant()
        await to_second(scene, 16 * 3_600 + 5, 86_400)
        assert await status_of(tenant, "一") == OK
        await to_second(scene, 5, 86_400)
        assert await status_of(tenant, "二") == FREQUENCY
        await to_second(scene, 16 * 3_600 - 30, 86_400)
        assert await status_of(tenant, "三") == FREQUENCY
        await to_second(scene, 16 * 3_600 + 1, 86_400)
        assert await status_of(tenant, "四") == OK


async def test_a_rolling_day_is_as_long_as_one(database: str, tmp_path: Path):
    """Twenty-four hours after the first there is room for one, and for the next only as long after the second."""
    async with scene_of(database, tmp_path, TWO_A_DAY).playing() as scene:
        tenant = await scene.tenant()
        assert await status_of(tenant, "一") == OK
        await scene.later(3_600)
        assert await status_of(tenant, "二") == OK
        await scene.later(23 * 3_600 - 30)
        assert await status_of(tenant, "三") == FREQUENCY
        await scene.later(31)
        assert await status_of(tenant, "四") == OK
        assert await status_of(tenant, "五") == FREQUENCY
        await scene.later(3_600)
        assert await status_of(tenant, "六") == OK


async def test_a_restart_and_a_kill_forget_nothing(database: str, tmp_path: Path):
    """What was counted before the gateway ended counts after it."""
    async with scene_of(database, tmp_path, TWO_A_DAY).playing() as scene:
        assert await status_of(await scene.tenant(), "一") == OK
        await scene.stop()
        await scene.start()
        assert await status_of(await scene.tenant(), "二") == OK
        await scene.kill()
        await scene.start()
        assert await status_of(await scene.tenant(), "三") == FREQUENCY


async def test_a_flag_and_a_shadow_let_go_and_are_told(database: str, tmp_path: Path):
    """Over such a cap a message goes, its row of the record names the caps, and both are counted."""
    policy = (
        '[[cap]]\nid = "mark"\nlimit = 1\naction = "flag"\n[[cap]]\nid = "trial"\nlimit = 1\nscope = "platform"\nmode = "shadow"\n'
    )
    async with scene_of(database, tmp_path, policy).playing() as scene:
        tenant = await scene.tenant()
        assert [await status_of(tenant, "一") for _ in range(3)] == [OK] * 3
        hits = scene.daemon.docket.hits
        assert (hits["china", "cap.mark", "flag"], hits["china", "cap.trial", "would_reject"]) == (2, 2)
        await scene.smsc.submitted(3)


async def test_a_relay_account_is_capped_too(database: str, tmp_path: Path):
    """In mode relay the refusal comes before the carrier is asked."""
    async with scene_of(database, tmp_path, '[text]\nparts = "each"\n' + ONE_A_DAY, 'mode = "relay"').playing() as scene:
        tenant = await scene.tenant()
        first = asyncio.create_task(tenant.submit(text="一".encode("utf-16-be"), data_coding=8))
        await scene.smsc.submit()
        assert id_of(await first)
        assert await status_of(tenant, "二") == FREQUENCY


async def test_why_tells_what_is_used(database: str, tmp_path: Path):
    """Each cap with what its counter holds, and what one more message would get; asking counts nothing."""
    policy = TWO_A_DAY + '[[cap]]\nid = "mark"\nlimit = 1\naction = "flag"\n[[cap]]\nid = "otp"\nlimit = 1\ncategories = ["otp"]\n'
    async with scene_of(database, tmp_path, policy).playing() as scene:
        tenant = await scene.tenant()
        before = await why(scene, "您好")
        assert (before["cap.day"], before["cap.mark"]) == (("pass", "0 of 2 used"), ("pass", "0 of 1 used"))
        assert "cap.otp" not in before
        assert await status_of(tenant, "一") == OK
        assert (await why(scene, "您好"))["cap.mark"] == ("flag", "1 of 1 used")
        assert await status_of(tenant, "二") == OK
        for _ in range(2):
            assert (await why(scene, "您好"))["cap.day"] == ("refused", f"0x{FREQUENCY:08x} frequency 2 of 2 used")
        assert (await why(scene, "您好", to="8613800138001"))["cap.day"] == ("pass", "0 of 2 used")
        assert await counted(scene) == 2  # both caps of a day share their counter


async def test_counters_that_are_over_go(database: str, tmp_path: Path):
    """Once a minute the gateway prunes: hours after its window a counter is gone."""
    async with scene_of(database, tmp_path, ONE_A_MINUTE).playing() as scene:
        tenant = await scene.tenant()
        assert await status_of(tenant, "一") == OK
        await scene.later(3 * 3_600)
        await scene.emptied("recipient_cap")
        await scene.until(lambda: scene.daemon.limits.caps == 0)
        assert scene.daemon.limits.caps_dropped == 0


@pytest.mark.slow
async def test_16_at_once_over_two_processes_and_a_kill(database: str, connection: Connection, tmp_path: Path):
    """Of 16 submits at once to each of many recipients, over two gateways, exactly the limit pass, also after one was killed."""
    limit, at_once, rounds = 5, 16, 12
    before = await deadlocks(connection)
    async with contextlib.AsyncExitStack() as stack:
        smsc = await stack.enter_async_context(Smsc())
        cap = f'[[cap]]\nid = "a"\nlimit = {limit}\nscope = "platform"\n[[cap]]\nid = "b"\nlimit = {limit}\nscope = "signature"\n'
        policy = policed(tmp_path, cap)
        await provision(database, tmp_path, provisioning(smsc.port, account='policy = "china"') + policy)
        gateways = [GatewayProcess(database, tmp_path, node=number) for number in (1, 2)]
        for gateway in gateways:
            stack.push_async_callback(gateway.kill)
            await gateway.start()
        await smsc.bound(2)
        recipients = [f"86138001{number:05}".encode() for number in range(rounds)]

        async def burst(*numbers: bytes) -> list[int]:
            esmes = [
                await stack.enter_async_context(await Esme.connect(gateways[at % 2].port))
                for at in range(at_once)
                if gateways[at % 2].alive
            ]
            for esme in esmes:
                assert (await esme.bind("acme1", "secret")).status == OK
            text = "您好".encode("utf-16-be")
            asked = [esme.submit(text=text, data_coding=8, source=b"10690001", dest=dest) for dest in numbers for esme in esmes]
            return [answer.status for answer in await asyncio.gather(*asked)]

        statuses = await burst(*recipients)
        assert (statuses.count(OK), statuses.count(FREQUENCY)) == (rounds * limit, rounds * (at_once - limit))
        await gateways[0].kill()
        assert set(await burst(*recipients)) == {FREQUENCY}
        await gateways[0].start()
        assert set(await burst(*recipients)) == {FREQUENCY}
        for gateway in gateways:
            assert await gateway.stop() == 0
    per = await connection.fetch("SELECT destination, count(*) AS n FROM message GROUP BY destination")
    assert {row["n"] for row in per} == {limit}
    assert math.prod(await connection.fetchval("SELECT array_agg(cardinality(times)) FROM recipient_cap")) == limit ** (2 * rounds)
    assert await invariants.check(connection) == []
    assert await deadlocks(connection) == before


async def test_a_long_text_counts_once_and_is_refused_by_receipt(database: str, tmp_path: Path):
    """Its parts are acknowledged; the second text to a recipient is over the cap: REJECTD for each part, and the money back."""
    async with scene_of(database, tmp_path, ONE_A_DAY).playing() as scene:
        tenant = await scene.tenant()
        for reference in (1, 2):
            for number in (1, 2):
                assert (await put(tenant, "好" * 60, number, 2, reference=reference)).status == OK
            if reference == 1:
                await scene.smsc.submitted(2)
                assert await counted(scene) == 1
        for _ in range(2):
            receipt = await scene.receipt(tenant)
            assert receipt.stat == b"REJECTD"
        await scene.settled()
        assert await scene.spent() == 2 * 38_000
        assert await counted(scene) == 1
        assert scene.daemon.docket.hits["china", "cap.day", "reject"] == 1
        assert await status_of(tenant, "短") == FREQUENCY
        rows = await scene.connection.fetch("SELECT state, reason, error FROM held_text ORDER BY id")
        assert [(row["state"], row["reason"], row["error"]) for row in rows] == [(2, "", 0), (3, "frequency", FREQUENCY)]


async def test_a_message_that_waits_for_its_hours_counts_when_it_is_accepted(database: str, tmp_path: Path):
    """Marketing by night: the first one waits and has the place of the day, the second is refused; the first goes by day."""
    policy = ONE_A_DAY + '[category]\ndefault = "marketing"\n[[hours]]\nbegin = "08:00"\nend = "21:00"\naction = "defer"\n'
    async with scene_of(database, tmp_path, policy).playing() as scene:
        await to_second(scene, 15 * 3_600, 86_400)  # 23:00 in China
        tenant = await scene.tenant()
        assert await status_of(tenant, "一") == OK
        assert await status_of(tenant, "二") == FREQUENCY
        assert await scene.count("message") == 1
        await scene.later(9 * 3_600 + 60)
        await scene.smsc.submitted(1)
        assert await counted(scene) == 1
