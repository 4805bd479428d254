"""The table of refunds over real PDUs and the store: three contracts send the same, each gets back what its basis says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from smsgw.admin import books
from smsgw.model import Basis, State
from smsgw.smpp import const
from smsgw.store import invariants
from smsgw.store.database import Connection
from tests.journey.scene import Scene, id_of
from tests.peers import Esme
from tests.rig import LINK, GatewayProcess
from tests.smsc import Submit

PRICE = 38_000
BASES = [basis.name.lower() for basis in Basis]
TENANT = """
[[tenant]]
name = "{basis}"
currency = "CNY"
balance = "10.00"
basis = "{basis}"
[[account]]
tenant = "{basis}"
system_id = "{basis}"
password = "secret"
[[account]]
tenant = "{basis}"
system_id = "{basis}-r"
password = "secret"
mode = "relay"
[[price]]
tenant = "{basis}"
prefix = ""
price = "0.038"
"""


def three_contracts(*ports: int) -> str:
    """One tenant a basis, each with an account in store and one in relay mode, on one route."""
    tenants = "".join(TENANT.format(basis=basis) for basis in BASES)
    link = LINK.format(name="alpha-1", port=ports[0], link="")
    return f'{tenants}[[carrier]]\nname = "alpha"\n{link}[[route]]\nprefix = ""\nlinks = ["alpha-1"]\n'


async def tenants(scene: Scene, mark: str = "") -> dict[str, Esme]:
    """A session of each contract."""
    return {basis: await scene.tenant(system_id=basis + mark) for basis in BASES}


async def refunds(scene: Scene, count: int, state: State, extra: str = "") -> dict[str, int]:
    """Wait until so many messages are in this state; returns what each contract was given back, by the books."""

    async def ended() -> bool:
        return await scene.count("message WHERE state = $1", int(state)) == count

    await scene.until(ended)
    await scene.settled()
    rows = await scene.connection.fetch(
        "SELECT t.name, coalesce(sum(r.amount), 0)::int8 AS back, sum(m.refund)::int8 AS told, count(r.message) AS n,"
        " (SELECT b.amount FROM balance b WHERE b.tenant = t.id) - 10000000 + sum(m.price)::int8 AS credited"
        f" FROM tenant t JOIN message m ON m.tenant = t.id LEFT JOIN refund r ON r.message = m.id {extra} GROUP BY t.id, t.name"
    )
    for row in rows:
        assert row["back"] == row["told"] == row["credited"] == row["n"] * PRICE
    return {row["name"]: row["back"] // PRICE for row in rows}


async def receipted(scene: Scene, submits: list[Submit], stat: str) -> None:
    """The carrier says what became of each."""
    for submit in submits:
        assert (await scene.smsc.delivered(scene.smsc.receipt(submit, stat))).status == const.ESME_ROK


@pytest.mark.parametrize(
    ("stat", "state", "back"),
    [
        ("DELIVRD", State.DELIVERED, ""),
        ("UNDELIV", State.FAILED, "delivered"),
        ("REJECTD", State.FAILED, "delivered"),
        ("EXPIRED", State.EXPIRED, "delivered"),
        ("DELETED", State.CANCELLED, "delivered"),
        ("UNKNOWN", State.UNKNOWN, ""),
    ],
)
async def test_a_carriers_receipt_gives_back_by_basis(database: str, stat: str, state: State, back: str):
    """What a carrier took and did not deliver costs nothing where delivery is billed; a repeated receipt gives nothing more."""
    async with Scene(database, text=three_contracts).playing() as scene:
        for esme in (await tenants(scene)).values():
            await esme.submit(registered_delivery=1)
        submits = await scene.smsc.submitted(3)
        await receipted(scene, submits, stat)
        expected = {basis: int(basis in back.split()) for basis in BASES}
        assert await refunds(scene, 3, state) == expected
        await receipted(scene, submits, stat)
        assert await refunds(scene, 3, state) == expected


async def test_a_carriers_refusal_gives_back_by_basis(database: str):
    """What no carrier took costs only where submission is billed."""
    async with Scene(database, text=three_contracts).playing() as scene:
        scene.smsc.statuses.extend([const.ESME_RINVDSTADR] * 3)
        for esme in (await tenants(scene)).values():
            await esme.submit()
        assert await refunds(scene, 3, State.REFUSED) == {"submitted": 0, "sent": 1, "delivered": 1}


async def test_what_expires_unsent_is_given_back_whatever_the_basis(database: str):
    """A message whose validity ends before any carrier was bound costs nobody anything."""
    async with Scene(database, text=three_contracts).playing() as scene:
        scene.smsc.bind_statuses.extend([const.ESME_RBINDFAIL] * 1_000)
        scene.smsc.cut()
        await scene.until(lambda: not scene.daemon.carriers.any_bound)
        for esme in (await tenants(scene)).values():
            assert (await esme.submit(validity=b"000000000001000R")).status == const.ESME_ROK
        await scene.later(61)
        assert await refunds(scene, 3, State.EXPIRED) == dict.fromkeys(BASES, 1)


async def test_a_relay_tenant_that_was_refused_gets_its_money_back(database: str):
    """In relay mode the carrier's refusal is the answer: no basis keeps the price."""
    async with Scene(database, text=three_contracts).playing() as scene:
        scene.smsc.statuses.extend([const.ESME_RINVDSTADR] * 3)
        for esme in (await tenants(scene, "-r")).values():
            assert (await esme.submit()).status == const.ESME_RINVDSTADR
        assert await refunds(scene, 3, State.REFUSED) == dict.fromkeys(BASES, 1)


async def test_a_late_word_after_unknown_gives_back_once(database: str):
    """UNKNOWN gave nothing back; the late UNDELIV does, where delivery is billed, and its repetition does not."""
    async with Scene(database, text=three_contracts).playing() as scene:
        for esme in (await tenants(scene)).values():
            await esme.submit(registered_delivery=1)
        submits = await scene.smsc.submitted(3)
        for stat in ("UNKNOWN", "UNDELIV", "UNDELIV"):
            await receipted(scene, submits, stat)
        assert await refunds(scene, 3, State.FAILED) == {"submitted": 0, "sent": 0, "delivered": 1}


async def test_a_refund_survives_a_kill_and_is_not_repeated(database: str):
    """The gateway dies with the refund committed and the carrier unanswered: the receipt comes again and pays nothing."""
    async with Scene(database, text=three_contracts).playing() as scene:
        for esme in (await tenants(scene)).values():
            await esme.submit(registered_delivery=1)
        submits = await scene.smsc.submitted(3)
        await scene.settled()
        for submit in submits:
            scene.smsc.receipt(submit, "UNDELIV")
        await scene.until(lambda: _refunded(scene.connection))
        await scene.kill()
        await scene.start()
        await receipted(scene, submits, "UNDELIV")
        assert await refunds(scene, 3, State.FAILED) == {"submitted": 0, "sent": 0, "delivered": 1}


async def test_two_nodes_that_hear_the_same_receipt_pay_once(database: str):
    """Both gateways get the receipt at once, each on its own bind: one refund, one revision, books that hold."""
    async with Scene(database, text=three_contracts).playing() as scene:
        other = GatewayProcess(scene.dsn, scene.directory, node=2)
        try:
            await other.start()
            first, second = await scene.smsc.bound(2)
            for esme in (await tenants(scene)).values():
                for _ in range(5):
                    await esme.submit(registered_delivery=1)
            submits = await scene.smsc.submitted(15)
            await scene.turns()
            sent = [scene.smsc.receipt(one, "UNDELIV", session=session) for one in submits for session in (first, second)]
            answers = await asyncio.gather(*map(scene.smsc.delivered, sent))
            assert {answer.status for answer in answers} == {const.ESME_ROK}
            assert await refunds(scene, 15, State.FAILED) == {"submitted": 0, "sent": 0, "delivered": 5}
            assert await other.stop() == 0
        finally:
            await other.kill()
        assert await invariants.check(scene.connection) == []


async def test_a_top_up_is_seen_at_once(database: str):
    """A tenant without money is refused; with the first message after the top-up it is served again, on the same bind."""
    text = three_contracts
    async with Scene(database, text=lambda *ports: text(*ports).replace('"10.00"', '"0.038"')).playing() as scene:
        esme = await scene.tenant(system_id="submitted")
        id_of(await esme.submit())
        assert (await esme.submit()).status not in {const.ESME_ROK, const.ESME_RTHROTTLED}
        await books.top_up(scene.connection, "submitted", PRICE, books.Signature("ann", "wire"))
        id_of(await esme.submit())
        assert (await esme.submit()).status not in {const.ESME_ROK, const.ESME_RTHROTTLED}


async def _refunded(connection: Connection) -> Any:
    return await connection.fetchval("SELECT count(*) FROM refund")
