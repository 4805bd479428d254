from __future__ import annotations

from smsgw.store import policies, provisioning
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


async def test_versions_that_a_set_had_in_turn_are_kept_like_those_of_files(connection: Connection):
    """What was edited stands in no file: the last ones of its history stay, and those in force within the days."""
    for at in range(6):
        await policies.keep_content(connection, f"v{at}", b"x")
        await connection.execute("UPDATE policy_content SET at = now() - interval '300 days' WHERE version = $1", f"v{at}")
        if at:
            await provisioning.audit(connection, "x", ("policy", "set"), {"version": f"v{at - 1}"}, {"version": f"v{at}"})
    await connection.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    await connection.execute("UPDATE audit SET at = now() - interval '200 days' WHERE new ->> 'version' IN ('v1', 'v2', 'v3')")
    await connection.execute(policies.PUT, "set", "v5", ["a.toml"])
    await policies.purge(connection, keep=1, days=180)
    rows = await connection.fetch("SELECT version FROM policy_content")
    # v5 is in force, v4 was the one before, v3 was in force until today; of v0 to v2 the newest one stays as it always did
    assert {"v5", "v4", "v3"} <= {row["version"] for row in rows}
    assert len(rows) <= 4


async def test_what_is_told_of_sets(connection: Connection):
    """Each with its last change; its history, newest first, with what is kept; who changed it last; who cannot wait."""
    await policies.keep_content(connection, "v1", b"x")
    await connection.execute(policies.PUT, "set", "v1", ["a.toml"])
    await provisioning.audit(connection, "ann", ("policy", "set"), None, {"version": "v0"}, "first")
    await provisioning.audit(connection, "bob", ("policy", "set"), {"version": "v0"}, {"version": "v1"}, "second")
    (row,) = await policies.in_force(connection)
    assert (row["name"], row["version"], row["files"], row["accounts"], row["actor"], row["reason"]) == (
        "set", "v1", ["a.toml"], 0, "bob", "second",
    )  # fmt: skip
    changes = await policies.history(connection, "set", 10)
    assert [(one["actor"], one["old"], one["kept"]) for one in changes] == [("bob", {"version": "v0"}, True), ("ann", None, False)]
    assert (await policies.last_changes(connection, ["set", "none"]))["set"][0] == "bob"
    assert await policies.entity(connection, "set") == {"files": ["a.toml"], "version": "v1"}
    assert await policies.entity(connection, "none") is None
    assert await policies.relay_accounts(connection, "set") == []
