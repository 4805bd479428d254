"""cycle() called by hand: rows for each group of its arguments, and the answer. For tests of the SQL alone."""

from __future__ import annotations

import json
from typing import Any

from smsgw.model import State
from smsgw.store.batch import Batch, quote, statement
from smsgw.store.database import Connection

DAY = 20_000
EPOCH_S = 1_735_689_600
DAY_S = 86_400
DAY_IDS = DAY_S * 1_000 << 22
FAR_MS = 4_000_000_000_000


class Cycles:
    """Calls cycle() as a node, under the next token unless one is given."""

    def __init__(self, connection: Connection, node: int = 1, epoch: int = 1) -> None:
        """Call on this connection."""
        self._connection = connection
        self.node = node
        self.epoch = epoch
        self.seq = 0
        self._batch = Batch()

    def octets(self, body: bytes) -> tuple[int, int]:
        """Put octets into the next call's blob; returns where they are."""
        return self._batch.blob(body)

    async def __call__(
        self, *, seq: int = 0, day: int = DAY, low_water: int = 0, last_ms: int = 0, at: int = 1, **groups: Any
    ) -> Any:
        """Call it with these rows, by the names of `Batch`; returns its answer, {} for NULL."""
        batch, self._batch = self._batch, Batch()
        for name, rows in groups.items():
            getattr(batch, name).extend(rows)
        self.seq = seq or self.seq + 1
        arguments = batch.arguments((self.node, self.epoch, self.seq, day, low_water, last_ms), at)
        answer = await self._connection.fetchval(statement(), *arguments)
        return json.loads(answer) if answer else {}

    def new(self, number: int, *, tenant: int = 1, account: int = 1, price: int = 1, state: State = State.SUBMITTING) -> Any:
        """A new message."""
        at = self.octets(b"body %d" % number)
        return (number, tenant, account, int(state), 0, 0, 1, 1, 1, 4, 7, price, 0, quote("1069"), quote("86138"), *at, 0)

    def owed(self, number: int, *, account: int = 1, message: int = 0, node: int = 0, kind: int = 0) -> Any:
        """Something owed."""
        return (number, account, message, kind, 5, node, FAR_MS, *self.octets(b"owed %d" % number))

    def parked(self, number: int, *, key: str = "key") -> Any:
        """A parked receipt."""
        return (number, 7, 5, quote(key), FAR_MS, *self.octets(b"parked %d" % number))


def quota(account: int, limit: int, *, span: int = 2, start: int = EPOCH_S, length: int = DAY_S, parts: int = 0) -> Any:
    """A calendar window of a quota: a row for cycle()."""
    return (account, span, start, start, start + length, limit, parts)


def change(number: int, rev: int = 0, state: State = State.SENT, *, tenant: int = 1, refund: int = 0, upstream: str = "up") -> Any:
    """A change of a message's row."""
    return (number, rev, int(state), 2, 1, 8, 5, 111, 222, refund, tenant, quote(upstream))


def wait(number: int, *, link: int = 7, state: State = State.QUEUED, due: int = 0, expires: int = 0, node: int = 0) -> Any:
    """A row of waiting."""
    return (number, link, int(state), due, expires, node)
