from __future__ import annotations

import pytest

from smsgw.admin import policy_sets
from smsgw.admin.policy_sets import Edit, Expected, Moved
from smsgw.admin.standing import NotAllowed, NotFound
from smsgw.policy.ruleset import Bundle
from smsgw.store import audits
from smsgw.store.database import Connection

ANY = Expected()
ONE, TWO = (Bundle([("a.toml", f"# {word}\n")]) for word in ("one", "two"))


async def put(connection: Connection, bundle: Bundle, expected: Expected = ANY) -> Edit:
    """Put a version in force."""
    return await policy_sets.put(
        connection, "set", ["a.toml"], policy_sets.made_of(bundle), actor="token:ci", reason="because", expected=expected
    )


async def test_each_change_is_audited_with_who_and_why(connection: Connection):
    """From which version to which; the same version again is no change and leaves no row."""
    assert (await put(connection, ONE)).made
    assert not (await put(connection, ONE)).made
    assert (await put(connection, TWO)).old == ONE.version
    rows = await audits.find(connection, "policy", "set", None, None, 10)
    assert [(row["actor"], row["reason"], row["new"]["version"]) for row in rows] == [
        ("token:ci", "because", TWO.version),
        ("token:ci", "because", ONE.version),
    ]


async def test_who_expected_another_version_changes_nothing(connection: Connection):
    """A version that is not in force any more, any at all where there is none, none where there is one."""
    with pytest.raises(Moved, match="there is no such rule set"):
        await put(connection, ONE, Expected(("*",)))
    await put(connection, ONE, Expected(absent=True))
    with pytest.raises(Moved) as moved:
        await put(connection, TWO, Expected((TWO.version,)))
    assert moved.value.version == ONE.version
    with pytest.raises(Moved):
        await put(connection, TWO, Expected(absent=True))
    await put(connection, TWO, Expected((ONE.version, "x")))
    await put(connection, ONE, Expected(("*",)))
    assert (await policy_sets.stored(connection, "set"))[1] == ONE


async def test_a_version_that_the_set_had_is_taken_back(connection: Connection):
    """The one before, or one by the beginning of its name; never one of another set, nor one whose files are gone."""
    with pytest.raises(NotFound):
        await policy_sets.roll_back(connection, "set", actor="x")
    await put(connection, ONE)
    with pytest.raises(NotAllowed, match="no earlier version"):
        await policy_sets.roll_back(connection, "set", actor="x")
    await put(connection, TWO)
    back = await policy_sets.roll_back(connection, "set", actor="x", expected=Expected((TWO.version,)))
    assert (back.old, back.new) == (TWO.version, ONE.version)
    assert (await policy_sets.roll_back(connection, "set", TWO.version[:8], actor="x")).new == TWO.version
    assert (await policy_sets.stored(connection, "set", ONE.version))[1] == ONE
    other = Bundle([("b.toml", "")])
    await policy_sets.put(connection, "other", ["b.toml"], policy_sets.made_of(other), actor="x")
    for wanted in (other.version, ONE.version[:7], "f" * 64):
        with pytest.raises(NotFound, match="never had one version"):
            await policy_sets.roll_back(connection, "set", wanted, actor="x")
    await connection.execute("DELETE FROM policy_content WHERE version = $1", ONE.version)
    with pytest.raises(NotAllowed, match="not kept any more"):
        await policy_sets.roll_back(connection, "set", ONE.version, actor="x")
    with pytest.raises(NotAllowed, match="not kept any more"):
        await policy_sets.stored(connection, "set", ONE.version)
    with pytest.raises(NotFound):
        await policy_sets.stored(connection, "none")


async def test_a_set_that_judges_nobody_is_taken_away(connection: Connection):
    """With who and why; one that an account names stays, and the accounts are told."""
    await put(connection, ONE)
    await connection.execute("INSERT INTO tenant (name, currency) VALUES ('t', 'CNY')")
    for at in range(7):
        await connection.execute(
            'INSERT INTO account (tenant, system_id, settings) SELECT id, $1, \'{"policy": "set"}\' FROM tenant', f"a{at}"
        )
    with pytest.raises(NotAllowed, match="it judges a0, a1, a2, a3, a4 and 2 more"):
        await policy_sets.remove(connection, "set", actor="x")
    await connection.execute("DELETE FROM account")
    with pytest.raises(Moved):
        await policy_sets.remove(connection, "set", actor="x", expected=Expected((TWO.version,)))
    gone = await policy_sets.remove(connection, "set", actor="token:ci", reason="over")
    assert (gone.old, gone.new, gone.made) == (ONE.version, "", True)
    (row, _) = await audits.find(connection, "policy", "set", None, None, 10)
    assert (row["actor"], row["new"], row["reason"]) == ("token:ci", None, "over")
    with pytest.raises(NotFound):
        await policy_sets.remove(connection, "set", actor="x")
