from __future__ import annotations

from smsgw.store import policies
from smsgw.store.database import Connection


async def test_content_is_kept_by_its_version_and_never_changed(connection: Connection):
    """The first content of a version stays; a version that nobody stored has none."""
    await policies.keep_content(connection, "v1", b"one" * 1000)
    await policies.keep_content(connection, "v1", b"two")
    assert await policies.content_of(connection, "v1") == b"one" * 1000
    assert await policies.content_of(connection, "v2") == b""


async def test_sets_are_entities(connection: Connection):
    """Put, changed, deleted; their content stays for whoever goes back."""
    await policies.keep_content(connection, "v1", b"one")
    await connection.execute(policies.PUT, "set", "v1", ["a.toml"])
    assert await policies.read_entities(connection) == {("policy", "set"): {"files": ["a.toml"], "version": "v1"}}
    await connection.execute(policies.DELETE, "set")
    assert await policies.read_entities(connection) == {}
    assert await policies.content_of(connection, "v1") == b"one"
