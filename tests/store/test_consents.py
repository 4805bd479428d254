from __future__ import annotations

from datetime import UTC, datetime

from smsgw.store import consents
from smsgw.store.database import Connection

AT = datetime(2026, 11, 1, tzinfo=UTC)


async def test_a_consent_is_kept_once_and_withdrawn_once(connection: Connection):
    """The same again is no new one; withdrawn, it stays with when, by whom and why; another account's is untouched."""
    assert await consents.add(connection, 1, [5, 5, 6], ["web"] * 3, [AT] * 3, ["form 1", "form 1", "form 2"], "ops") == 2
    assert await consents.add(connection, 1, [5], ["web"], [AT], ["form 9"], "ops") == 0
    assert await consents.add(connection, 2, [5], ["web"], [AT], ["form 3"], "ops") == 1
    assert await consents.withdraw(connection, 1, 5, "boss", "letter 7") == 1
    assert await consents.withdraw(connection, 1, 5, "boss", "letter 7") == 0
    rows = {row["proof"]: row for row in await consents.of_number(connection, 5)}
    assert set(rows) == {"form 1", "form 3"}
    assert (rows["form 1"]["withdrawn_by"], rows["form 1"]["withdrawn_why"]) == ("boss", "letter 7")
    assert rows["form 3"]["withdrawn"] is None
