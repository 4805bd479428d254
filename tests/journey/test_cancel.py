"""What was accepted and is not to be sent: each message is sent or cancelled, never both, never neither, and the books agree."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from smsgw.admin import cancelling, reviewing, tracing
from smsgw.admin.cancelling import Wanted
from smsgw.billing.tariff import format_money
from smsgw.config import Limits
from smsgw.journey.cancel import Cancel
from smsgw.model import Message, State
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import bodies, const, pdu
from smsgw.store.cancels import Cancellation, Filter
from smsgw.store.sealed import Unreadable
from tests.admin.test_reviewing import accept, in_review
from tests.carriers.ends import ACME
from tests.journey import test_defer
from tests.journey.parted import SOURCE, put, put_all, scene_of
from tests.journey.scene import Scene, id_of, read_receipt
from tests.journey.test_hold import second
from tests.peers import Esme

MANY = 5_000
ALL = Wanted(account="acme1")
PRICE = 38_000
CANCELLED = STATUSES["cancelled"][0]


async def submitted(scene: Scene, tenant: Esme, count: int, registered: int = 0, first: int = 0) -> list[int]:
    """Submit so many messages at once, to numbers from `first` on; returns their ids once all are answered."""
    before = len(tenant.responses)
    for number in range(first, first + count):
        body = pdu.sm_body(source=SOURCE, dest=b"86138%08d" % number, short_message=b"x", registered_delivery=registered)
        tenant.send(const.SUBMIT_SM, body)
        if number % 500 == 499:  # within its window
            await scene.until(lambda sent=number + 1 - first: len(tenant.responses) >= before + sent)
    await scene.until(lambda: len(tenant.responses) >= before + count)
    return [int(id_of(answer)) for answer in tenant.responses[before:]]


async def cancel(scene: Scene, wanted: Wanted = ALL) -> int:
    """Have messages cancelled."""
    number, _ = await cancelling.cancel(scene.connection, wanted, actor="ann", reason="fraud", most=20)
    return number


async def done(scene: Scene, number: int) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    """Wait, while time runs faster, until a cancellation is carried out; returns what came of it."""

    async def there() -> Any:
        summary, rows = await cancelling.result(scene.connection, number)
        return (summary, rows) if summary["state"] == "done" else None

    found: tuple[Mapping[str, Any], list[dict[str, Any]]] = await scene.until(there)
    return found


async def each_once(scene: Scene, ids: list[int], *, doubts: bool = False) -> Counter[State]:
    """Each message was sent or cancelled: what the carriers got are those that were not; and only what was sent is paid.

    `doubts`: a gateway was killed, so that some were sent and nobody knows.
    """
    got = Counter(int(submit.sm.dest[-8:]) for smsc in scene.smscs for submit in smsc.submits)
    rows = {row["id"]: row for row in await scene.rows()}
    ends = Counter[State]()
    for number, each in enumerate(ids):
        row = rows[each]
        ends[State(row["state"])] += 1
        if row["state"] == State.CANCELLED:
            assert got[number] == 0
            assert (row["refund"], row["error"]) == (row["price"], CANCELLED)
        else:
            assert row["state"] == State.SENT or (doubts and row["state"] == State.UNKNOWN)
            assert got[number] == 1 or doubts
            assert row["refund"] == 0
    assert await scene.spent() == PRICE * (len(ids) - ends[State.CANCELLED])
    assert await scene.count("waiting") == 0
    return ends


async def test_what_drains_is_sent_or_cancelled(database: str):
    """Of 5,000 messages behind a slow link, cancelled meanwhile, each is sent or cancelled, and told once; all are counted."""
    async with Scene(database, link="rate = 200", more="[unit_of_work]\nspill_after_s = 1.0\n").playing() as scene:
        tenant = await scene.tenant()
        ids = await submitted(scene, tenant, MANY, registered=2)
        await scene.until(lambda: len(scene.smsc.submits) > 500)
        summary, (row,) = await done(scene, await cancel(scene))
        await scene.settled()
        ends = await each_once(scene, ids)
        assert ends[State.SENT] > 500
        assert ends[State.CANCELLED] > 1_000
        assert (row["messages"], row["out"]) == (ends[State.CANCELLED], ends[State.SENT])
        assert (summary["messages"], summary["out"]) == (row["messages"], row["out"])
        told = scene.daemon.cancel.ended
        assert told.total() == ends[State.CANCELLED]
        await scene.until(lambda: len(tenant.requests) >= ends[State.CANCELLED])
        receipts = [read_receipt(request) for request in tenant.requests if request.command == const.DELIVER_SM]
        assert Counter(one.stat for one in receipts) == {b"DELETED": ends[State.CANCELLED]}
        assert len({one.message_id for one in receipts}) == ends[State.CANCELLED]


async def test_what_waits_for_a_link_that_is_down(database: str):
    """It is cancelled with no carrier there; a receipt says DELETED, and why; the row of the cancellation has masked numbers."""
    async with Scene(database).playing() as scene:
        await scene.smsc.close()
        scene.smsc.cut()
        await scene.until(lambda: not scene.daemon.carriers.bound(next(iter(scene.daemon.directory.links())).id))
        tenant = await scene.tenant()
        one, other = await submitted(scene, tenant, 2, registered=1)
        summary, (row,) = await done(scene, await cancel(scene, Wanted(number="+8613800000000")))
        told = await scene.receipt(tenant)
        assert (told.state, told.stat, told.error, told.text) == (4, b"DELETED", b"%03d" % (CANCELLED % 1000), b"cancelled")
        assert (await scene.row(one))["state"] == State.CANCELLED
        assert (await scene.row(other))["state"] == State.QUEUED
        assert (row["messages"], row["refund"], row["out"]) == (1, "0.038", 0)
        assert "8613800000000" not in str(await scene.connection.fetchval("SELECT filter FROM cancellation"))
        assert "8613****0000" in summary["of"]
        (*_, ended) = [step["detail"] for step in await tracing.trace(scene.connection, one) if step["step"] == "ended"]
        assert ended == f"CANCELLED {CANCELLED}, by cancellation 1 of ann: fraud"


async def test_two_nodes_carry_it_out_together(database: str):
    """Each node ends what it holds; what came of it is said once, and covers both."""
    slow = "rate = 100"
    async with Scene(database, link=slow).playing() as scene, second(scene) as (other, port):
        await scene.smsc.bound(2)
        one = await scene.tenant()
        two = await scene._stack.enter_async_context(await Esme.connect(port))
        assert (await two.bind("acme1", "secret")).status == const.ESME_ROK
        ids = await submitted(scene, one, 1_000) + await submitted(scene, two, 1_000, first=1_000)
        number = await cancel(scene)
        _, (row,) = await done(scene, number)
        await scene.settled()
        ends = await each_once(scene, ids)
        assert row["messages"] == ends[State.CANCELLED]
        told = scene.daemon.cancel.ended, other.cancel.ended
        assert told[0]["memory",] > 0 < told[1]["memory",]
        assert told[0].total() + told[1].total() == ends[State.CANCELLED]
        assert await scene.count("audit WHERE kind = 'cancellation' AND old IS NOT NULL") == 1


@pytest.mark.parametrize(("point", "down"), [("cancel_claimed", True), ("cancel_page", True), ("cancel_page", False)])
async def test_a_kill_in_the_middle(database: str, point: str, down: bool):  # noqa: FBT001 - a parameter
    """What was cancelled stays so, the next start cancels the rest, and it is paid back and counted once."""
    async with Scene(database, link="rate = 50", more="[unit_of_work]\nspill_after_s = 0.5\n").playing() as scene:
        if down:
            await scene.smsc.close()
            scene.smsc.cut()
        ids = await submitted(scene, await scene.tenant(), 2_000)
        await scene.until(lambda: len(scene.daemon.transit) < 500)
        reached = asyncio.Event()
        scene.daemon.cancel._probe = lambda at: reached.set() if at == point else None
        number = await cancel(scene)
        await scene.until(reached.is_set)
        await scene.kill()
        assert (await cancelling.result(scene.connection, number))[0]["state"] == "open"
        await scene.start(bound=not down)
        _, (row,) = await done(scene, number)
        await scene.settled()
        ends = await each_once(scene, ids, doubts=True)
        assert (row["messages"], row["refund"]) == (ends[State.CANCELLED], format_money(PRICE * ends[State.CANCELLED]))
        assert ends[State.CANCELLED] > 1_000
        assert await scene.count("audit WHERE kind = 'cancellation' AND old IS NOT NULL") == 1


async def test_parts_that_are_held_and_those_that_come_late(database: str, tmp_path: Path):
    """All parts of a text are cancelled, one that comes afterwards as well; each has a receipt that says so."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        ids = [id_of(await put(tenant, text, number, 3)) for number, text in ((1, "您好"), (2, "快递"))]
        (row,) = await cancelling.preview(scene.connection, Wanted(tenant="acme"))
        assert (row["held"], row["messages"], row["parts"], row["refund"]) == (2, 2, 2, "0.076")
        _, (row,) = await done(scene, await cancel(scene, Wanted(tenant="acme")))
        assert (row["messages"], row["out"]) == (2, 0)
        ids.append(id_of(await put(tenant, "到了", 3, 3)))
        for each in ids:
            found = await scene.in_state(each, State.CANCELLED)
            assert (found["refund"], found["error"]) == (found["price"], CANCELLED)
            assert (await scene.receipt(tenant)).stat == b"DELETED"
        assert await scene.spent() == 0
        assert scene.smsc.submits == []
        assert scene.daemon.hold.fates["cancelled", "person"] == 2


async def test_what_waits_for_a_person_by_its_rule(database: str, tmp_path: Path):
    """Of what is held those are cancelled that met a rule; nobody decides them any more."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        bait = await put_all(tenant, ["快加", "微信，有", "惊喜"])
        await in_review(scene)
        parts = [id_of(await put(tenant, "您好", 1, 2, reference=9))]
        _, (row,) = await done(scene, await cancel(scene, Wanted(rule="terms.bait")))
        assert row["messages"] == 3
        for each in bait:
            assert (await scene.row(each))["state"] == State.CANCELLED
        assert (await scene.row(parts[0]))["state"] == State.HELD
        assert await reviewing.waiting(scene.connection) == []


async def test_what_waits_for_its_hours(database: str, tmp_path: Path):
    """A message that is SCHEDULED is cancelled, and does not go when its hours begin."""
    window = test_defer.Window()
    async with scene_of(database, tmp_path, window.policy()).playing() as scene:
        tenant = await scene.tenant()
        each = await test_defer.submitted(tenant)
        (row,) = await cancelling.preview(scene.connection, ALL)
        assert (row["scheduled"], row["messages"]) == (1, 1)
        await done(scene, await cancel(scene))
        assert (await scene.receipt(tenant)).stat == b"DELETED"
        asked = await tenant.ask(const.QUERY_SM, bodies.query_sm_body(message_id=each, source=SOURCE))
        assert bodies.read_query_sm_resp(asked.octets).message_state == const.STATE_DELETED
        await scene.later(window.opens_s + 30.0)
        await scene.turns()
        assert scene.smsc.submits == []
        assert await scene.spent() == 0


def test_what_too_many_wait_before_goes_on():
    """Of what links had claimed four pages wait for their end; what comes then goes on, and is counted where it was meant."""
    nobody: Any = None
    cancel = Cancel(nobody, nobody, nobody, nobody, Limits(cancel_page=1))
    cancel._active = [Cancellation(1, Filter(since_id=0, until_id=100, source="Shop"), "ann", "x", 0.0)]
    meant = [cancel.takes(Message(number, ACME, "Shop", "4479", b"")) for number in range(1, 7)]
    assert (meant, cancel.takes(Message(7, ACME, "Other", "4479", b""))) == ([True] * 4 + [False] * 2, False)
    assert cancel.passed == 2


async def test_what_a_carrier_throttles_comes_back_and_is_caught(database: str):
    """On the wire it counts as out; when the carrier does not take it, it is cancelled, and the cancellation is done only then."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        scene.smsc.late = True
        scene.smsc.statuses.append(const.ESME_RTHROTTLED)
        (each,) = await submitted(scene, tenant, 1)
        await scene.smsc.submitted(1)
        (row,) = await cancelling.preview(scene.connection, ALL)
        assert (row["messages"], row["out"]) == (0, 1)
        number = await cancel(scene)
        looked = scene.daemon.cancel._looked_at
        await scene.until(lambda: scene.daemon.cancel._looked_at > looked + 3.0)
        assert (await cancelling.result(scene.connection, number))[0]["state"] == "open"
        scene.smsc.answer_late()
        _, (row,) = await done(scene, number)
        assert (row["messages"], row["out"]) == (1, 0)
        assert (await scene.row(each))["state"] == State.CANCELLED
        assert len(scene.smsc.submits) == 1


async def test_a_doubt_is_given_up(database: str):
    """What was sent and not answered may be with the carrier: it is UNKNOWN, not sent again, and not paid back."""
    text = 'in_doubt = "resend_if_no_receipt"\nin_doubt_wait_s = 300'
    async with Scene(database, account=text).playing() as scene:
        tenant = await scene.tenant()
        scene.smsc.lost = 1
        (each,) = await submitted(scene, tenant, 1, registered=1)
        await scene.smsc.submitted(1)
        scene.smsc.cut()
        await scene.in_state(each, State.IN_DOUBT)
        (row,) = await cancelling.preview(scene.connection, ALL)
        assert (row["messages"], row["in_doubt"], row["out"]) == (0, 1, 0)
        _, (row,) = await done(scene, await cancel(scene))
        assert (row["messages"], row["in_doubt"], row["out"], row["refund"]) == (0, 1, 0, "0.00")
        assert (await scene.receipt(tenant)).stat == b"UNKNOWN"
        await scene.later(301.0)
        await scene.turns()
        assert len(scene.smsc.submits) == 1
        assert await scene.spent() == PRICE


async def test_each_filter_means_its_own(database: str):
    """Recipients by prefix or number, senders, links, accounts and times: what is not meant waits on."""
    async with Scene(database).playing(bound=False) as scene:
        await scene.smsc.close()
        scene.smsc.cut()
        tenant = await scene.tenant()
        sent = {
            key: int(id_of(await tenant.submit(source, dest)))
            for key, source, dest in (
                ("a", b"1069", b"8613800000001"),
                ("b", b"1069", b"+4479000000"),
                ("c", b"Shop", b"33600000000"),
            )
        }
        for wanted, ids in (
            (Wanted(prefix="+447"), "b"),
            (Wanted(number="008613800000001"), "a"),
            (Wanted(source="Shop", account="acme1", link="alpha-1"), "c"),
            (Wanted(tenant="acme", since_s=7200.0, until_s=3600.0), ""),
            (Wanted(rule="terms.bait"), ""),
        ):
            rows = await cancelling.preview(scene.connection, wanted)
            assert sum(row["messages"] for row in rows) == len(ids)
            before = {key: (await scene.row(each))["state"] for key, each in sent.items()}
            await done(scene, await cancel(scene, wanted))
            after = {key: (await scene.row(each))["state"] for key, each in sent.items()}
            assert {key for key in sent if after[key] != before[key]} == set(ids)


async def test_who_asked_and_why_is_in_the_audit(database: str):
    """Once when it is asked for and once when it is done, with sums and masked numbers; the chain of hashes holds them."""
    async with Scene(database).playing() as scene:
        await scene.until(lambda: scene.daemon.commit.available)
        await done(scene, await cancel(scene, Wanted(number="8613800138000")))
        rows = await scene.connection.fetch("SELECT actor, reason, old, new FROM audit WHERE kind = 'cancellation' ORDER BY id")
        assert [(row["actor"], row["reason"]) for row in rows] == [("ann", "fraud"), ("smsgw", "fraud")]
        assert json.loads(rows[0]["new"]) == {"number": "8613****8000", "messages": 0}
        assert json.loads(rows[1]["new"]) == {"state": "done", "messages": 0, "parts": 0, "in_doubt": 0, "out": 0, "accounts": {}}


async def test_a_store_that_is_lost_meanwhile(database: str):
    """What was claimed when the connection went is taken up again: nothing stays claimed by nobody."""
    async with Scene(database).playing() as scene:
        await scene.smsc.close()
        scene.smsc.cut()
        await scene.until(lambda: not scene.daemon.carriers.bound(next(iter(scene.daemon.directory.links())).id))
        ids = await submitted(scene, await scene.tenant(), 300)
        losses = iter(("cancel_claimed", "cancel_claimed", "cancel_page"))
        lose = [next(losses)]

        def probe(at: str) -> None:
            if [at] == lose:
                lose[:] = [next(losses, "")]
                raise ConnectionResetError

        scene.daemon.cancel._probe = probe
        _, (row,) = await done(scene, await cancel(scene))
        assert lose == [""]
        assert row["messages"] == 300
        assert await each_once(scene, ids) == {State.CANCELLED: 300}


async def test_what_a_person_let_go_out_of_hours(database: str, tmp_path: Path):
    """It waits for its hours as HELD, and is cancelled like what nobody has seen."""
    window = test_defer.Window()
    async with scene_of(database, tmp_path, window.policy(test_defer.HELD)).playing() as scene:
        tenant = await scene.tenant()
        each = await test_defer.submitted(tenant, "来玩百家乐")
        await scene.later(window.opens_s + 30.0)
        await in_review(scene)
        await scene.later(7_200.0)
        await accept(scene, int(each))
        await scene.until(lambda: scene.daemon.hold.fates["deferred", "rules"] == 1)
        _, (row,) = await done(scene, await cancel(scene))
        assert (row["messages"], row["out"]) == (1, 0)
        assert (await scene.receipt(tenant)).stat == b"DELETED"
        assert await scene.spent() == 0


async def test_the_other_node_ends_what_a_dead_one_had_claimed(database: str):
    """A node is killed with a page claimed and never comes back: the other takes that over, and the cancellation is done."""
    async with Scene(database).playing() as scene, second(scene) as (other, _):
        await scene.smsc.bound(2)
        await scene.smsc.close()
        scene.smsc.cut()
        await scene.until(lambda: not any(scene.daemon.carriers.bound(link.id) for link in scene.daemon.directory.links()))
        ids = await submitted(scene, await scene.tenant(), 1_000)
        reached = asyncio.Event()
        stopped = scene.daemon.cancel

        def probe(at: str) -> None:
            if at == "cancel_claimed":
                reached.set()
                raise ConnectionResetError  # so that it goes no further before it is killed

        stopped._probe = probe
        number = await cancel(scene)
        await scene.until(reached.is_set)
        await scene.kill()
        scene.daemon = other
        await scene.hastened(lambda: other.recover.taken_over == 1)
        _, (row,) = await done(scene, number)
        assert row["messages"] == 1_000
        assert await each_once(scene, ids) == {State.CANCELLED: 1_000}
        assert stopped.ended.total() == 0


async def test_what_this_node_cannot_open_is_cancelled_all_the_same(database: str):
    """Whose key is missing here is not sent, and need not be read to be cancelled: its receipt is told from its row."""
    async with Scene(database).playing() as scene:
        await scene.smsc.close()
        scene.smsc.cut()
        await scene.until(lambda: not scene.daemon.carriers.bound(next(iter(scene.daemon.directory.links())).id))
        tenant = await scene.tenant()
        (each,) = await submitted(scene, tenant, 1, registered=1)

        def closed(_owner: int, _body: bytes) -> bytes:
            raise Unreadable

        scene.daemon.desk.opened = closed
        await done(scene, await cancel(scene))
        told = await scene.receipt(tenant)
        assert (told.stat, int(told.message_id)) == (b"DELETED", each)
        assert await scene.spent() == 0
