"""States on live binds: what is refused, what still arrives, and how soon."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from smsgw.admin.standing import change_state
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from smsgw.smpp.pdu import sm_body
from smsgw.store import standing as store
from tests.journey.scene import Scene, id_of
from tests.peers import Esme

FROZEN, CLOSING, CLOSED = (STATUSES[word][0] for word in ("frozen", "closing", "closed"))


async def put(scene: Scene, state: str, kind: str = "account", name: str = "acme1", **fields: object) -> None:
    """Change a state, as a command beside the gateway does, and wait until the gateway has followed."""
    before = scene.daemon.directory.version
    await change_state(scene.connection, kind, name, state, actor="ops", reason="test", **fields)  # type: ignore[arg-type]
    await scene.until(lambda: scene.daemon.directory.version > before)


async def test_a_frozen_account_under_load_sends_nothing_more_and_gets_its_receipts(database: str):
    """No submit that is sent later than a second after the command is accepted, and all receipts that are pending arrive."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        accepted: dict[bytes, float] = {}
        refused: set[int] = set()
        stop = asyncio.Event()

        async def load() -> None:
            while not stop.is_set():
                sent = time.monotonic()
                answer = await tenant.submit(registered_delivery=1)
                if answer.status == const.ESME_ROK:
                    accepted[id_of(answer)] = sent
                else:
                    refused.add(answer.status)

        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(load())
            await scene.until(lambda: len(accepted) > 100)
            await change_state(scene.connection, "account", "acme1", "frozen", actor="ops", reason="test")
            frozen_at = time.monotonic()
            await scene.until(lambda: time.monotonic() > frozen_at + 1.5)
            stop.set()
        assert max(accepted.values()) - frozen_at < 1.0
        assert refused == {FROZEN}
        for submit in await scene.smsc.submitted(len(accepted)):
            scene.smsc.receipt(submit)
        got = {(await scene.receipt(tenant)).message_id for _ in accepted}
        assert got == set(accepted)


async def test_a_frozen_account_may_bind_to_receive(database: str):
    """A new bind of a frozen account is let in, its submits are refused, and a message for it arrives."""
    async with Scene(database).playing() as scene:
        await put(scene, "frozen")
        tenant = await scene.tenant()
        assert (await tenant.submit()).status == FROZEN
        scene.smsc.deliver(sm_body(source=b"8613800138000", dest=b"10690001", short_message=b"hello"))
        assert (await tenant.request(const.DELIVER_SM)).command == const.DELIVER_SM
        await put(scene, "active")
        assert (await tenant.submit()).status == const.ESME_ROK


async def test_a_frozen_tenant_stops_all_its_accounts(database: str):
    """The state of a contract holds for each account of it, and is gone with it."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        await put(scene, "frozen", "tenant", "acme")
        assert (await tenant.submit()).status == FROZEN
        assert scene.daemon.meters.account("acme1").refused["frozen"] == 1
        await put(scene, "active", "tenant", "acme")
        assert (await tenant.submit()).status == const.ESME_ROK


async def test_a_closed_account_does_not_come_in(database: str):
    """Its live bind stays for what is pending and sends nothing; a new bind is refused."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        await put(scene, "frozen")
        await put(scene, "closed")
        assert (await tenant.submit()).status == CLOSED
        async with await Esme.connect(scene.daemon.ports[0]) as another:
            assert (await another.bind("acme1", "secret")).status == const.ESME_RBINDFAIL
        assert scene.daemon.meters.process.binds_refused["account_closed"] == 1
        assert not tenant.ended.is_set()


async def test_a_closing_account_sends_until_its_money_ends(database: str):
    """With one and a half prices left one message passes, and the next is refused as closing, not as balance (C27)."""
    async with Scene(database, tenant="").playing() as scene:
        await scene.connection.execute("UPDATE ledger SET amount = 57000 WHERE kind = 'opening'")
        await scene.connection.execute("UPDATE balance SET amount = 57000")
        tenant = await scene.tenant()
        await put(scene, "closing", "tenant", "acme")
        assert (await tenant.submit()).status == const.ESME_ROK
        assert (await tenant.submit()).status == CLOSING


async def test_a_limited_account_is_slowed_down(database: str):
    """Two parts a second pass, the third is told to come later; with strict_34 a state reads as the specification has it."""
    async with Scene(database, account="strict_34 = true").playing() as scene:
        tenant = await scene.tenant()
        await put(scene, "limited", rate=2)
        statuses = [(await tenant.submit()).status for _ in range(3)]
        assert statuses == [const.ESME_ROK, const.ESME_ROK, const.ESME_RTHROTTLED]
        await put(scene, "frozen")
        assert (await tenant.submit()).status == const.ESME_RSUBMITFAIL


async def test_a_state_ends_by_itself_in_a_running_gateway(database: str):
    """A freeze for a minute is over a minute later, without a command and without a new bind."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        await put(scene, "frozen", until=await store.now(scene.connection) + timedelta(seconds=60))
        assert (await tenant.submit()).status == FROZEN
        before = scene.daemon.directory.version
        await scene.later(61)
        await scene.until(lambda: scene.daemon.directory.version > before)
        assert (await tenant.submit()).status == const.ESME_ROK


@pytest.mark.parametrize("more", ["", "window = 7\n"])
async def test_an_applied_file_leaves_states_alone(database: str, more: str):
    """Neither a file that changes nothing nor one that changes the account ends its state."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        await put(scene, "frozen")
        before = scene.daemon.directory.version
        text = scene._text(*(smsc.port for smsc in scene.smscs))
        await scene.provision(text.replace("window = 1000\n", more or "window = 1000\n"))
        if more:
            await scene.until(lambda: scene.daemon.directory.version > before)
        assert (await tenant.submit()).status == FROZEN
