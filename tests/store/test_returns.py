"""What a tenant was given back, and what there is that no export had."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from smsgw.store import provisioning, returns
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at
from smsgw.store.returns import Export

AT = datetime(2026, 3, 1, tzinfo=UTC)


async def test_spans_begin_with_their_first_moment_and_end_before_their_last(connection: Connection):
    """A message of the last moment is not in it; nothing of another tenant is missed."""
    for number, tenant in ((least_id_at(AT.timestamp()), 1), (least_id_at((AT + timedelta(days=1)).timestamp()), 1), (5, 2)):
        await connection.execute(
            "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
            " destination, sent_ms, done_ms) VALUES ($1, $2, $2, 10, 0, 0, 0, 1, 4, 0, 1, '', '1', 1, 1)",
            number,
            tenant,
        )
    day = Export(1, AT, (AT, AT + timedelta(days=1)), content=False)
    assert await returns.missed(connection, 1, [day]) == {"messages": 1, "mo": 0, "content": 0}
    assert await returns.missed(connection, 1, []) == {"messages": 2, "mo": 0, "content": 0}


async def test_exports_are_read_from_the_audit(connection: Connection):
    """With their span, cut at the moment of the export; without one where an older version wrote none; none of before."""
    said = {"from": AT.isoformat(), "until": "2200-01-01T00:00:00+00:00", "content": True}
    await provisioning.audit(connection, "ann", ("export", "acme"), None, said)
    await provisioning.audit(connection, "ann", ("export", "acme"), None, {"files": {}, "content": False})
    await provisioning.audit(connection, "ann", ("export", "borg"), None, said)
    first, second = await returns.exported(connection, "acme", AT)
    assert (first.span, first.content, second.span) == ((AT, first.at), True, None)
    assert await returns.exported(connection, "acme", datetime.now(UTC) + timedelta(minutes=1)) == []


async def test_an_export_counts_from_the_end_on(connection: Connection):
    """One from before the contract ended does not give all back; one of which the audit says nothing else has nothing."""
    await connection.execute("INSERT INTO audit (at, actor, kind, name) VALUES ($1, 'ann', 'export', 'acme')", AT)
    assert await returns.exported(connection, "acme", AT + timedelta(seconds=1)) == []
    assert await returns.exported(connection, "acme", AT) == [Export(1, AT, None, content=False)]
