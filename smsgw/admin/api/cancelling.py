"""Cancellations over HTTP: counted, asked for, seen.

Who asks is the token, by its name: `token:NAME` in the audit. The running gateways carry it out (journey/cancel).

Must never: answer a whole number; wait until it is carried out.
"""

from __future__ import annotations

from typing import Final

from smsgw.admin import cancelling
from smsgw.admin.api import shapes
from smsgw.admin.api.policies import SMALL, Asked, Told, is_on
from smsgw.admin.api.problems import body_of, faulty
from smsgw.admin.api.trying import span_of
from smsgw.admin.cancelling import Wanted
from smsgw.admin.standing import NotFound
from smsgw.policy.faults import Fault
from smsgw.store.database import Pool, borrowed

LISTED: Final = 100
"""The newest so many are answered; each by its number is there for good."""


class Cancelling:
    """Answers about cancellations."""

    def __init__(self, pool: Pool, *, most: int) -> None:
        """`pool`: the store's; `most`: so many are carried out at a time."""
        self._pool = pool
        self._most = most

    async def cancel(self, asked: Asked) -> Told:
        """Messages that are not to be sent: counted alone in a dry run."""
        body = body_of(await asked.body(SMALL), shapes.CancelBody)
        until_s = span_of(body.until).total_seconds() if body.until else 0.0
        wanted = Wanted(**body.given(), since_s=span_of(body.since).total_seconds(), until_s=until_s)
        dry_run = is_on(asked.query.get("dry_run", ""))
        try:
            async with borrowed(self._pool) as connection:
                if dry_run:
                    number, rows = 0, await cancelling.preview(connection, wanted)
                else:
                    number, rows = await cancelling.cancel(
                        connection, wanted, actor=asked.actor, reason=body.reason, most=self._most
                    )
        except ValueError as error:
            raise faulty([Fault(str(error), hint="see smsgw cancel messages --help")]) from None
        return Told(shapes.CancelAnswer(number, dry_run, [shapes.CancelPreview(**row) for row in rows]))

    async def index(self, _asked: Asked) -> Told:
        """The newest ones."""
        async with borrowed(self._pool) as connection:
            return Told([shapes.Cancellation(**row) for row in await cancelling.listed(connection, LISTED)])

    async def result(self, asked: Asked) -> Told:
        """One, and what came of it."""
        if not (asked.name.isascii() and asked.name.isdecimal() and len(asked.name) < 19):
            raise NotFound("a cancellation is named by its number")
        async with borrowed(self._pool) as connection:
            summary, rows = await cancelling.result(connection, int(asked.name))
        accounts = [shapes.CancelResult(**row) for row in rows]
        return Told(shapes.CancellationResult(shapes.Cancellation(**summary), accounts))
