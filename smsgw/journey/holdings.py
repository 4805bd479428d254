"""Holdings: how much is held, of each account and of all, against the bounds that there are.

Messages that wait for the other parts of their text or for a person have the bounds `hold.per_account` and `hold.total`. A text
that may go, and waits for its hours, is no longer among them: a night's texts must not keep the parts of a code out. It has bounds
of its own, `hold.deferred_per_account` and `hold.deferred_total`, asked when it begins to wait: before, nobody knows that it will.
A message of one part that waits for its hours is not held at all: it is SCHEDULED.

Counted in the store once a second, and between that as things come and go here: so a bound may be passed by as much as comes to
other nodes within a second.
Never here: what becomes of what is over a bound, SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from smsgw.model import Account, Rejected
from smsgw.smpp import const

if TYPE_CHECKING:
    from smsgw.config import Hold as HoldSettings
    from smsgw.store.holds import Held
    from smsgw.telemetry import Meters

FULL: Final = Rejected(const.ESME_RMSGQFUL, "held_full")
ACCOUNT_FULL: Final = Rejected(const.ESME_RMSGQFUL, "held_by_account_full")


class Holdings:
    """What is held, by account."""

    def __init__(self, settings: HoldSettings) -> None:
        """Take the bounds."""
        self._settings = settings
        self._held: Counter[int] = Counter()
        self._deferred: Counter[int] = Counter()
        self._total = 0
        self._deferred_total = 0
        self._counted: Sequence[Held] = ()

    def enter(self, account: Account) -> Rejected | None:
        """Have one more message held; or say why it can't be."""
        if self._held[account.id] >= self._settings.per_account:
            return ACCOUNT_FULL
        if self._total >= self._settings.total:
            return FULL
        self._held[account.id] += 1
        self._total += 1
        return None

    def leave(self, account: int, messages: int, *, waited: bool = False) -> None:
        """So many have gone; `waited`: for their hours."""
        if waited:
            self._deferred[account] -= messages
            self._deferred_total -= messages
        else:
            self._held[account] -= messages
            self._total -= messages

    def defer(self, account: int, messages: int) -> bool:
        """Have so many that were held wait for their hours; False when that are too many."""
        settings = self._settings
        mine, of_all = self._deferred[account] + messages, self._deferred_total + messages
        if mine > settings.deferred_per_account or of_all > settings.deferred_total:
            return False
        self.leave(account, messages)
        self._deferred[account], self._deferred_total = mine, of_all
        return True

    def count(self, counted: Sequence[Held]) -> None:
        """Take what the store has counted."""
        self._counted = counted
        self._held, self._deferred = Counter(), Counter()
        for one in counted:
            (self._deferred if one.kind == "deferred" else self._held)[one.account] += one.messages
        self._total, self._deferred_total = self._held.total(), self._deferred.total()

    # ---- seen from outside ----------------------------------------------------------------------------------------

    def register(self, meters: Meters) -> None:
        """Export what is held."""
        kinds = ("kind",)
        what = "parts that wait for the rest of their text, in review, deferred until their hours begin."
        meters.gauge("smsgw_held_messages", f"Messages that are held: {what}", self._sum(lambda one: one.messages), kinds)
        meters.gauge("smsgw_held_texts", f"Texts that are held: {what}", self._sum(lambda one: one.texts), kinds)
        meters.gauge("smsgw_held_oldest_seconds", "Age of the oldest held text.", self._oldest, kinds)

    def _sum(self, of: Callable[[Held], int]) -> Callable[[], dict[tuple[str, ...], float]]:
        def read() -> dict[tuple[str, ...], float]:
            found: dict[tuple[str, ...], float] = dict.fromkeys(_KINDS, 0)
            for one in self._counted:
                found[one.kind,] += of(one)
            return found

        return read

    def _oldest(self) -> dict[tuple[str, ...], float]:
        found: dict[tuple[str, ...], float] = dict.fromkeys(_KINDS, 0.0)
        for one in self._counted:
            found[one.kind,] = max(found[one.kind,], one.age_s)
        return found


_KINDS: Final = (("parts",), ("review",), ("deferred",))
