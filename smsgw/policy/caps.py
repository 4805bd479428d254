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
    """One cap, with what of its counters' names is the same for every message, hashed already.

    `begins`, `ends`: the seconds of the natural window that the hash is of; a rolling one has no end.
    """

    __slots__ = (
        "_hash",
        "_key",
        "_start",
        "_zone",
        "begins",
        "cap",
        "categories",
        "ends",
        "exempt",
        "length",
        "name",
        "span",
        "told",
    )

    def __init__(self, cap: Cap, zone: str, key: bytes, numbers: Mapping[str, NumberSet], *, shadow: bool) -> None:
        self.cap = cap
        self.categories = frozenset(cap.categories)
        self.exempt: Collection[str] | NumberSet = numbers[cap.exempt] if cap.exempt else ()
        self.span = QUOTA_SPANS.index(cap.span)
        self.length = LENGTHS[self.span]
        self.name = f"cap.{cap.id}"
        self.told = f"would_{cap.action}" if shadow or cap.mode == "shadow" else cap.action
        self.begins = self.ends = 0
        self._zone = zone
        self._key = key
        self._start = "\0".join((cap.scope, ",".join(sorted(self.categories)), cap.window, cap.span))
        self._hash = self._hashed("")

    def enter(self, second: int) -> None:
        """Hash the natural window into which a second falls."""
        self.begins, self.ends = by_calendar(self.span, self._zone, second)
        self._hash = self._hashed(f"{self._zone}\0{self.begins}")

    def counter(self, whose: bytes) -> int:
        """Return the name of a counter."""
        state = self._hash.copy()
        state.update(whose)
        return int.from_bytes(state.digest(), "little") - _MOST

    def _hashed(self, window: str) -> blake2b:
        begun = f"{self._start}\0{window}\0".encode()
        return blake2b(begun, key=self._key, digest_size=8, person=b"cap")


class Caps:
    """The caps of a rule set."""

    def __init__(self, caps: Sequence[Cap], zone: str, key: bytes, numbers: Mapping[str, NumberSet], *, shadow: bool) -> None:
        """`key` is for the names of counters; `numbers` has the exempt ones; `shadow`: that of the whole set."""
        self._rules = [_Rule(cap, zone, key, numbers, shadow=shadow) for cap in caps]

    def __call__(self, submission: Submission) -> tuple[Counted, ...]:
        """Return the counters of a message, in the order of the caps."""
        spelled = submission.marks.spellings(submission.destination)
        moment = int(submission.now * 1000)
        return tuple(
            [
                _counted(rule, submission, spelled[0], moment)
                for rule in self._rules
                if (not rule.categories or submission.category in rule.categories)
                and not any(digits in rule.exempt for digits in spelled)
            ]
        )


def _counted(rule: _Rule, submission: Submission, digits: str, moment: int) -> Counted:
    cap = rule.cap
    second = moment // 1000
    if cap.window == "natural":
        if not rule.begins <= second < rule.ends:
            rule.enter(second)
        till, since = rule.ends, 0
    else:
        till, since = second + rule.length, moment - rule.length * 1000
    whose = f"{digits}\0{_owner(cap.scope, submission)}".encode("utf-8", "surrogatepass")
    return Counted(rule.name, rule.counter(whose), since, moment, cap.limit, till // HOUR_S + LATE_H, rule.told)


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
