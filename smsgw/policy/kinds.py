"""Rules about what kind of message it is: allowed categories, hours of sending, the way to refuse that marketing must name.

How the category is found stands in `submission`: by template, by sender, by words, else the set's default.
Never here: deferral to the next allowed hour (that needs a schedule; a message out of hours is refused).
"""

from __future__ import annotations

from collections.abc import Sequence

from smsgw.numbering.plan import minutes_of_day
from smsgw.policy.ruleset import ACTIONS, RuleSet
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import NO_FINDINGS, Action, Finding


def category(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """Only allowed categories go."""
    rule = policy.table.category
    assert rule is not None
    if submission.category in rule.allowed:
        return NO_FINDINGS
    return (Finding(Action.REJECT, "category", f"category.{submission.category}", rule.mode == "shadow"),)


def hours(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """It has to be between both times in every zone that the recipient may be in; a number in no zone is not sent to."""
    for at, rule in enumerate(policy.table.hours):
        if submission.category not in rule.categories:
            continue
        place = submission.place
        if rule.countries and place.country not in rule.countries:
            continue
        begin, end = policy.hours[at]
        minutes = minutes_of_day(place.zones, submission.now)
        if not minutes or not all(begin <= minute < end for minute in minutes):
            return (Finding(Action.REJECT, "hours", f"hours.{rule.id or at + 1}", rule.mode == "shadow"),)
    return NO_FINDINGS


def opt_out(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """Marketing has to tell how it is refused: one of the words stands in it."""
    for at, rule in enumerate(policy.table.opt_out):
        if submission.category not in rule.categories:
            continue
        if rule.countries and submission.place.country not in rule.countries:
            continue
        words = policy.opt_out_words[at]
        if not any(word in submission.second_forms()[0] for word in words):
            return (Finding(ACTIONS[rule.action], "opt_out_missing", f"opt_out.{at + 1}", rule.mode == "shadow"),)
    return NO_FINDINGS
