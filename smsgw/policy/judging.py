"""The rules in their order, and the verdict that they add up to: cheap ones first, and the first that says no decides.

A rule is a function of a set and a submission that returns findings. Shadow findings, of a rule or of a whole set, change nothing
and are told; flags let a message go and are told too.

Must never: edit a message (what a set puts in, its verdict tells), count (that is `docket`), judge half a message as if it were a
whole one: of a part that will be joined only the rules are asked that read no text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Final

from smsgw.policy import address, consent, content, kinds, wording
from smsgw.policy.ruleset import RuleSet
from smsgw.policy.signature import signed
from smsgw.policy.submission import DEFAULT, Submission
from smsgw.policy.templates import Templates
from smsgw.policy.verdict import PASSING, Action, Finding, Part, Verdict
from smsgw.smpp import tlv

Rule = Callable[[RuleSet, Submission], Sequence[Finding]]

RULES: Final[tuple[tuple[str, Rule, Callable[[RuleSet], bool]], ...]] = (
    ("sender", address.sender, lambda policy: policy.table.sender is not None),
    ("recipient", address.recipient, lambda policy: policy.table.recipient is not None),
    ("tlv", content.tlvs, lambda policy: bool(policy.table.tlv)),
    ("text", content.readable, lambda policy: True),  # noqa: ARG005 - octets are always read
    ("category", kinds.category, lambda policy: policy.table.category is not None),
    ("consent", consent.consent, consent.asks),
    ("hours", kinds.hours, lambda policy: bool(policy.table.hours)),
    ("signature", wording.signature, lambda policy: policy.table.signature is not None),
    ("templates", wording.templates, lambda policy: policy.table.templates is not None and policy.table.templates.only),
    ("terms", content.terms, lambda policy: bool(policy.term_rules)),
    ("patterns", content.patterns, lambda policy: bool(policy.table.pattern)),
    ("links", content.links, lambda policy: policy.table.links is not None),
    ("phones", content.phones, lambda policy: policy.table.phones is not None),
    ("opt_out", kinds.opt_out, lambda policy: bool(policy.table.opt_out)),
)
"""(name, rule, whether a set has such a rule), in the order in which they are asked."""


_DOOR: Final = frozenset({"sender", "recipient", "tlv"})
_ASKED_ALWAYS: Final = frozenset({"recipient", "consent", "hours"})
_NOBODY_DECIDES: Final = frozenset({"blocked", "opted_out", "no_consent", "hours"})
"""Rules, and reasons of theirs, about which no person decides: a recipient's word, and the hours."""


def steps_of(policy: RuleSet) -> tuple[Rule, ...]:
    """Return the rules that a set has."""
    return tuple(rule for _, rule, there in RULES if there(policy))


def plain_steps_of(policy: RuleSet) -> tuple[Rule, ...]:
    """Return those of them that can object to a plain message: it is whole, and reads in one way."""
    return tuple(rule for name, rule, there in RULES if there(policy) and name != "text")


def clear_steps_of(policy: RuleSet) -> tuple[Rule, ...]:
    """Return those of them that can object to a plain message in which neither term nor pattern was found."""
    return tuple(rule for name, rule, there in RULES if there(policy) and name not in {"text", "terms", "patterns"})


def default_alone(policy: RuleSet) -> str | None:
    """Return the category of a message that fits no template, where nothing but the text has a say; None: it has to be judged."""
    if policy.filed or policy.table.category is not None or policy.caps is not None:
        return None
    return "" if policy.templates is None else DEFAULT


def category_by(templates: Templates, text: str) -> str:
    """Return the category that the text's template gives it, else the default."""
    signature, body, _, _ = signed(text)
    template = templates.find(signature, body)
    return template.category if template is not None and template.category else DEFAULT


def door_of(policy: RuleSet) -> tuple[Rule, ...] | None:
    """Return the rules that are asked of a part before its text is joined; None where parts are not joined."""
    if not content.joins(policy):
        return None
    return tuple(rule for name, rule, there in RULES if name in _DOOR and there(policy))


def at_door(policy: RuleSet, door: Sequence[Rule], submission: Submission) -> Verdict:
    """Ask of a part what needs no text. Its category is that of its sender, or the set's default: the text is not known yet."""
    objection, flags, _ = _asked(policy, door, submission)
    category = submission.category_unread if policy.table.category is not None else ""
    part, content = submission.part, submission.content
    assert part is not None
    header = content.header
    how = (header.single_shift, header.locking_shift, header.ports) if header is not None else None
    read = f"{content.data_coding}/{how}/{content.told_once}/{content.schedule!r}/"
    digest = blake2b(read.encode() + content.octets, digest_size=16).hexdigest()
    named = Part(f"{part.width}:{part.ref}", part.sequence, part.total, digest)
    return Verdict(category, objection, flags, part=named, added=_tlvs(submission), sender=submission.replacement)


def judge(policy: RuleSet, steps: Sequence[Rule], submission: Submission, *, held: bool = False) -> Verdict:
    """Ask the rules in their order until one says no. A person may let go what is `held`: then more is told than that no."""
    objection, flags, deferred = _asked(policy, steps, submission)
    due, stops = 0.0, None
    if held and objection is not None:
        stops, deferred = whoever_lets_it_go(policy, submission)
    if deferred is not None and (held or objection is None or objection.action is Action.HOLD):
        due = kinds.opens_at(policy, submission)
        if not due:
            objection = stops = Finding(Action.REJECT, deferred.reason, deferred.rule)
    carriers = None
    if policy.filed:
        filed = policy.filed.get(submission.signed.signature)
        carriers = filed[1] if filed is not None and filed[1] else None
    templates = policy.templates
    if policy.table.category is not None or (templates is not None and templates.may_fit(submission.shown.text)):
        category = submission.category
    else:
        category = "" if templates is None else DEFAULT
    caps = policy.caps(submission) if policy.caps is not None and (held or objection is None) else ()
    added = _tlvs(submission) if submission.added else b""
    sender = submission.replacement
    if objection is None and deferred is None and carriers is None and sender is None and not flags and not caps and not added:
        return PASSING[category]
    return Verdict(category, objection, flags, carriers, caps, due=due, added=added, sender=sender, stops=stops)


def whoever_lets_it_go(policy: RuleSet, submission: Submission) -> tuple[Finding | None, Finding | None]:
    """Return what keeps a message from going, and what wants it to wait, although a rule before them objects already."""
    deferred: Finding | None = None
    for name, rule, there in RULES:
        if name not in _ASKED_ALWAYS or not there(policy):
            continue
        for finding in rule(policy, submission):
            if finding.shadow or policy.shadow or finding.reason not in _NOBODY_DECIDES:
                continue
            if finding.action is Action.DEFER:
                deferred = finding
            elif finding.action is Action.REJECT:
                return finding, deferred
    return None, deferred


def _tlvs(submission: Submission) -> bytes:
    """Return the TLVs that are put into a message."""
    return b"".join(tlv.append(tag, value) for tag, value in submission.added.items())


def _asked(
    policy: RuleSet, steps: Sequence[Rule], submission: Submission
) -> tuple[Finding | None, tuple[Finding, ...], Finding | None]:
    """Return the objection that decides, the flags up to it, and what wants the message to wait."""
    flags: list[Finding] | None = None
    objection: Finding | None = None
    deferred: Finding | None = None
    for step in steps:
        for finding in step(policy, submission):
            if finding.shadow or policy.shadow or finding.action is Action.FLAG:
                flags = flags or []
                flags.append(finding)
            elif finding.action is Action.DEFER:
                deferred = finding
            elif objection is None or finding.action > objection.action:
                objection = finding
        if objection is not None:
            break
    return objection, tuple(flags) if flags else (), deferred


def every_finding(policy: RuleSet, submission: Submission) -> Iterator[tuple[str, Sequence[Finding]]]:
    """Yield what each rule of a set says of a message, whatever the ones before it said: for whoever asks why."""
    for name, rule, there in RULES:
        if there(policy):
            yield name, rule(policy, submission)
