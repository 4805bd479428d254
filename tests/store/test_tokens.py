from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from smsgw.store import tokens
from smsgw.store.database import Connection, open_pool

DIGEST = sha256(b"one").digest()


async def test_a_token_is_found_by_its_hash_and_its_use_noted(connection: Connection, database: str):
    """With what it may; the note of its use is written at most once a minute; another hash finds nothing."""
    assert await tokens.add(connection, "ci", DIGEST, ["policy.read"], "ann", None)
    pool = await open_pool(database, name="test", most=1)
    try:
        found = await tokens.by_hash(pool, DIGEST)
        assert found is not None
        assert (found.name, found.may, found.actor, found.live, found.used) == ("ci", ("policy.read",), "ann", True, None)
        first = (await tokens.by_hash(pool, DIGEST)).used  # type: ignore[union-attr]
        assert first is not None
        assert (await tokens.by_hash(pool, DIGEST)).used == first  # type: ignore[union-attr]
        assert await tokens.by_hash(pool, sha256(b"two").digest()) is None
    finally:
        await pool.close()


async def test_a_name_is_given_once_and_a_token_ends_once(connection: Connection):
    """A second one of the name is refused, also after the first was revoked; what is over does not work."""
    assert await tokens.add(connection, "ci", DIGEST, ["policy.read"], "ann", None)
    assert not await tokens.add(connection, "ci", sha256(b"two").digest(), [], "ann", None)
    assert await tokens.revoke(connection, "ci")
    assert not await tokens.revoke(connection, "ci")
    past = datetime.now(UTC) - timedelta(seconds=1)
    assert await tokens.add(connection, "old", sha256(b"three").digest(), [], "ann", past)
    assert {token.name: token.live for token in await tokens.every(connection)} == {"ci": False, "old": False}
    assert (await tokens.find(connection, "ci")).revoked is not None  # type: ignore[union-attr]
    assert await tokens.find(connection, "none") is None
