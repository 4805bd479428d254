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


async def test_old_versions_go_when_nobody_needs_them(connection: Connection):
    """Not one in force, nor of the last files, nor in force within the days; the newest stay, and what is left waits its turn."""
    names = [f"v{at}" for at in range(8)]
    for at, name in enumerate(names):
        await policies.keep_content(connection, name, b"x")
        await connection.execute("UPDATE policy_content SET at = now() - $2 * interval '1 day' WHERE version = $1", name, 300 - at)
        days = 300 - at if at < 6 else 20 - at
        await connection.execute(
            "INSERT INTO provisioning_version (content, actor, at) VALUES ($1, 'x', now() - $2 * interval '1 day')",
            f'[["policy", "set", {{"version": "{name}"}}], ["tenant", "t", {{}}]]',
            days,
        )
    await connection.execute(policies.PUT, "set", "v1", ["a.toml"])
    assert await policies.purge(connection, keep=1, days=180) == 4
    rows = await connection.fetch("SELECT version FROM policy_content")
    # v1 is in force by hand, v5 was until two weeks ago, v6 until yesterday, v7 is the last file
    assert {row["version"] for row in rows} == {"v1", "v5", "v6", "v7"}
    assert await policies.purge(connection, keep=1, days=180) == 0
    assert await policies.lacking(connection, ["v0", "v1", "v7"]) == {"v0"}
