"""Versions of provisioning."""

from __future__ import annotations

from smsgw.store import versions
from smsgw.store.database import Connection
from smsgw.store.provisioning import Key

TENANT: Key = ("tenant", "acme")


async def test_versions_are_kept_and_dropped(connection: Connection):
    """The newest version is the last applied one, until it is dropped."""
    assert await versions.last_applied(connection) is None
    first = await versions.keep_version(connection, {TENANT: {"currency": "CNY"}}, "ops")
    second = await versions.keep_version(connection, {TENANT: {"currency": "EUR"}}, "ops")
    assert await versions.last_applied(connection) == (second, {TENANT: {"currency": "EUR"}})
    assert await versions.last_applied(connection, before=second) == (first, {TENANT: {"currency": "CNY"}})
    await versions.drop_version(connection, second)
    assert await versions.last_applied(connection) == (first, {TENANT: {"currency": "CNY"}})


async def test_a_version_tells_what_files_made(connection: Connection):
    """What was there before a file named it is told from what a file created."""
    number = await versions.keep_version(connection, {TENANT: {}, ("carrier", "a"): {}}, "ops", found=[("carrier", "a")])
    assert await versions.made_by_files(connection, number) == {TENANT}
    assert await versions.last_applied(connection) == (number, {TENANT: {}, ("carrier", "a"): {}})
    assert await versions.made_by_files(connection, number + 1) == frozenset()
