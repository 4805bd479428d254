from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from smsgw.admin import tokens
from smsgw.admin.standing import NotAllowed, NotFound
from smsgw.store import audits, provisioned
from smsgw.store import tokens as store
from smsgw.store.database import Connection


async def test_a_token_is_shown_once_and_kept_as_its_hash(connection: Connection):
    """256 random bits; neither a repr nor the store nor the audit has them."""
    before = await provisioned.version(connection)
    made = await tokens.add(connection, "ci", ["policy.write", "policy.read"], None, "ann", "pipelines")
    assert await provisioned.version(connection) == before  # nothing for the gateways to follow
    assert len(made.secret) == 49
    assert made.secret not in repr(made)
    assert made.may == ("policy.read", "policy.write")
    found = await store.find(connection, "ci")
    assert found is not None
    assert found.hash == tokens.digest_of(made.secret)
    (row,) = await audits.find(connection, "api_token", "ci", None, None, 10)
    assert (row["actor"], row["new"], row["reason"]) == (
        "ann",
        {"may": ["policy.read", "policy.write"], "expires": None},
        "pipelines",
    )


async def test_what_cannot_be_made_is_told(connection: Connection):
    """A name, a permission, an end; a name that was given before, also to a token that is over."""
    soon = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(ValueError, match="is no name"):
        await tokens.add(connection, "a b", ["policy.read"], None, "ann", "")
    with pytest.raises(ValueError, match=r"there is no permission 'policy\.raed': known are policy\.read, policy\.write"):
        await tokens.add(connection, "a", ["policy.raed"], None, "ann", "")
    with pytest.raises(ValueError, match="needs a permission"):
        await tokens.add(connection, "a", [], None, "ann", "")
    with pytest.raises(ValueError, match="is over already"):
        await tokens.add(connection, "a", ["policy.read"], soon - timedelta(days=2), "ann", "")
    assert (await tokens.add(connection, "a", ["policy.read"], soon, "ann", "", dry_run=True)).secret == ""
    await tokens.add(connection, "a", ["policy.read"], soon, "ann", "")
    assert await tokens.revoke(connection, "a", actor="bob", reason="leaked")
    assert not await tokens.revoke(connection, "a", actor="bob", reason="leaked")
    with pytest.raises(NotAllowed, match="take another name"):
        await tokens.add(connection, "a", ["policy.read"], None, "ann", "")
    with pytest.raises(NotFound):
        await tokens.revoke(connection, "b", actor="bob", reason="")


def test_a_day_counts_whole():
    """An end is a day in UTC, that day included, or a moment; nothing is no end."""
    assert tokens.end_of("") is None
    assert tokens.end_of("2026-12-31") == datetime(2027, 1, 1, tzinfo=UTC)
    assert tokens.end_of("2026-12-31T18:00+08:00") == datetime(2026, 12, 31, 10, tzinfo=UTC)
    with pytest.raises(ValueError, match="is no moment"):
        tokens.end_of("tomorrow")


@pytest.mark.parametrize("text", ["", "smsgw_", "smsgw_" + "a" * 42, "smsgw_" + "a" * 44, "smsgw_" + "ä" * 43, "Bearer x"])
def test_what_cannot_be_a_token_is_not_looked_up(text: str):
    """Another length or another alphabet is none."""
    assert tokens.digest_of(text) is None
