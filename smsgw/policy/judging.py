"""The rules in their order, and the verdict that they add up to: cheap ones first, and the first that says no decides.

A rule is a function of a set and a submission that returns findings. Shadow findings, of a rule or of a whole set, change nothing
and are told; flags let a message go and are told too.

Must never: edit a message, count (that is `docket`), judge half a message as if it were a whole one (`text.parts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from smsgw.policy import address, consent, content, kinds, wording
from smsgw.policy.ruleset import RuleSet
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import Action, Finding, Verdict

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
    ("templates", wording.templates, lambda policy: policy.table.templates is not None),
    ("terms", content.terms, lambda policy: bool(policy.term_rules)),
    ("patterns", content.patterns, lambda policy: bool(policy.table.pattern)),
    ("links", content.links, lambda policy: policy.table.links is not None),
    ("phones", content.phones, lambda policy: policy.table.phones is not None),
    ("opt_out", kinds.opt_out, lambda policy: bool(policy.table.opt_out)),
)
"""(name, rule, whether a set has such a rule), in the order in which they are asked."""


def steps_of(policy: RuleSet) -> tuple[Rule, ...]:
    """Return the rules that a set has."""
    return tuple(rule for _, rule, there in RULES if there(policy))


def judge(policy: RuleSet, steps: Sequence[Rule], submission: Submission) -> Verdict:
    """Ask the rules in their order until one says no."""
    flags: list[Finding] | None = None
    objection: Finding | None = None
    for step in steps:
        for finding in step(policy, submission):
            if finding.shadow or policy.shadow or finding.action is Action.FLAG:
                flags = flags or []
                flags.append(finding)
            elif objection is None or finding.action > objection.action:
                objection = finding
        if objection is not None:
            break
    carriers = None
    if policy.filed:
        filed = policy.filed.get(submission.signed.signature)
        carriers = filed[1] if filed is not None and filed[1] else None
    category = submission.category if policy.table.category is not None or policy.templates is not None else ""
    return Verdict(category, objection, tuple(flags) if flags else (), carriers)


def every_finding(policy: RuleSet, submission: Submission) -> Iterator[tuple[str, Sequence[Finding]]]:
    """Yield what each rule of a set says of a message, whatever the ones before it said: for whoever asks why."""
    for name, rule, there in RULES:
        if there(policy):
            yield name, rule(policy, submission)
