"""Accepting: limits, routes, prices, modes, and what is refused at the door."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from smsgw.model import State
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from smsgw.smpp.pdu import sm_body
from smsgw.store import invariants
from smsgw.store.database import Connection
from tests.peers import WAIT_S, Esme
from tests.rig import provisioning, running
from tests.smsc import Smsc

QUOTA = STATUSES["quota"][0]


def _body(text: bytes = b"x", **fields: Any) -> bytes:
    return sm_body(**({"source": b"1069", "dest": b"8613800138000", "short_message": text} | fields))


async def test_exactly_the_affordable_messages_pass(database: str, connection: Connection):
    """A balance for three and a half messages takes three of ten, in order; the rest is refused and nothing of it is stored."""
    text = provisioning(1).replace('balance = "1000000.00"', 'balance = "0.133"')
    async with Smsc() as smsc, running(database, text.replace("port = 1\n", f"port = {smsc.port}\n")) as daemon:
        await smsc.bound()
        async with await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            sequences = [esme.send(const.SUBMIT_SM, _body(b"%d" % number)) for number in range(10)]
            statuses = [(await esme.answer_to(sequence)).status for sequence in sequences]
            assert statuses == [const.ESME_ROK] * 3 + [STATUSES["balance"][0]] * 7
            assert [submit.content for submit in await smsc.submitted(3)] == [b"0", b"1", b"2"]
            assert await connection.fetchval("SELECT count(*) FROM message") == 3
            assert daemon.meters.account("acme1").refused["balance"] == 7
    assert not await invariants.check(connection)


@pytest.mark.parametrize(
    ("account", "statuses"),
    [
        ("rate = 1\nburst = 3", [0, 0, 0, const.ESME_RTHROTTLED]),
        ("quota_day = 2", [0, 0, QUOTA, QUOTA]),
        ("quota_month = 1", [0, QUOTA, QUOTA, QUOTA]),
        ("quota_day = 1\nstrict_34 = true", [0, const.ESME_RSUBMITFAIL, const.ESME_RSUBMITFAIL]),
    ],
)
async def test_limits_of_an_account(database: str, connection: Connection, account: str, statuses: list[int]):
    """Over the rate: ESME_RTHROTTLED at once; over a quota: a status that does not invite to try again (C12)."""
    async with (
        Smsc() as smsc,
        running(database, provisioning(smsc.port, account=account)) as daemon,
        await Esme.connect(daemon.ports[0]) as esme,
    ):
        await smsc.bound()
        await esme.bind("acme1", "secret")
        sequences = [esme.send(const.SUBMIT_SM, _body()) for _ in statuses]
        assert [(await esme.answer_to(sequence)).status for sequence in sequences] == statuses
        await smsc.submitted(statuses.count(0))
        assert await connection.fetchval("SELECT count(*) FROM message") == statuses.count(0)
        assert not await invariants.check(connection)


async def test_parts_are_what_is_limited_and_billed(database: str, connection: Connection):
    """A text of two parts takes two of the burst and costs twice; the next one finds the bucket too empty (J708)."""
    async with (
        Smsc() as smsc,
        running(database, provisioning(smsc.port, account="rate = 1\nburst = 3")) as daemon,
        await Esme.connect(daemon.ports[0]) as esme,
    ):
        await smsc.bound()
        await esme.bind("acme1", "secret")
        long = _body(b"x" * 200)
        assert (await esme.ask(const.SUBMIT_SM, long)).status == const.ESME_ROK
        assert (await esme.ask(const.SUBMIT_SM, long)).status == const.ESME_RTHROTTLED
        row = await connection.fetchrow("SELECT parts, price FROM message")
        assert row is not None
        assert (row["parts"], row["price"]) == (2, 76_000)


async def test_what_has_no_route_or_price_is_refused(database: str):
    """No route: ESME_RINVDSTADR; no price: ESME_RSUBMITFAIL; neither leaves a row or a debit."""
    text = provisioning(1).replace('[[route]]\nprefix = ""', '[[route]]\nprefix = "86"').replace(
        'tenant = "acme"\nprefix = ""', 'tenant = "acme"\nprefix = "8613"'
    )  # fmt: skip
    async with running(database, text) as daemon, await Esme.connect(daemon.ports[0]) as esme:
        await esme.bind("acme1", "secret")
        assert (await esme.ask(const.SUBMIT_SM, _body(dest=b"4915112345"))).status == const.ESME_RINVDSTADR
        assert (await esme.ask(const.SUBMIT_SM, _body(dest=b"8615912345"))).status == const.ESME_RSUBMITFAIL
        assert daemon.meters.account("acme1").refused == {"no_route": 1, "no_price": 1}


async def test_relay_answers_with_the_carriers_word(database: str, connection: Connection):
    """A relay tenant gets the carrier's status after it is settled; refused is refunded and owes no receipt (DESIGN: relay)."""
    async with (
        Smsc() as smsc,
        running(database, provisioning(smsc.port, account='mode = "relay"')) as daemon,
        await Esme.connect(daemon.ports[0]) as esme,
    ):
        await smsc.bound()
        await esme.bind("acme1", "secret")
        before = await connection.fetchval("SELECT amount FROM balance")
        smsc.statuses.append(const.ESME_RINVDSTADR)
        refused = await esme.ask(const.SUBMIT_SM, _body(registered_delivery=1))
        assert (refused.status, refused.body) == (const.ESME_RINVDSTADR, b"")
        assert await connection.fetchval("SELECT amount FROM balance") == before
        taken = await esme.ask(const.SUBMIT_SM, _body(registered_delivery=1))
        assert taken.status == const.ESME_ROK
        assert await connection.fetchval("SELECT state FROM message WHERE id = $1", int(taken.body[:-1])) == State.SENT
        assert await connection.fetchval("SELECT count(*) FROM owed") == 0


async def test_relay_never_queues(database: str, connection: Connection):
    """With no bound link a relay tenant gets ESME_RSYSERR at once: no row, no debit."""
    async with (
        running(database, provisioning(1, account='mode = "relay"')) as daemon,
        await Esme.connect(daemon.ports[0]) as esme,
    ):
        await esme.bind("acme1", "secret")
        assert (await esme.ask(const.SUBMIT_SM, _body())).status == const.ESME_RSYSERR
        assert await connection.fetchval("SELECT count(*) FROM message") == 0


async def test_an_old_session_gets_short_ids_and_no_tlvs(database: str):
    """SMPP 3.3: ids of 8 hex digits, the same in the receipt, which has no TLV (items 52, 100, 151)."""
    async with (
        Smsc() as smsc,
        running(database, provisioning(smsc.port)) as daemon,
        await Esme.connect(daemon.ports[0]) as esme,
    ):
        await smsc.bound()
        bound = await esme.bind("acme1", "secret", version=const.V33)
        assert bound.body == b"smsgw\0"
        async with asyncio.timeout(WAIT_S):
            while (answer := await esme.ask(const.SUBMIT_SM, _body(registered_delivery=1))).status == const.ESME_RTHROTTLED:
                pass
        short = answer.body[:-1]
        assert len(short) == 8
        (submit,) = await smsc.submitted(1)
        smsc.receipt(submit)
        came = await esme.request(const.DELIVER_SM)
        assert b"id:" + short in came.octets
        assert came.octets.endswith(b"text:")


async def test_parts_of_one_message_take_one_link(database: str):
    """The second part goes where the first one went, although the first link has room (C01)."""
    async with (
        Smsc() as one,
        Smsc() as other,
        running(database, provisioning(one.port, other.port)) as daemon,
        await Esme.connect(daemon.ports[0]) as esme,
    ):
        await other.bound()
        await one.bound()
        await esme.bind("acme1", "secret")
        first, second = (
            _body(b"\x05\x00\x03\x2a\x02" + bytes((part,)) + b"text", esm_class=0x40, registered_delivery=1) for part in (1, 2)
        )
        daemon.accept._parts[daemon.directory.accounts()[0].id, "1069", "8613800138000", "8:42:2"] = daemon.directory.links()[1].id
        for body in (first, second):
            assert (await esme.ask(const.SUBMIT_SM, body)).status == const.ESME_ROK
        assert len(await other.submitted(2)) == 2
        assert one.submits == []
