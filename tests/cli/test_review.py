"""`smsgw review`: what waits for a person, from the command line."""

from __future__ import annotations

import asyncio
import re

import pytest

from smsgw.model import State
from smsgw.smpp.pdu import sm_body
from smsgw.store import holds
from smsgw.store.batch import quote
from smsgw.store.database import connect
from smsgw.store.holds import Decision, Fate
from tests.cli.commands import Command, rows
from tests.store.cycles import FAR_MS, Cycles
from tests.store.work import seat

TEXT = "快加微信，有惊喜"


async def put(dsn: str) -> None:
    """Two texts of acme1 that a rule holds: messages 1 and 2."""
    connection = await connect(dsn)
    try:
        account, tenant = await connection.fetchrow("SELECT id, tenant FROM account WHERE system_id = 'acme1'")
        await seat(connection)
        cycle = Cycles(connection)
        body = sm_body(source=b"1069", dest=b"8613800138000", data_coding=8, short_message=TEXT.encode("utf-16-be"))
        for number in (1, 2):
            at, length = cycle.octets(body)
            row = list(cycle.new(number, tenant=tenant, account=account, state=State.HELD))
            row[13:17] = [quote("1069"), quote("8613800138000"), at, length]
            await cycle(new=[tuple(row)], held=[(number, account, quote(""), 1, 1, 5, quote(""))])
        decisions = [
            Decision(text, Fate.REVIEW, FAR_MS, reason="content", rule="set@1234abcd:terms.bait:n1[1:4]")
            for text in await holds.load(connection, [1, 2])
        ]
        assert await holds.decide(connection, decisions) == {1, 2}
    finally:
        await connection.close()


@pytest.fixture
def held(acme: Command) -> Command:
    """The example, with two texts in review."""
    found = re.search(r'dsn = "([^"]+)"', acme.config.read_text(encoding="utf-8"))
    assert found is not None
    asyncio.run(put(found[1]))
    return acme


def test_list_masks_and_show_tells(held: Command):
    """The list has no text and no whole number, but the rule; show has the text."""
    listed = held("review", "list", "--json")
    assert [(row["id"], row["rule"]) for row in rows(listed)] == [(number, "set@1234abcd:terms.bait:n1[1:4]") for number in (1, 2)]
    assert TEXT not in listed.stdout
    assert "8613800138000" not in listed.stdout
    (shown,) = rows(held("review", "show", "1", "--json"))
    assert shown["text"] == TEXT
    assert rows(held("review", "list", "--account", "nobody", "--json")) == []


def test_decisions_fall_once(held: Command):
    """accept and refuse take several ids and a reason; what is over is exit 4, what is not there exit 3, a dry run nothing."""
    because = ("--reason", "x", "--actor", "ann")
    assert held("review", "accept", "1", *because, "--dry-run").exit_code == 0
    assert rows(held("review", "refuse", "1", "2", *because, "--json"))[0]["decision"] == "refused"
    assert held("review", "list").stderr == "no reviews\n"
    again = held("review", "accept", "1", *because)
    assert (again.exit_code, "review 1 is over: refused by ann" in again.stderr) == (4, True)
    assert held("review", "accept", "17", *because).exit_code == 3
    assert held("review", "accept", "1").exit_code == 2


@pytest.mark.parametrize("asked", ["review accept 1", "balance top-up acme 1", "state freeze account acme1"])
def test_a_reason_has_a_limit(held: Command, asked: str):
    """Over it nothing is done, whatever is asked for: exit 2, with the limit."""
    told = held(*asked.split(), "--reason", "x" * 501)
    assert (told.exit_code, "more than 500" in " ".join(told.stderr.split())) == (2, True)
    assert held(*asked.split(), "--reason", "x" * 500, "--dry-run").exit_code == 0
