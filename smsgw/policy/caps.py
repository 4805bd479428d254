"""Caps: by which counters a message is counted so that nobody gets too many, and how many each may hold.

A counter stands for one recipient and whoever is counted together: a signature, a template, an account, or all of the platform. It
is named by a keyed hash, because eleven digits are soon guessed; the key lies outside the database. Signatures and templates are
those of one tenant: another one with the same words has counters of its own. Messages without a signature, or by no template, are
counted together, so that leaving it out dodges nothing.

A natural window has a counter of its own, whose window its name tells. A rolling one is counted to the millisecond by the moments
that the counter keeps. What decides is the unit of work, in the transaction that stores the message; here is only said by what.

Must never: count; hold an address in clear.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from smsgw.model import QUOTA_SPANS
from smsgw.policy.file import Cap
from smsgw.policy.numbers import canonical
from smsgw.spans import LENGTHS, by_calendar

if TYPE_CHECKING:
    from smsgw.policy.numbers import NumberSet
    from smsgw.policy.submission import Submission

HOUR_S: Final = 3_600
LATE_H: Final = 1
"""Hours that a counter outlives its window: so late may a message still be stored that was accepted within it."""
_MOST: Final = 1 << 63


class Counted(msgspec.Struct, frozen=True, gc=False):
    """A counter that a message is counted by. Moments in milliseconds (Unix).

    `key`: its name, 64 bits with a sign. `since`: what was counted at this moment or before does not count any more. `moment`: the
    message's own. `limit`: how many it may hold. `keep_h`: the hour since 1970 after which nobody asks for it. `told`: what is said
    of a message over it: reject, and it does not go; or flag, would_reject, would_flag, and it does.
    """

    rule: str
    key: int
    since: int
    moment: int
    limit: int
    keep_h: int
    told: str = "reject"

    @property
    def enforced(self) -> bool:
        """Tell whether a message over it is refused."""
        return self.told == "reject"


class _Rule:
    """One cap, with what of its counters' names is the same for every message."""

    __slots__ = ("cap", "categories", "exempt", "length", "name", "span", "start", "told")

    def __init__(self, cap: Cap, numbers: Mapping[str, NumberSet], *, shadow: bool) -> None:
        self.cap = cap
        self.categories = frozenset(cap.categories)
        self.exempt: Collection[str] | NumberSet = numbers[cap.exempt] if cap.exempt else ()
        self.span = QUOTA_SPANS.index(cap.span)
        self.length = LENGTHS[self.span]
        self.name = f"cap.{cap.id}"
        self.told = f"would_{cap.action}" if shadow or cap.mode == "shadow" else cap.action
        self.start = "\0".join((cap.scope, ",".join(sorted(self.categories)), cap.window, cap.span))


class Caps:
    """The caps of a rule set."""

    def __init__(self, caps: Sequence[Cap], zone: str, key: bytes, numbers: Mapping[str, NumberSet], *, shadow: bool) -> None:
        """`key` is for the names of counters; `numbers` has the exempt ones; `shadow`: that of the whole set."""
        self._rules = [_Rule(cap, numbers, shadow=shadow) for cap in caps]
        self._zone = zone
        self._key = key

    def __call__(self, submission: Submission) -> tuple[Counted, ...]:
        """Return the counters of a message, in the order of the caps."""
        digits = canonical(submission.destination)
        return tuple(
            self._counted(rule, submission, digits)
            for rule in self._rules
            if (not rule.categories or submission.category in rule.categories) and digits not in rule.exempt
        )

    def _counted(self, rule: _Rule, submission: Submission, digits: str) -> Counted:
        cap = rule.cap
        moment = int(submission.now * 1000)
        if cap.window == "natural":
            start, till = by_calendar(rule.span, self._zone, moment // 1000)
            window, since = f"{self._zone}\0{start}", 0
        else:
            till = moment // 1000 + rule.length
            window, since = "", moment - rule.length * 1000
        return Counted(
            rule.name,
            self._hashed(f"{rule.start}\0{window}\0{digits}\0{_owner(cap.scope, submission)}"),
            since,
            moment,
            cap.limit,
            till // HOUR_S + LATE_H,
            rule.told,
        )

    def _hashed(self, text: str) -> int:
        octets = blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=8, person=b"cap").digest()
        return int.from_bytes(octets, "little") - _MOST


def _owner(scope: str, submission: Submission) -> str:
    """Return who is counted together. Words of tenants stand last, where they cannot be taken for anything else."""
    match scope:
        case "platform":
            return ""
        case "account":
            return str(submission.account.id)
        case "template":
            template = submission.template
            by = template.id if template is not None else ""
            return f"{submission.account.tenant.id}\0{by}\0{submission.signed.signature}"
        case _:
            return f"{submission.account.tenant.id}\0{submission.signed.signature}"
