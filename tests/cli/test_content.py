from __future__ import annotations

import asyncio
import json
from pathlib import Path

from smsgw.admin.content_keys import KEYS_FILE
from smsgw.smpp.pdu import sm_body
from smsgw.store.database import connect
from tests.cli.commands import Command


def test_content_is_shown_purged_and_held(acme: Command, database: str):
    """Each with its reason and its exit code; without --yes a purge only counts."""

    async def write() -> None:
        connection = await connect(database)
        await connection.execute(
            "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
            " destination, sent_ms) VALUES (7, 1, 1, 10, 0, 0, 0, 1, 4, 0, 1, 'ACME', '86138', 1)"
        )
        body = sm_body(source=b"ACME", dest=b"86138", short_message=b"hello you")
        await connection.execute("INSERT INTO content (class, id, body) VALUES (0, 7, $1)", body)
        await connection.close()

    asyncio.run(write())
    told = acme("content", "show", "7", "--reason", "complaint", "--json")
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout)["text"] == "hello you"
    assert acme("content", "show", "8", "--reason", "x").exit_code == 3
    assert acme("content", "show", "7", "--reason", "").exit_code == 2
    assert "content" in acme("audit", "list", "--kind", "content").stdout
    hold = acme("content", "hold", "tenant", "acme", "--since", "2025-01-01", "--reason", "court")
    assert hold.exit_code == 0, hold.stderr
    assert json.loads(acme("content", "holds", "--json").stdout)[0]["reason"] == "court"
    assert acme("content", "hold", "tenant", "nobody", "--reason", "x").exit_code == 3
    assert acme("content", "release", "1", "--reason", "over").exit_code == 0
    assert acme("content", "release", "1", "--reason", "over").exit_code == 3
    told = acme("content", "purge", "account", "acme1")
    assert "would be purged  1" in told.stdout
    assert "cannot be recalled" in told.stderr
    assert "nothing was changed: --yes and --reason do it" in told.stderr
    assert acme("content", "purge", "account", "acme1", "--yes").exit_code == 2
    assert acme("content", "purge", "account", "acme1", "--since", "soon").exit_code == 2
    told = acme("content", "purge", "account", "acme1", "--yes", "--reason", "order", "--json")
    assert json.loads(told.stdout)["purged"] == 1
    assert "purged" in json.loads(acme("content", "show", "7", "--reason", "x", "--json").stdout)["gone"]


def test_the_key_is_rotated(acme: Command, tmp_path: Path):
    """Each time there is one more, in a file of data_dir."""
    assert acme("content", "rotate-key").stdout.split() == ["keys", "2"]
    assert acme("content", "rotate-key").stdout.split() == ["keys", "3"]
    assert (tmp_path / "data" / KEYS_FILE).exists()
