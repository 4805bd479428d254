"""Rules about a text's frame: its signature 【…】 and the template that it fits.

Never here: words in it (`content`).
"""

from __future__ import annotations

from collections.abc import Sequence

from smsgw.policy.content import tried_apart
from smsgw.policy.normal import n1, n2
from smsgw.policy.ruleset import ACTIONS, RuleSet
from smsgw.policy.signature import fitting
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import NO_FINDINGS, Action, Finding


def signature(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """There is exactly one, where it belongs, of a length that carriers take, approved for the number that it is sent from."""
    rule = policy.table.signature
    assert rule is not None
    part = submission.part
    if part is not None and part.sequence > 1:
        return NO_FINDINGS  # the first part bears it
    fault = _signature_fault(policy, submission)
    return (Finding(Action.REJECT, "signature", f"signature.{fault}", rule.mode == "shadow"),) if fault else NO_FINDINGS


def _signature_fault(policy: RuleSet, submission: Submission) -> str:
    rule = policy.table.signature
    assert rule is not None
    name, _, count, front = submission.signed
    if not count:
        return "missing" if rule.required else ""
    if count > 1 or _turned(submission.shown.text):
        return "several"
    if rule.place == "front" and not front:
        return "place"
    least, most = rule.lengths
    if not least <= len(name) <= most or not _seen(name, least):
        return "length"
    filed = policy.filed.get(name)
    if filed is None:
        return "not_filed" if rule.only_filed else ""
    if not any(one.approved for one in filed):
        return "not_approved"
    return "" if fitting(filed, submission.source) else "number"


def _turned(text: str) -> bool:
    """Tell whether there are signs of another signature as it stands in vertical writing: a handset shows them turned."""
    return "︻" in text or "︼" in text


def _seen(name: str, least: int) -> bool:
    """Tell whether so much of a name is seen: spaces and what has no width are not, and signs alone make none."""
    if name.isalnum():
        return True
    form = n1(name)
    return bool(n2(form)) and len("".join(form.split())) >= least


def templates(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """With `only`, what fits no template does not go. Of a part that a trial does not join nobody knows what the whole fits."""
    rule = policy.table.templates
    assert rule is not None
    if not rule.only or submission.template is not None or (policy.shadow and tried_apart(policy, submission)):
        return NO_FINDINGS
    return (Finding(ACTIONS[rule.action], "template", "templates.only", rule.mode == "shadow"),)
