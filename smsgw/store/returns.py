"""What a tenant was given back when its contract had ended: its exports since then, and what is there that none of them has.

An export counts for the span that it was asked for, and no further than the moment at which it was taken. One of an older version
of smsgw, whose span the audit does not tell, counts for nothing. Several together may have it all.

Must never: take a part for the whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from smsgw.model import OwedKind
from smsgw.store.database import Connection
from smsgw.store.exports import ACCOUNTS
from smsgw.store.ids import least_id_at
from smsgw.store.messages import ANY_CLASS

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_OUTSIDE: Final = "NOT EXISTS (SELECT FROM unnest($2::int8[], $3::int8[]) AS s(a, b) WHERE {0} >= s.a AND {0} < s.b)"
_MISSED: Final = {
    "messages": f"SELECT count(*) FROM message m WHERE m.tenant = $1 AND {_OUTSIDE.format('m.id')}",
    "mo": f"SELECT count(*) FROM owed o WHERE o.kind = {int(OwedKind.MO)} AND o.account IN {ACCOUNTS}"
    f" AND {_OUTSIDE.format('o.id')}",
    "content": f"SELECT count(*) FROM message m JOIN content c ON c.class = {ANY_CLASS} AND c.id = m.id"
    f" WHERE m.tenant = $1 AND {_OUTSIDE.format('m.id')}",
}
"""What is there of a tenant outside of some spans of ids, by kind."""


@dataclass(frozen=True, slots=True)
class Export:
    """One export: its place in the audit, when it was made, the span that it has (None: nobody knows), with content or not."""

    number: int
    at: datetime
    span: tuple[datetime, datetime] | None
    content: bool


async def exported(connection: Connection, tenant: str, since: datetime) -> list[Export]:
    """Return a tenant's exports since then, the oldest first."""
    rows = await connection.fetch(
        "SELECT number, at, new FROM audit WHERE kind = 'export' AND name = $1 AND at >= $2 ORDER BY id", tenant, since
    )
    return [_export(row) for row in rows]


def _export(row: Any) -> Export:
    said = json.loads(row["new"] or "{}")
    span = None
    if "from" in said and "until" in said:
        span = datetime.fromisoformat(said["from"]), min(datetime.fromisoformat(said["until"]), row["at"])
    return Export(row["number"], row["at"], span, bool(said.get("content")))


async def missed(connection: Connection, tenant_id: int, made: Sequence[Export]) -> dict[str, int]:
    """Count what is there of a tenant that none of these exports has: messages, mo, content."""
    return {
        kind: int(await connection.fetchval(query, tenant_id, *_ids(one for one in made if one.content or kind != "content")))
        for kind, query in _MISSED.items()
    }


def _ids(made: Iterable[Export]) -> tuple[list[int], list[int]]:
    spans = [one.span for one in made if one.span is not None]
    return [least_id_at(max(first, _EPOCH).timestamp()) for first, _ in spans], [least_id_at(last.timestamp()) for _, last in spans]
