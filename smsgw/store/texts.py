"""Stored texts, for whoever judges them again: an account's messages with what they say, in pages, each page a short reading.

No page holds a snapshot while it is judged: the gateway's rows stay free. What was refused at the door has no row and is not here.

Must never: write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final, NamedTuple

from smsgw.model import State
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at
from smsgw.store.messages import ANY_CLASS
from smsgw.store.sealed import Opener, Unreadable, plain

PAGE: Final = 1_000

_PAGE: Final = f"""
    SELECT m.id, m.account, m.source, m.destination, m.command, m.state, c.body
    FROM message m JOIN content c ON c.class = {ANY_CLASS} AND c.id = m.id
    WHERE m.account = ANY ($1::int8[]) AND m.id >= $2 AND m.id < $3 ORDER BY m.id LIMIT $4"""


class Stored(NamedTuple):
    """A message as it was accepted. `body`: the PDU after its header."""

    id: int
    account: int
    source: str
    destination: str
    command: int
    state: State
    body: bytes


async def pages(
    connection: Connection, accounts: Sequence[int], from_s: float, until_s: float, opened: Opener = plain
) -> AsyncIterator[list[Stored]]:
    """Yield the messages of accounts that were accepted between two moments (seconds since 1970), oldest first.

    Those that `opened` cannot open are left out.
    """
    least, end = least_id_at(from_s), least_id_at(until_s)
    while True:
        async with connection.transaction(readonly=True):
            rows = await connection.fetch(_PAGE, list(accounts), least, end, PAGE)
        if not rows:
            return
        yield list(_stored(rows, opened))
        least = rows[-1]["id"] + 1


def _stored(rows: Sequence[Any], opened: Opener) -> Iterator[Stored]:
    for row in rows:
        try:
            body = opened(row["id"], row["body"])
        except Unreadable:
            continue
        state = State(row["state"])
        yield Stored(row["id"], row["account"], row["source"], row["destination"], row["command"], state, body)
