from __future__ import annotations

import asyncio
import json

from smsgw.store.database import connect
from tests.cli.commands import Command


def test_a_message_is_told_step_by_step(acme: Command, database: str):
    """A row for each step, as text, JSON or CSV; 3 for an id or a link that is not there, 2 for no span."""

    async def write() -> None:
        connection = await connect(database)
        await connection.execute(
            "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
            " destination, sent_ms, done_ms, link, upstream_id)"
            " VALUES (7, 1, 1, 10, 0, 0, 0, 1, 4, 0, 1, 'ACME', '8613800138000', 1735689600500, 1735689601000, 1, 'up7')"
        )
        await connection.close()

    asyncio.run(write())
    told = acme("message", "7", "--json")
    assert told.exit_code == 0, told.stderr
    assert [row["step"] for row in json.loads(told.stdout)] == ["accepted", "octets", "taken", "ended", "content"]
    assert "8613****8000" in acme("message", "7").stdout
    assert "8613800138000" not in acme("message", "7", "--csv").stdout
    assert acme("message", "8").exit_code == 3
    assert acme("message", "up7", "--link", "nobody").exit_code == 3
    assert acme("message", "up7", "--link", "alpha-1").exit_code == 3
    assert acme("message", "up7", "--link", "alpha-1", "--since", "20000d").exit_code == 0
    assert acme("message", "up7", "--link", "alpha-1", "--since", "long").exit_code == 2
