"""Accounts' secrets in the store."""

from __future__ import annotations

from datetime import UTC, datetime

from smsgw.store import credentials, provisioned, versions
from smsgw.store.database import Connection


async def test_a_secret_knows_the_version_it_came_after(acme: Connection):
    """A secret that is set with a version does not come after it; one set later does."""
    async with acme.transaction():
        await credentials.set_secret(acme, "acme1", "one")
        version = await versions.keep_version(acme, {}, "ops")
    assert not await credentials.secret_set_since(acme, "acme1", version)
    await credentials.set_secret(acme, "acme1", "two")
    assert await credentials.secret_set_since(acme, "acme1", version)
    assert await credentials.secrets_of(acme, "acme1") == ["two"]


async def test_secrets_take_turns(acme: Connection):
    """Several may be there, one may have an end, one may be taken away; the daemon reads those that work, with their ends."""
    await credentials.set_secret(acme, "acme1", "one")
    account = (await provisioned.read(acme, str)).accounts[0].id
    (first,) = await credentials.rows(acme, account)
    second = await credentials.add(acme, account, "two", "ops")
    third = await credentials.add(acme, account, "three", "ops")
    await credentials.end(acme, [first["id"]], datetime(2099, 1, 1, tzinfo=UTC))
    await credentials.end(acme, [second], datetime(2000, 1, 1, tzinfo=UTC))
    assert {row["id"]: row["live"] for row in await credentials.rows(acme, account)} == {
        first["id"]: True,
        second: False,
        third: True,
    }
    read = (await provisioned.read(acme, str)).accounts[0]
    assert (set(read.secrets), read.expiring) == ({"one", "three"}, (("one", datetime(2099, 1, 1, tzinfo=UTC).timestamp()),))
    await credentials.drop(acme, [third])
    assert (await provisioned.read(acme, str)).accounts[0].secrets == ("one",)


async def test_the_last_use_of_a_secret_is_kept(acme: Connection):
    """When and from where; an older note that comes later changes nothing."""
    await credentials.set_secret(acme, "acme1", "one")
    account = (await provisioned.read(acme, str)).accounts[0].id
    await credentials.note_used(acme, {"one": (2_000.0, "192.0.2.2"), "another": (3_000.0, "")})
    await credentials.note_used(acme, {"one": (1_000.0, "192.0.2.1")})
    (row,) = await credentials.rows(acme, account)
    assert (row["used_at"].timestamp(), row["used_from"]) == (2_000.0, "192.0.2.2")
