from __future__ import annotations

import asyncio
import json

from smsgw.cli.audit import LONGEST, changed
from smsgw.store.database import connect
from tests.cli.commands import Command


def test_the_audit_is_listed_and_verified(acme: Command, database: str):
    """What apply did stands in it and fits; a noted head is met; a changed row is exit 1 and named."""
    told = acme("audit", "list", "--kind", "account", "--json")
    assert told.exit_code == 0, told.stderr
    assert {row["name"] for row in json.loads(told.stdout)} >= {"acme1"}
    head = acme("audit", "head").stdout.strip()
    told = acme("audit", "verify", "--head", head, "--json")
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout)["head"] == head
    assert acme("audit", "verify", "--head", "nonsense").exit_code == 2

    async def forge() -> None:
        connection = await connect(database)
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("UPDATE audit SET actor = 'x' WHERE number = 2")
        await connection.close()

    asyncio.run(forge())
    told = acme("audit", "verify")
    assert told.exit_code == 1
    assert "number 2 " in told.stderr
    assert acme("audit", "verify", "--last", "1").exit_code == 0


def test_the_list_is_for_people_too(acme: Command):
    """In a pipe it is columns; a kind that nothing is of says so."""
    assert acme("audit", "list", "--since", "1h", "--limit", "3").stdout.splitlines()[0].split()[:3] == ["number", "at", "actor"]
    assert "no rows" in acme("audit", "list", "--kind", "none").stderr


def test_money_is_told_as_everywhere(acme: Command):
    """A price and a credit limit are amounts with their currency, for people and for programs; what did not change is not said."""
    assert acme("balance", "credit", "acme", "50", "--reason", "longer").exit_code == 0
    lines = acme("audit", "list", "--limit", "2", "--kind", "tenant").stdout.splitlines()
    assert "credit_limit 0.00 CNY → 50.00 CNY" in lines[1]
    assert "basis" not in lines[1]
    (row,) = json.loads(acme("audit", "list", "--kind", "price", "--json").stdout)
    assert (row["old"], row["new"], row["currency"]) == (None, {"price": "0.038"}, "CNY")


def test_programs_get_whole_rows(acme: Command):
    """CSV cuts off neither a value nor a hash, as JSON does not."""
    assert acme("tenant", "set", "acme", f"partner={'p' * 90}", "--reason", "x").exit_code == 0
    told = acme("audit", "list", "--limit", "1", "--csv").stdout
    assert "p" * 90 in told
    assert len(told.strip().rpartition(",")[2]) == 64


def test_a_change_is_said_once():
    """What came, what moved and what went are told apart; long values end in an ellipsis, lists read as in a file."""
    assert changed(None, {"a": 1, "b": ["x", "y"], "c": ""}) == "a 1, b x,y"
    assert changed({"a": 1, "b": 2}, {"a": 1, "b": 3}) == "b 2 → 3"
    assert changed({"a": 1}, {}) == "a 1 → none"
    assert changed({"a": "x"}, None) == "gone: a x"
    assert changed(None, None) == ""
    assert changed(None, {"a": "x" * (LONGEST + 1)}) == f"a {'x' * LONGEST}…"
    assert changed({"price": "0.04"}, {"price": "0.05", "share": "1"}, "EUR") == "price 0.04 EUR → 0.05 EUR, share 1"
