"""Many spend the last units of one balance at once: exactly what it pays for is accepted, over SMPP and over the store.

`SMSGW_DRAIN=full` plays it 20 and 1,000 times, as the project's issue asks; otherwise a few.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from smsgw.admin import books
from smsgw.admin.books import Signature
from smsgw.model import MONEY_UNIT, State
from smsgw.smpp import const
from smsgw.store import invariants
from smsgw.store.commit import CommitCaps, Seat
from smsgw.store.database import Connection
from tests.peers import Esme
from tests.rig import GatewayProcess, provision, provisioning
from tests.smsc import Smsc
from tests.store.work import ACME, Node, account, fund

FULL = os.environ.get("SMSGW_DRAIN") == "full"
OVER_SMPP = 20 if FULL else 3
OVER_THE_STORE = 1_000 if FULL else 40
UNITS = 100
BINDS = 64
EACH = 4
BY = Signature("test", "the next round")


async def deadlocks(connection: Connection) -> int:
    """How often PostgreSQL has ended a transaction as a deadlock's victim in this database."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    return int(await connection.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))


async def drained(connection: Connection, rounds: int, unit: int) -> None:
    """After so many rounds the balance is nought, the ledger says the same, and every unit was spent on one message."""
    assert await connection.fetchval("SELECT amount FROM balance") == 0
    assert await connection.fetchval("SELECT sum(amount)::int8 FROM ledger") == 0
    assert await connection.fetchval("SELECT -sum(amount)::int8 FROM ledger WHERE kind = 'debit'") == rounds * UNITS * unit
    assert await connection.fetchval("SELECT count(*) FROM message") == rounds * UNITS


@pytest.mark.slow
async def test_64_binds_on_two_gateways_spend_the_last_100_units(database: str, connection: Connection, tmp_path: Path):
    """Of 256 submits at once, over 64 binds of two processes, exactly 100 are accepted each time; nothing deadlocks."""
    before = await deadlocks(connection)
    async with contextlib.AsyncExitStack() as stack:
        smsc = await stack.enter_async_context(Smsc())
        text = provisioning(smsc.port).replace('"1000000.00"', '"100.00"').replace('"0.038"', '"1.00"')
        await provision(database, tmp_path, text)
        gateways = [GatewayProcess(database, tmp_path, node=number) for number in (1, 2)]
        for gateway in gateways:
            stack.push_async_callback(gateway.kill)
            await gateway.start()
        await smsc.bound(2)
        esmes = []
        for number in range(BINDS):
            esme = await stack.enter_async_context(await Esme.connect(gateways[number % 2].port))
            assert (await esme.bind("acme1", "secret")).status == const.ESME_ROK
            esmes.append(esme)
        for number in range(OVER_SMPP):
            if number:
                await books.top_up(connection, "acme", UNITS * MONEY_UNIT, BY)
            answers = await asyncio.gather(*(esme.submit() for esme in esmes for _ in range(EACH)))
            statuses = [answer.status for answer in answers]
            assert statuses.count(const.ESME_ROK) == UNITS
            (refused,) = set(statuses) - {const.ESME_ROK}
            assert refused != const.ESME_RTHROTTLED
            await drained(connection, number + 1, MONEY_UNIT)
        for gateway in gateways:
            assert await gateway.stop() == 0
    assert await invariants.check(connection) == []
    assert await deadlocks(connection) == before


async def test_two_units_of_work_spend_the_last_100_units(database: str, connection: Connection):
    """Of 192 messages handed to two units of work at once, exactly 100 pass each time, in the order in which each got them."""
    before = await deadlocks(connection)
    await connection.execute("INSERT INTO tenant (name, currency) VALUES ('acme', 'CNY')")
    await fund(connection, 0)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1), (2, 1)")
    senders = [account(number, ACME) for number in range(1, 65)]
    nodes = [Node(database, Seat(number, 1), caps=CommitCaps(new=13, pace_s=0.0)) for number in (1, 2)]
    running = [asyncio.create_task(node.commit.run()) for node in nodes]
    for number in range(OVER_THE_STORE):
        await books.top_up(connection, "acme", UNITS, BY)
        seen = [len(node.effects.seen) for node in nodes]
        for sender in senders + senders[:32]:
            for node in nodes:
                node.submit(sender, state=State.QUEUED)
        for node, first in zip(nodes, seen, strict=True):
            await node.effects.count(first + 96)
        verdicts = [[told is None for _, told in node.effects.seen[first:]] for node, first in zip(nodes, seen, strict=True)]
        assert sum(map(sum, verdicts)) == UNITS
        assert all(verdict == sorted(verdict, reverse=True) for verdict in verdicts)
        assert {told.reason for node in nodes for _, told in node.effects.seen if told is not None} == {"balance"}
        await drained(connection, number + 1, 1)
    for node in nodes:
        node.commit.stop()
    await asyncio.gather(*running)
    assert await invariants.check(connection) == []
    assert await deadlocks(connection) == before
