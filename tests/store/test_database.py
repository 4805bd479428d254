from __future__ import annotations

from pathlib import Path

import pytest

from smsgw.store.database import Connection, DatabaseRefused, DatabaseUnavailable, check_durability, connect, open_pool


async def test_a_durable_server_passes(connection: Connection):
    """A server with fsync, full_page_writes and synchronous_commit on is taken without a word."""
    assert await check_durability(connection) == ()


async def test_a_server_that_may_lose_commits_is_refused(connection: Connection):
    """A setting that may lose acknowledged messages refuses the start and is named; --unsafe only tells."""
    await connection.execute("SET synchronous_commit = off")
    with pytest.raises(DatabaseRefused, match="synchronous_commit") as refused:
        await check_durability(connection)
    assert refused.value.exit_code == 78
    assert await check_durability(connection, unsafe=True) == ("synchronous_commit",)


async def test_batches_plan_by_key(database: str):
    """The unit of work's connections do without sequential scans and merge joins; others plan freely."""
    for batches, expected in ((True, "off"), (False, "on")):
        connection = await connect(database, batches=batches)
        assert await connection.fetchval("SHOW enable_seqscan") == expected
        assert await connection.fetchval("SHOW enable_hashjoin") == "on"
        assert await connection.fetchval("SHOW jit") == "off"
        await connection.close()


async def test_a_pool_has_our_settings_too(database: str):
    """Connections of a pool are set like single ones and carry the name that was given."""
    pool = await open_pool(database, name="shown", most=2)
    assert await pool.fetchval("SHOW application_name") == "shown"
    assert await pool.fetchval("SHOW timezone") == "UTC"
    await pool.close()


async def test_nobody_there_is_unavailable(tmp_path: Path):
    """A server that does not answer is worth another try later: exit code 69, and no dsn in the text."""
    dsn = f"postgresql://someone:hidden@/db?host={tmp_path}"
    for opening in (connect(dsn), open_pool(dsn)):
        with pytest.raises(DatabaseUnavailable) as unavailable:
            await opening
        assert unavailable.value.exit_code == 69
        assert "hidden" not in str(unavailable.value)


@pytest.mark.parametrize("dsn", ["postgresql://someone:hidden@127.0.0.1:1/db", "postgresql://someone:hid?hidden@127.0.0.1:1/db"])
async def test_who_does_not_answer_is_named_without_its_password(dsn: str):
    """The text says which server was asked; of a dsn that is not written as it should be it repeats nothing."""
    with pytest.raises((DatabaseUnavailable, DatabaseRefused)) as caught:
        await connect(dsn)
    assert "hid" not in str(caught.value)
    if "?" not in dsn:
        assert "at 127.0.0.1:1 does not answer" in str(caught.value)


async def test_a_wrong_user_or_database_is_refused(database: str):
    """Not being let in, or naming a database that is not there, is a set-up to be mended: exit code 78."""
    for wrong in (database.replace("user=smsgw", "user=stranger"), database.replace("///", "///no_")):
        with pytest.raises(DatabaseRefused):
            await connect(wrong)
