"""Appeals: what a tenant answers to a step of the ladder, written down against that step, and what became of it.

Each leaves an audit row beside those of the steps, so that the history shows them together, and the outcome a notice. Must never:
change a state: whoever grants an appeal does that by the command for it.
"""

from __future__ import annotations

from typing import Final

from smsgw.admin.standing import NotAllowed, NotFound, find
from smsgw.store import appeals as store
from smsgw.store import notices, provisioning
from smsgw.store.appeals import Appeal
from smsgw.store.database import Connection

__all__ = ["OUTCOMES", "NotAllowed", "NotFound", "answer", "record"]

OUTCOMES: Final = ("kept", "eased", "lifted")
MOST_OPEN: Final = 20
LONGEST_TEXT: Final = 2_000
LONGEST_NAME: Final = 100


async def record(
    connection: Connection, kind: str, name: str, text: str, *, said_by: str, step: int = 0, actor: str, dry_run: bool = False
) -> int:
    """Write down what a tenant says to a step (0: the newest one); returns its number. Raises NotFound, NotAllowed, ValueError."""
    text, said_by = text.strip(), said_by.strip()
    if not 0 < len(text) <= LONGEST_TEXT or not 0 < len(said_by) <= LONGEST_NAME:
        raise ValueError(
            f"an appeal has a text of 1 to {LONGEST_TEXT} characters, and a name of 1 to {LONGEST_NAME} of who says it"
        )
    async with connection.transaction():
        await provisioning.lock(connection)
        of = await find(connection, kind, name)
        steps = await store.steps(connection, of)
        if not steps or (step and step not in steps):
            what = f"step {step}" if step else "step at all"
            raise NotFound(f"there is no {what} of {kind} {name!r} to answer to: `smsgw state history` numbers them")
        if await store.open_of(connection, of) >= MOST_OPEN:
            raise NotAllowed(f"{kind} {name!r} has {MOST_OPEN} appeals without an outcome: answer those first")
        if dry_run:
            return 0
        number = await store.add(connection, of, step or steps[0], said_by, text, actor)
        said = {"appeal": number, "step": step or steps[0], "by": said_by, "text": text}
        await provisioning.audit(connection, actor, (f"{kind}_appeal", name), None, said)
        return number


async def answer(connection: Connection, number: int, outcome: str, *, actor: str, reason: str, dry_run: bool = False) -> Appeal:
    """Write down what became of an appeal, once, and tell the tenant. Raises NotFound, NotAllowed, ValueError."""
    if outcome not in OUTCOMES:
        raise ValueError(f"{outcome!r} is no outcome: {', '.join(OUTCOMES)}")
    async with connection.transaction():
        await provisioning.lock(connection)
        held = await store.hold(connection, number)
        if held is None:
            raise NotFound(f"there is no appeal {number}")
        if held.outcome:
            raise NotAllowed(f"appeal {number} was answered by {held.outcome_by}: {held.outcome}; another one may be recorded")
        of = await find(connection, held.kind, held.name)
        if not dry_run:
            await store.answer(connection, number, outcome, actor)
            old, new = ({"appeal": number, "step": held.step, "outcome": word} for word in ("", outcome))
            await provisioning.audit(connection, actor, (f"{held.kind}_appeal", held.name), old, new, reason)
            said = {"name": held.name, "step": held.step, "outcome": outcome, "reason": reason}
            await notices.add(connection, of.tenant, "appeal", said, account=of.account, coalesce_key=f"appeal:{number}")
        return held
