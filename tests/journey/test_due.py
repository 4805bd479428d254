"""Time: expiry, spilling, messages that wait for a carrier in rows, receipts that never come."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from smsgw.journey.recall import Recall
from smsgw.model import Message, State
from smsgw.smpp import const, receipt
from smsgw.smpp.pdu import read_sm, sm_body
from smsgw.store.database import Connection
from tests.journey.scene import Scene, id_of
from tests.peers import WAIT_S, Esme
from tests.rig import provisioning, running
from tests.smsc import Smsc

SOON = "[unit_of_work]\nspill_after_s = 0.2\n"


async def until(esme: Esme, connection: Connection, query: str, wanted: object) -> None:
    """Ask the store again and again, an enquire_link between, until it says what is wanted."""
    async with asyncio.timeout(WAIT_S):
        while await connection.fetchval(query) != wanted:
            await esme.ask(const.ENQUIRE_LINK)


async def test_a_carrier_that_is_down_costs_rows_not_memory(database: str, connection: Connection):
    """Without any link the messages are acknowledged and wait in the store; when the carrier is back they go, in order, once."""
    async with Smsc() as smsc:
        await smsc.close()
        async with running(database, provisioning(smsc.port)) as daemon, await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            answers = [await esme.submit(text=b"%d" % number) for number in range(20)]
            assert {answer.status for answer in answers} == {const.ESME_ROK}
            assert await connection.fetchval("SELECT count(*) FROM waiting WHERE state = 3") == 20
            assert len(daemon.transit) == 0
            await smsc.open()
            came = await smsc.submitted(20)
            assert [submit.content for submit in came] == [b"%d" % number for number in range(20)]
            await until(esme, connection, "SELECT count(*) FROM waiting", 0)
            assert await connection.fetchval("SELECT count(*) FROM message WHERE state = 6") == 20


async def test_a_queued_message_expires_by_its_validity(database: str, connection: Connection):
    """Over its validity_period before it could be sent: EXPIRED, a receipt that says so, the price given back (C03)."""
    async with Smsc() as smsc:
        await smsc.close()
        async with running(database, provisioning(smsc.port)) as daemon, await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            before = await connection.fetchval("SELECT amount FROM balance")
            await esme.submit(validity=b"000000000001000R", registered_delivery=1)
            came = await esme.request(const.DELIVER_SM)
            found = receipt.parse(came.octets, read_sm(came.octets))
            assert found is not None
            assert found.stat == b"EXPIRED"
            await until(esme, connection, "SELECT count(*) FROM waiting", 0)
            assert await connection.fetchval("SELECT state FROM message") == State.EXPIRED
            assert await connection.fetchval("SELECT amount FROM balance") == before


async def test_what_is_open_for_long_leaves_memory_and_is_still_found(database: str, connection: Connection):
    """A sent message without its receipt is spilled: its reference stands in the store, and a late receipt finds it."""
    async with Smsc() as smsc, running(database, provisioning(smsc.port), more=SOON) as daemon:
        await smsc.bound()
        async with await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            message_id = (await esme.submit(registered_delivery=1)).body[:-1]
            (submit,) = await smsc.submitted(1)
            await until(esme, connection, "SELECT count(*) FROM upstream_ref", 1)
            assert len(daemon.transit) == 0
            smsc.receipt(submit)
            came = await esme.request(const.DELIVER_SM)
            found = receipt.parse(came.octets, read_sm(came.octets))
            assert found is not None
            assert found.message_id == message_id
            await until(esme, connection, "SELECT state FROM message", State.DELIVERED)


async def test_a_receipt_that_never_comes_leaves_it_unknown(database: str, connection: Connection):
    """A message that is still SENT when receipts are waited for no longer is UNKNOWN, and its tenant is told."""
    async with Smsc() as smsc, running(database, provisioning(smsc.port), more=SOON) as daemon:
        await smsc.bound()
        async with await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            message_id = int((await esme.submit(registered_delivery=1)).body[:-1])
            await until(esme, connection, "SELECT count(*) FROM upstream_ref", 1)
            ended: list[Message] = []
            daemon.recall.load_messages([message_id], lambda message: (ended.append(message), daemon.due.never_receipted(message)))  # type: ignore[func-returns-value]
            came = await esme.request(const.DELIVER_SM)
            found = receipt.parse(came.octets, read_sm(came.octets))
            assert found is not None
            assert (found.stat, ended[0].id) == (b"UNKNOWN", message_id)


async def test_a_clock_that_is_put_back_keeps_nothing_in_memory(database: str):
    """Ids go on from where they were: what has been open for `spill_after_s` leaves memory all the same."""
    async with Scene(database, more=SOON).playing() as scene:
        scene.clock.time = lambda: time.time() - 3_600.0  # type: ignore[method-assign]
        await (await scene.tenant()).submit(registered_delivery=1)
        await scene.smsc.submit()
        await scene.until(lambda: not len(scene.daemon.transit))
        await scene.settled()
        assert await scene.count("upstream_ref") == 1


async def _held_up(scene: Scene, count: int = 1) -> list[bytes]:
    """Cut both carriers and submit messages, which wait in the store for the first one; returns their ids."""
    for smsc in scene.smscs:
        await smsc.close()
        smsc.cut()
    await scene.until(lambda: not scene.daemon.carriers.any_bound)
    tenant = await scene.tenant()
    asked = [tenant.send(const.SUBMIT_SM, sm_body(source=b"1", dest=b"86", short_message=b"%d" % n)) for n in range(count)]
    ours = [id_of(await tenant.answer_to(sequence)) for sequence in asked]
    [first, _] = scene.daemon.directory.links()
    await scene.settled()
    assert await scene.count("waiting WHERE link = $1", first.id) == count
    return ours


async def test_what_waits_for_a_link_that_stays_down_takes_the_next_of_its_route(database: str):
    """With both links down messages wait for the first; the second one is back alone: they go there, in order, at its speed."""
    async with Scene(database, links=2, text=_narrow).playing() as scene:
        ours = await _held_up(scene, 200)
        smsc = scene.smscs[1]
        await smsc.open()
        began = scene.clock.now()
        await smsc.submitted(len(ours))
        assert scene.clock.now() - began < 6.0
        assert [submit.content for submit in smsc.submits] == [b"%d" % n for n in range(len(ours))]
        await scene.emptied("waiting")


async def test_what_waits_for_a_link_that_is_deleted_takes_another(database: str):
    """Ops take a link away for which messages wait: they go by the route as it is now."""
    async with Scene(database, links=2).playing() as scene:
        [ours] = await _held_up(scene)
        smsc = scene.smscs[1]
        one_link = provisioning(scene.smsc.port, smsc.port).replace('"alpha-1", ', "")
        start = one_link.index("[[link]]")
        await scene.provision(one_link[:start] + one_link[one_link.index("[[link]]", start + 1) :])
        await scene.until(lambda: len(scene.daemon.directory.links()) == 1)
        await smsc.open()
        await smsc.submit()
        await scene.in_state(ours, State.SENT)
        await scene.emptied("waiting")


async def test_what_no_other_link_may_take_waits_for_its_own(database: str):
    """Another carrier is up, in a route of its own: what waits for the first one is not given to it, and goes when that is back."""
    async with Scene(database, links=2, text=_apart).playing() as scene:
        [ours] = await _held_up(scene)
        await scene.smscs[1].open()
        await scene.until(lambda: scene.daemon.carriers.any_bound)
        await scene.until(lambda: scene.count("waiting WHERE due_ms > 0"))
        await scene.turns()
        assert scene.smscs[1].submits == []
        assert (await scene.row(ours))["state"] == State.QUEUED
        await scene.smsc.open()
        await scene.smsc.bound()
        await scene.later(31)
        await scene.smsc.submit()
        await scene.in_state(ours, State.SENT)


def _narrow(*ports: int) -> str:
    return provisioning(*ports).replace("window = 500", "window = 10")


def _apart(*ports: int) -> str:
    text = provisioning(*ports)
    return text.replace('links = ["alpha-1", "alpha-2"]', 'links = ["alpha-1"]') + '[[route]]\nprefix = "44"\nlinks = ["alpha-2"]\n'


async def test_what_waits_for_a_slow_link_is_fetched_as_it_is_sent(database: str):
    """At its rate, and not much more often than once: what is fetched in vain has to be put back."""
    async with Scene(database, link="rate = 200", more=SOON).playing() as scene:
        recall, fetched = scene.daemon.recall, Counter[int]()
        load = recall.load_messages

        def counted(ids: list[int], each: Callable[[Message], None], *, claimed: bool = False) -> None:
            fetched.update(ids if claimed else ())
            load(ids, each, claimed=claimed)

        async def waits() -> bool:
            return await scene.count("waiting") > 200

        recall.load_messages = counted  # type: ignore[method-assign]
        tenant = await scene.tenant()
        for _ in range(600):
            tenant.send(const.SUBMIT_SM, sm_body(source=b"1069", dest=b"8613800138000", short_message=b"x"))
        await scene.until(waits)
        sent = len(scene.smsc.submits)
        fetched.clear()
        since = asyncio.get_running_loop().time()
        await scene.until(lambda: len(scene.smsc.submits) == 600)
        took = asyncio.get_running_loop().time() - since
        assert 100 < fetched.total() < 2 * (600 - sent) + 100
        assert took <= 1.5 * (600 - sent) / 200 + 1.0


async def test_what_was_claimed_is_taken_up_though_the_stores_clock_is_put_back(database: str):
    """A doubt is claimed because its time has come, and before it is read the store's clock steps back: it is sent again."""
    account = 'in_doubt = "resend_if_no_receipt"\nin_doubt_wait_s = 30'
    async with Scene(database, account=account).playing() as scene:
        tenant = await scene.tenant()
        scene.smsc.late = True
        ours = id_of(await tenant.submit(registered_delivery=1))
        await scene.smsc.submit()
        scene.smsc.late = False
        scene.smsc.cut()
        await scene.in_state(ours, State.IN_DOUBT)
        claims: list[tuple[Any, ...]] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Recall, "load_messages", lambda recall, ids, then, **how: claims.append((recall, ids, then, how)))
            await scene.later(31)
            await scene.until(lambda: claims)
        await scene.connection.execute("UPDATE hands SET ahead = 0")
        for recall, ids, then, how in claims:
            recall.load_messages(ids, then, **how)
        await scene.in_state(ours, State.SENT)
        assert len(scene.smsc.submits) == 2
        await scene.emptied("waiting")
