"""The docket: what was judged, by which set, with what end; and what happens when judging itself fails.

A set that breaks (an engine's exception, a canary that is not found, files that could not be compiled) judges by its fail mode,
`hold` if it says nothing else: never does a message pass because nobody could look at it. Parts of a long text are judged twice:
at the door by what needs no text, and, joined, by everything.

What no person can waive (what the recipient said, hours, caps) is asked all the same of what is held; where it cannot be told,
what a person lets go waits (journey/weigh).

Must never: await, keep content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import structlog

from smsgw.model import Account, Message, Rejected, State
from smsgw.policy.caps import Counted
from smsgw.policy.content import INJECTED
from smsgw.policy.glance import Glance, Look
from smsgw.policy.handset import content_of, plainly
from smsgw.policy.judging import (
    Rule,
    at_door,
    category_by,
    clear_steps_of,
    default_alone,
    door_of,
    judge,
    plain_steps_of,
    steps_of,
    unwaived,
)
from smsgw.policy.marks import NO_MARKS, Marks, Scope, block_word
from smsgw.policy.matcher import EngineFailed
from smsgw.policy.pumping import Pumping
from smsgw.policy.ruleset import RuleSet
from smsgw.policy.statuses import refusal
from smsgw.policy.submission import Owner, Submission
from smsgw.policy.verdict import PASSING, Action, Finding, Verdict
from smsgw.smpp import const
from smsgw.smpp.const import SUBMIT_SM
from smsgw.smpp.pdu import read_data_sm, read_sm

BROKEN: Final = "policy_failed"
HELD: Final = "held"
CHECK_EVERY_S: Final = 60
_ACTIONS: Final = {Action.FLAG: "flag", Action.DEFER: "defer", Action.HOLD: "hold", Action.REJECT: "reject"}
_UNDELIVERED: Final = frozenset({State.FAILED, State.REFUSED})
_FAILED: Final = {"hold": Action.HOLD, "reject": Action.REJECT, "pass": Action.FLAG}


class _InForce(NamedTuple):
    """A set with its rules: all, those for a plain message, those for one whose words are clear.

    `door`: those for a part that will be joined (None: parts are not). `look`: the first look at a plain message (None: the set is
    broken). `alone`: the category of one that is clear and fits no template, where no other rule is asked (None: one is).
    """

    policy: RuleSet
    steps: tuple[Rule, ...]
    plain: tuple[Rule, ...]
    clear: tuple[Rule, ...]
    door: tuple[Rule, ...] | None
    look: Callable[[str], Look] | None
    alone: str | None


def _in_force(policy: RuleSet) -> _InForce:
    clear = clear_steps_of(policy)
    alone = None if clear else default_alone(policy)
    return _InForce(policy, steps_of(policy), plain_steps_of(policy), clear, door_of(policy), Glance(policy).look, alone)


class Docket:
    """The rule sets in force, by name, and what came of them. `policies` is replaced as a whole."""

    def __init__(
        self,
        policies: Mapping[str, RuleSet],
        on_failure: Callable[[str, Exception], None] | None = None,
        *,
        marks: Marks = NO_MARKS,
        watched: int = 2_000,
    ) -> None:
        """`on_failure` is told (set, exception) once for each set and version that fails to judge.

        `marks`: what is on record about recipients, which sets and block lists ask. So many accounts at most are `watched` for
        pumping.
        """
        self.marks = marks
        self.pumping = Pumping(most=watched)
        self._on_failure = _logged if on_failure is None else on_failure
        self.verdicts: Counter[tuple[str, ...]] = Counter()
        self.hits: Counter[tuple[str, ...]] = Counter()
        self.failures: Counter[tuple[str, ...]] = Counter()
        self._told: set[str] = set()
        self._steps: dict[str, _InForce] = {}
        self.apply(policies)

    def apply(self, policies: Mapping[str, RuleSet]) -> None:
        """Take new sets: what is being judged now is judged to its end by the set it began with.

        One that is the same stays as it is: broken, if it was found so.
        """
        before = self._steps
        self._steps = {
            name: before[name] if name in before and before[name].policy is policy else _in_force(policy)
            for name, policy in policies.items()
        }
        for key in [key for key in self.hits if key[0] not in policies]:
            del self.hits[key]

    def hits_by_class(self) -> dict[tuple[str, ...], float]:
        """Return (policy, class of rule, action) → findings: few labels, however many rules there are."""
        found: Counter[tuple[str, ...]] = Counter()
        for (name, rule, action), count in self.hits.items():
            found[name, rule.partition(".")[0], action] += count
        return dict(found)

    def rule_sets(self) -> list[RuleSet]:
        """Return the sets in force."""
        return [one.policy for one in self._steps.values()]

    def __call__(  # noqa: PLR0917 - a message, as the journey has it
        self, account: Account, source: str, destination: str, pdu: bytes, now: float, owner: Owner, command: int, version: int
    ) -> Verdict:
        """Judge a message by the set of its account."""
        name = account.policy
        found = self._steps.get(name)
        if found is None:
            return self._failed(name, None, EngineFailed("it is not loaded"))
        policy, steps, plain, clear, door, glance, alone = found
        table = policy.table
        try:
            if table.pumping is not None:
                self.pumping.attempt(account, table.pumping, destination, now, shadow=policy.shadow)
            look = None
            if command == SUBMIT_SM and glance is not None:
                text = plainly(pdu, source, destination, table.text.alphabet)
                if text is not None:
                    look = glance(text)
                    if look[3] and alone is not None:
                        templates = policy.templates
                        if templates is not None and templates.may_fit(text):
                            alone = category_by(templates, text)
                        self.verdicts[name, "pass"] += 1
                        return PASSING[alone]
            submission = Submission(
                policy,
                account,
                source,
                destination,
                pdu,
                now=now,
                owner=owner,
                command=command,
                version=version,
                marks=self.marks,
                look=look,
            )
            if look is not None:
                verdict = judge(policy, clear if look[3] else plain, submission)
            elif door is not None and submission.part is not None and submission.part.total > 1:
                verdict = at_door(policy, door, submission)
                if verdict.objection is None:
                    return verdict  # counted once the whole is judged
            else:
                verdict = judge(policy, steps, submission)
        except Exception as error:  # noqa: BLE001 - one message that a rule cannot bear must not end the session
            return self._failed(name, policy, error)
        if verdict.simply:
            self.verdicts[name, "pass"] += 1
        else:
            self._count(name, verdict)
        return verdict

    def held(  # noqa: PLR0917 - a text, as the journey has it
        self,
        account: Account,
        source: str,
        destination: str,
        parts: Sequence[tuple[bytes, int]],
        now: float,
        owner: Owner,
        *,
        joined: bool,
    ) -> Verdict:
        """Judge what was held: the (PDU, command) of all parts of a text in their order, read as one; or a message by itself.

        `source`: the tenant's own. Octets stay as they are from acceptance on: what would be changed only by now, a sender that is
        to give way or a TLV that is to be put in, may not go.
        """
        name = account.policy
        found = self._steps.get(name)
        if not name:
            return Verdict()  # it is judged no longer
        if found is None:
            return msgspec.structs.replace(self._failed(name, None, EngineFailed("it is not loaded")), unsaid=True)
        policy, steps = found.policy, found.steps
        submission: Submission | None = None
        try:
            contents = [content_of(pdu, command) for pdu, command in parts] if joined else []
            submission = Submission(
                policy,
                account,
                source,
                destination,
                parts[0][0],
                now=now,
                owner=owner,
                command=parts[0][1],
                joined=contents,
                marks=self.marks,
            )
            verdict = judge(policy, steps, submission, held=True)
            if verdict.sender is not None and _source_in(*parts[0]) == source:
                verdict = msgspec.structs.replace(verdict, objection=Finding(Action.REJECT, "sender", "sender.replace"))
            elif verdict.added and (verdict.objection is None or verdict.objection.action is not Action.REJECT):
                verdict = _lacking(verdict)
        except Exception as error:  # noqa: BLE001 - as above
            return _with_unwaived(self._failed(name, policy, error), policy, submission)
        self._count(name, verdict)
        return verdict

    def ended(self, message: Message, now: float) -> None:
        """A message has come to its end: where its policy looks for pumping, that tells whether such are delivered."""
        found = self._steps.get(message.account.policy)
        if found is None or found[0].table.pumping is None:
            return
        delivered = message.state is State.DELIVERED
        if delivered or message.state in _UNDELIVERED or (message.state is State.EXPIRED and message.sent_at):
            policy, table = found[0], found[0].table.pumping
            self.pumping.ended(message.account, table, now, delivered=delivered, shadow=policy.shadow)

    def releases_missing(self, account: Account) -> bool:
        """Tell whether parts may go whose text never became whole: the set says so, or does not join, or there is none now."""
        found = self._steps.get(account.policy)
        if found is None:
            return not account.policy
        return found.door is None or found.policy.table.text.missing == "release"

    def _count(self, name: str, verdict: Verdict) -> None:
        objection = verdict.objection
        if objection is None:
            self.verdicts[name, "defer" if verdict.due else "flag" if verdict.flags else "pass"] += 1
        else:
            self.verdicts[name, _ACTIONS[objection.action]] += 1
            self.hits[name, objection.rule, _ACTIONS[objection.action]] += 1
        for flag in verdict.flags:
            told = _ACTIONS[flag.action]
            self.hits[name, flag.rule, told if flag.action is Action.FLAG and not flag.shadow else f"would_{told}"] += 1

    def replaced(self, account: Account) -> None:
        """Count a sender that gave way to its country's."""
        self.hits[account.policy, "sender.replace", "replace"] += 1

    def capped(self, account: Account, caps: Sequence[Counted]) -> str:
        """Count caps that a message of an account was over, as the store has decided; returns how record lines name them."""
        for cap in caps:
            self.hits[account.policy, cap.rule, cap.told] += 1
        return " ".join(self.named(account, cap.rule) for cap in caps)

    def _failed(self, name: str, policy: RuleSet | None, error: Exception) -> Verdict:
        """Judge by the fail mode."""
        self.failures[name,] += 1
        version = policy.version if policy is not None else ""
        if f"{name}@{version}" not in self._told:
            self._told.add(f"{name}@{version}")
            self._on_failure(name, error)
        action = _FAILED[policy.table.fail if policy is not None else "hold"]
        finding = Finding(action, BROKEN, "fail")
        self._count(name, verdict := Verdict("", None if action is Action.FLAG else finding, (finding,) * (action is Action.FLAG)))
        return verdict

    def tick(self, second: int) -> None:
        """Called once a second: a check every minute."""
        if second % CHECK_EVERY_S == 0:
            self.check()

    def check(self) -> None:
        """Ask every engine for its canary; a set that fails judges by its fail mode until another version comes."""
        for name, found in list(self._steps.items()):
            try:
                found.policy.check()
            except Exception as error:  # noqa: BLE001 - whatever an engine raises, it is broken
                self._steps[name] = found._replace(steps=(_broken,), plain=(_broken,), clear=(_broken,), look=None, alone=None)
                self._on_failure(name, error)

    def rule_of(self, account: Account, finding: Finding) -> str:
        """Return how a finding is named in record lines: set, version, rule, and where it matched."""
        return self.named(account, finding.rule) + (f":{finding.span}" if finding.span else "")

    def named(self, account: Account, rule: str) -> str:
        """Return a rule with its set and version."""
        found = self._steps.get(account.policy)
        version = found.policy.version[:8] if found is not None else ""
        return f"{account.policy}@{version}:{rule}"


def _with_unwaived(verdict: Verdict, policy: RuleSet, submission: Submission | None) -> Verdict:
    """Return what a set that fails says of what is held, with what no person can waive; `unsaid` where that cannot be told."""
    try:
        if submission is None:
            raise EngineFailed("it cannot be read")
        stops, due, caps = unwaived(policy, submission)
    except Exception:  # noqa: BLE001 - whatever an engine raises, it is broken, which is told already
        return msgspec.structs.replace(verdict, unsaid=True)
    return msgspec.structs.replace(verdict, stops=stops, due=due, caps=caps)


def _source_in(pdu: bytes, command: int) -> str:
    """Return the source address that a PDU has."""
    return (read_data_sm(pdu) if command == const.DATA_SM else read_sm(pdu)).source.decode("latin-1")


def _lacking(verdict: Verdict) -> Verdict:
    """Return a verdict that puts a TLV in as the refusal that it is where nothing can be put in any more."""
    named = [flag.rule.removesuffix(INJECTED) for flag in verdict.flags if flag.rule.endswith(INJECTED)]
    flags = tuple(flag for flag in verdict.flags if not flag.rule.endswith(INJECTED))
    return msgspec.structs.replace(verdict, objection=Finding(Action.REJECT, "tlv_missing", named[0]), flags=flags, added=b"")


def _logged(policy: str, error: Exception) -> None:
    """Tell the log, without the exception's text, which may quote content."""
    structlog.get_logger().error("policy_failed", policy=policy, error=type(error).__name__)


def _broken(_policy: RuleSet, _submission: Submission) -> tuple[Finding, ...]:
    raise EngineFailed("its canary was not found")


def refused(account: Account, finding: Finding, rule: str) -> Rejected:
    """Return what the tenant and the record are told of an objection. What is to be held, and cannot be, is refused as `held`."""
    reason = HELD if finding.action is Action.HOLD and finding.reason != BROKEN else finding.reason
    told = refusal(reason, strict_34=account.strict_34)
    assert told is not None, reason
    return Rejected(told.status, reason, rule)


def blocked(account: Account, scope: Scope) -> Rejected:
    """Return what the tenant and the record are told of a recipient on a block list."""
    told = refusal("blocked", strict_34=account.strict_34)
    assert told is not None
    return Rejected(told.status, told.reason, block_word(scope))
