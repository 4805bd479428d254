"""What there is of a tenant, and the note that it was reported; what a bundle makes of it: tests/admin/test_reporting.py."""

from __future__ import annotations

import asyncpg
import pytest

from smsgw.store import dossiers, provisioning
from smsgw.store.contents import Filter
from smsgw.store.database import Connection
from smsgw.store.standing import Subject

ACME = Subject("tenant", "acme", 1, 1, "acme")


async def test_a_report_is_noted_for_good(connection: Connection):
    """In the register and in the audit; one alone is not enough, and the row stays."""
    await dossiers.keep(connection, ACME, Filter(1), "MIIT", "7", "ab", "ann", frozen=False)
    assert not await dossiers.was_reported(connection, "ab")
    await provisioning.audit(connection, "ann", ("report", "acme"), None, {"tenant": "acme", "sha256": "ab"})
    assert await dossiers.was_reported(connection, "ab")
    assert [row["reported_to"] for row in await dossiers.reports(connection)] == ["MIIT"]
    with pytest.raises(asyncpg.PostgresError, match="evidence"):
        await connection.execute("UPDATE authority_report SET authority = 'x'")


async def test_audit_rows_of_a_prefix_are_its_own(connection: Connection):
    """A name that begins like another's, or has a wildcard in it, brings nothing of that."""
    for name in ("acme/86", "acmex/86", "ac_e/86"):
        await provisioning.audit(connection, "ann", ("price", name), None, {})
    async with connection.transaction():
        found = [row.name async for page in dossiers.audit(connection, ACME, []) for row in page]
    assert found == ["acme/86"]
    async with connection.transaction():
        other = Subject("tenant", "ac_e", 2, 2, "ac_e")
        assert [row.name async for page in dossiers.audit(connection, other, []) for row in page] == ["ac_e/86"]
