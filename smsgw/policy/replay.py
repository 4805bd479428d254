"""A new rule set judged over texts that were judged before: what would be refused now, what would go, by which rule.

Both sets judge each text as it was accepted, at the time at which it was; what recipients said is asked as it is on record today.
Long messages are judged once all their parts are there, joined; whose parts are not all there are counted and not judged.

Must never: keep a text longer than it takes to join it; decide anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from smsgw.model import Account
from smsgw.policy.handset import Content, content_of
from smsgw.policy.judging import Rule, judge, steps_of
from smsgw.policy.marks import NO_MARKS, Marks
from smsgw.policy.ruleset import RuleSet
from smsgw.policy.submission import Owner, Submission
from smsgw.policy.verdict import Action, Verdict

WAITING: Final = 10_000
"""Long messages of which parts are still looked for; over it the oldest is given up."""
EXAMPLES: Final = 3
"""Messages that are named for each difference."""

_Whole = tuple[int, str, str, int, int, int]


class Said(NamedTuple):
    """One message to be judged again. `pdu`: all its octets; `at`: when it was accepted, Unix seconds."""

    id: int
    account: Account
    source: str
    destination: str
    command: int
    pdu: bytes
    at: float


class Difference(NamedTuple):
    """What both sets say where they differ: pass, flag, hold or reject, each with the rule that says it ("" where none does)."""

    before: str
    now: str
    rule_before: str
    rule_now: str


class Replay:
    """Judges by both sets and keeps what differs. `before` None: there is no set yet, and everything passed."""

    def __init__(self, before: RuleSet | None, now: RuleSet, owner: Owner, marks: Marks = NO_MARKS) -> None:
        """Take both sets; `owner` tells whose a service number is, `marks` what is on record of recipients, today."""
        self._sets = [None if policy is None else (policy, steps_of(policy)) for policy in (before, now)]
        self._owner = owner
        self._marks = marks
        self._parts: dict[_Whole, dict[int, tuple[Said, Content]]] = {}
        self.judged = 0
        self.incomplete = 0
        self.verdicts: Counter[tuple[str, str]] = Counter()
        self.differences: Counter[Difference] = Counter()
        self.examples: dict[Difference, list[tuple[Said, str]]] = {}

    def take(self, said: Said) -> None:
        """Judge one message, or keep it until the others of its text are there."""
        content = content_of(said.pdu, said.command)
        part = content.part
        if part is None or part.total < 2:
            self._judge(said, ())
            return
        whole = said.account.id, said.source, said.destination, part.width, part.ref, part.total
        found = self._parts.setdefault(whole, {})
        found[part.sequence] = said, content
        if len(found) == part.total:
            del self._parts[whole]
            ordered = [found[sequence] for sequence in sorted(found)]
            self._judge(ordered[0][0], [one for _, one in ordered])
        elif len(self._parts) > WAITING:
            self.incomplete += len(self._parts.pop(next(iter(self._parts))))

    def end(self) -> None:
        """No more messages come: what is still not whole is counted."""
        self.incomplete += sum(map(len, self._parts.values()))
        self._parts.clear()

    def _judge(self, said: Said, joined: Sequence[Content]) -> None:
        self.judged += 1
        (before, rule_before, _), (now, rule_now, text) = (self._asked(one, said, joined) for one in self._sets)
        self.verdicts["before", before] += 1
        self.verdicts["now", now] += 1
        if (before, rule_before) == (now, rule_now):
            return
        difference = Difference(before, now, rule_before, rule_now)
        self.differences[difference] += 1
        kept = self.examples.setdefault(difference, [])
        if len(kept) < EXAMPLES:
            kept.append((said, text))

    def _asked(self, one: tuple[RuleSet, Sequence[Rule]] | None, said: Said, joined: Sequence[Content]) -> tuple[str, str, str]:
        """Return (what a set does, the rule that says so, the text that it read)."""
        if one is None:
            return "pass", "", ""
        policy, steps = one
        submission = Submission(
            policy,
            said.account,
            said.source,
            said.destination,
            said.pdu,
            now=said.at,
            owner=self._owner,
            command=said.command,
            joined=joined,
            marks=self._marks,
        )
        return *_end_of(policy, judge(policy, steps, submission)), submission.shown.text


def _end_of(policy: RuleSet, verdict: Verdict) -> tuple[str, str]:
    """Return what becomes of a message by a verdict, and the rule that decides; trials decide nothing."""
    objection = verdict.objection
    if objection is not None:
        return "hold" if objection.action is Action.HOLD else "reject", objection.rule
    flags = [flag.rule for flag in verdict.flags if not (flag.shadow or policy.shadow)]
    return ("flag", flags[0]) if flags else ("pass", "")
