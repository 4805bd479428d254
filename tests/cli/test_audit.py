from __future__ import annotations

import asyncio
import json

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
