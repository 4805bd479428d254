"""What is cancelled is said before: whose, why, and not everything by mistake. How it is carried out: tests/journey/test_cancel."""

from __future__ import annotations

import pytest

from smsgw.admin import cancelling
from smsgw.admin.cancelling import Wanted
from smsgw.admin.standing import NotAllowed, NotFound
from smsgw.store.database import Connection
from tests.contract import contract


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Wanted(), "say which messages"),
        (Wanted(since_s=60.0), "say which messages"),
        (Wanted(account="acme1", since_s=60.0, until_s=60.0), "between two times"),
        (Wanted(account="acme1", until_s=-1.0), "between two times"),
        (Wanted(prefix="44 79"), "beginning of a number"),
        (Wanted(number="Shop"), "is no number"),
        (Wanted(number="+00"), "is no number"),
    ],
)
async def test_a_filter_that_means_nothing_is_refused(connection: Connection, wanted: Wanted, told: str):
    """None at all, two times in the wrong order, no digits: nothing is asked for."""
    await contract(connection, "acme1")
    with pytest.raises(ValueError, match=told):
        await cancelling.preview(connection, wanted)
    with pytest.raises(ValueError, match=told):
        await cancelling.cancel(connection, wanted, actor="ann", reason="x", most=3)
    assert await cancelling.listed(connection) == []


async def test_names_have_to_be_there(connection: Connection):
    """An account, a tenant, a link or a cancellation that there is not is NotFound, by its name."""
    for wanted in (Wanted(account="nobody"), Wanted(tenant="nobody"), Wanted(link="nobody")):
        with pytest.raises(NotFound, match="'nobody'"):
            await cancelling.preview(connection, wanted)
    with pytest.raises(NotFound, match="no cancellation 7"):
        await cancelling.result(connection, 7)


@pytest.mark.parametrize("reason", ["", " ", "two\nlines", "x" * 501])
async def test_it_needs_a_reason(connection: Connection, reason: str):
    """One line of at most 500 characters."""
    with pytest.raises(ValueError, match="needs a reason"):
        await cancelling.cancel(connection, Wanted(source="Shop"), actor="ann", reason=reason, most=3)


async def test_so_many_are_carried_out_at_a_time(connection: Connection):
    """One more is refused until one is done."""
    for _ in range(3):
        await cancelling.cancel(connection, Wanted(source="Shop"), actor="ann", reason="x", most=3)
    with pytest.raises(NotAllowed, match=r"^3 cancellations are being carried out.*limits.cancellations"):
        await cancelling.cancel(connection, Wanted(source="Shop"), actor="ann", reason="x", most=3)
    assert await connection.fetchval("SELECT count(*) FROM audit WHERE kind = 'cancellation'") == 3
