"""What a replay says: `tests/cli/test_policy.py` has the command, this the words of each difference."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from smsgw.admin import replaying
from smsgw.admin.sealing import load_key
from smsgw.admin.standing import NotFound
from smsgw.config import Compliance, ConfigError
from smsgw.store.database import Connection
from tests.rig import provision, provisioning

TERMS = '[[terms]]\nid = "a"\nwords = ["{word}"]\nmust = ["{word}"]\n'


async def test_each_change_has_its_word():
    """Every way from one end to another that is not the same is told in words, and the same end by another rule too."""
    ends = ("pass", "flag", "hold", "reject")
    assert set(replaying._WORDS) == {(before, now) for before in ends for now in ends if before != now}


async def test_nothing_stored_is_nothing_judged(connection: Connection, database: str, tmp_path: Path):
    """A set over no texts differs in nothing; a fault of its files, and an account that is not there, are told."""
    await provision(database, tmp_path, provisioning(2776))
    file = tmp_path / "new.toml"
    file.write_text(TERMS.format(word="百家乐"), encoding="utf-8")
    key, week = load_key(tmp_path), timedelta(days=7)
    rows, told = await replaying.replay(
        connection, key, "new", [file], account="acme1", since=week, most=10, compliance=Compliance()
    )
    assert rows == []
    assert told.startswith("0 texts judged, 0 of them otherwise")
    with pytest.raises(NotFound):
        await replaying.replay(connection, key, "new", [file], since=week, most=10, compliance=Compliance())
    file.write_text("[[terms]]\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        await replaying.replay(connection, key, "new", [file], account="acme1", since=week, most=10, compliance=Compliance())
