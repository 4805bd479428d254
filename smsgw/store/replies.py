"""Answers to keywords in the store: messages of the platform's own, put there in the transaction of the marks.

They are rows like any other that waits for its link, and whoever has that link takes them up. They are not debited and not counted
in quotas; `put_replies` (schema 0015) sees to it that nobody is answered too often, or twice for one thing.

Must never: be called without the lock of the marks; cost a mark its place because its answer cannot be stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import asyncpg

from smsgw.store.database import Connection

_NONSENSE: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


class Answer(NamedTuple):
    """A message of the platform's own. `number`: the recipient's hash; `reference`: the id of the MO message that it answers."""

    id: int
    tenant: int
    account: int
    link: int
    content_class: int
    expires_ms: int
    source: str
    destination: str
    body: bytes
    number: int
    service: str
    means: str
    reference: str


async def put(connection: Connection, answers: Sequence[Answer], since: int) -> set[int] | None:
    """Store those that may be sent: none to whom the same number has answered since the id `since`. Returns their ids.

    None: the store takes them for nonsense, and none is there; what else the caller's transaction has written stays.
    """
    if not answers:
        return set()
    columns = [list(column) for column in zip(*answers, strict=True)]
    try:
        async with connection.transaction():
            given = await connection.fetchval(
                "SELECT put_replies($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)", *columns, since
            )
    except _NONSENSE:
        return None
    return set(given)
