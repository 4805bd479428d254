"""The rule about what recipients want: marketing goes to nobody who has refused it, and where a set says so only to who consented.

Codes and notices are never stopped by it. What recipients said is on record (`smsgw.policy.marks`); the text decides the kind.

Never here: block lists (they stop everything, for accounts without a set too: `smsgw.journey.accept`), how a record comes about.
"""

from __future__ import annotations

from collections.abc import Sequence

from smsgw.policy.marks import consented, opted_out
from smsgw.policy.ruleset import RuleSet
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import NO_FINDINGS, Action, Finding


def asks(policy: RuleSet) -> bool:
    """Tell whether a set asks what recipients want: it has keywords by which they say so, or the table itself."""
    return policy.table.consent is not None or bool(policy.table.keyword)


def consent(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """Marketing alone: not to a recipient who has refused it; with `required`, only to one who consented."""
    if submission.category != "marketing":
        return NO_FINDINGS
    rule = policy.table.consent
    shadow = rule is not None and rule.mode == "shadow"
    account = submission.account
    scopes = submission.marks.found(submission.destination)
    if scopes:
        refused = opted_out(scopes, account, submission.source, submission.signed.signature)
        if refused is not None:
            return (Finding(Action.REJECT, "opted_out", f"consent.{refused.level}", shadow),)
    if rule is not None and rule.required and not consented(scopes, account):
        return (Finding(Action.REJECT, "no_consent", "consent.required", shadow),)
    return NO_FINDINGS
