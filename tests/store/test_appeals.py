from __future__ import annotations

import asyncpg
import pytest

from smsgw.store import appeals, standing
from smsgw.store.database import Connection
from tests.contract import contract


async def test_what_was_said_is_never_changed(connection: Connection):
    """An outcome is added once; text, outcome and row stay as they are."""
    await contract(connection)
    acme = await standing.subject(connection, "tenant", "acme")
    assert acme is not None
    assert await appeals.steps(connection, acme) == []
    number = await appeals.add(connection, acme, 7, "Ms Li", "it was a test", "ann")
    assert await appeals.open_of(connection, acme) == 1
    await appeals.answer(connection, number, "kept", "bob")
    held = await appeals.hold(connection, number)
    assert held is not None
    assert (held.name, held.step, held.text, held.outcome, held.outcome_by) == ("acme", 7, "it was a test", "kept", "bob")
    assert (len(await appeals.of(connection)), await appeals.of(connection, answered=False)) == (1, [])
    for statement in (
        "UPDATE appeal SET outcome = 'lifted'",
        "UPDATE appeal SET text = 'x'",
        "DELETE FROM appeal",
        "TRUNCATE appeal",
    ):
        with pytest.raises(asyncpg.PostgresError, match="never changed"):
            await connection.execute(statement)
    assert await appeals.hold(connection, 99) is None
