"""What was submitted, against the books: nothing acknowledged may be missing, nothing may be there twice, and the money must fit.

Asked of the store alone, by its own functions; what the tenants saw comes from the tenants.

Must never: take the gateway's own word for what it has done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from smsgw.model import FIRST_FINAL, State
from smsgw.store import invariants

_LOOK_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """The books at the end. `states`: messages by state; `wrong`: one line for each thing that does not fit."""

    submitted: int
    states: dict[State, int]
    wrong: tuple[str, ...]

    @property
    def open(self) -> int:
        """How many messages have no final state yet."""
        return sum(count for state, count in self.states.items() if state < FIRST_FINAL)

    def lines(self) -> list[str]:
        """Say it for people."""
        finals = " + ".join(f"{count:,} {state.name}" for state, count in sorted(self.states.items()) if state >= FIRST_FINAL)
        sign = "=" if self.submitted == sum(self.states.values()) else "≠"
        lines = [f"submitted {self.submitted:,} {sign} {finals or '0'} + {self.open:,} open"]
        return [*lines, *(self.wrong or ("the ledger agrees: every invariant of the books holds",))]


async def settle(connection: Any, submitted: Callable[[], int], wait_s: float) -> None:
    """Wait until what was submitted is in the books and nothing is open, at most so long."""
    until = asyncio.get_running_loop().time() + wait_s
    while asyncio.get_running_loop().time() < until:
        totals = await invariants.totals(connection)
        if sum(totals.values()) == submitted() and all(state >= FIRST_FINAL for state in totals):
            return
        await asyncio.sleep(_LOOK_S)


async def verdict(connection: Any, submitted: int, seen_wrong: int = 0) -> Verdict:
    """Compare; `seen_wrong`: what the tenants themselves found wrong."""
    totals = await invariants.totals(connection)
    wrong = [f"broken: {broken.name}: {broken.rows[0]}" for broken in await invariants.check(connection)]
    found = sum(totals.values())
    if found != submitted:
        wrong.append(f"{submitted:,} messages were acknowledged, {found:,} are in the books")
    if seen_wrong:
        wrong.append(f"the tenants saw {seen_wrong:,} answers or receipts that cannot be right")
    return Verdict(submitted, {State(state): count for state, count in totals.items()}, tuple(wrong))
