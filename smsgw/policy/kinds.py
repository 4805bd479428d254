"""Rules about what kind of message it is: allowed categories, hours of sending, the way to refuse that marketing must name.

How the category is found stands in `submission`: by template, by sender, by words, else the set's default.
Never here: what is done with a message until its hours begin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from smsgw.numbering.plan import minutes_of_day, next_within
from smsgw.policy.content import tried_apart
from smsgw.policy.file import Hours
from smsgw.policy.ruleset import ACTIONS, RuleSet
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import NO_FINDINGS, Action, Finding

_STEPS: Final = 24
"""Openings that are looked at, one after the other: zones and rules that have no hour in common by then have none."""


def category(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """Only allowed categories go."""
    rule = policy.table.category
    assert rule is not None
    if submission.category in rule.allowed:
        return NO_FINDINGS
    return (Finding(Action.REJECT, "category", f"category.{submission.category}", rule.mode == "shadow"),)


def hours(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """It has to be between both times in every zone that the recipient may be in; a number in no zone is not sent to.

    What a carrier is to keep until a time has to be within them then; it is never deferred: its time would be another one.
    """
    found: list[Finding] = []
    for at, rule in _hours_of(policy, submission):
        begin, end = policy.hours[at]
        zones = submission.place.zones
        minutes = [minute for moment in submission.moments for minute in minutes_of_day(zones, moment)]
        if not minutes or not all(begin <= minute < end for minute in minutes):
            action = Action.DEFER if rule.action == "defer" and minutes and not submission.scheduled else Action.REJECT
            found.append(Finding(action, "hours", f"hours.{rule.id or at + 1}", rule.mode == "shadow"))
            if action is Action.REJECT:
                break
    return found or NO_FINDINGS


def _hours_of(policy: RuleSet, submission: Submission) -> Iterator[tuple[int, Hours]]:
    """Yield the hours that hold for a message."""
    for at, rule in enumerate(policy.table.hours):
        if submission.category in rule.categories and (not rule.countries or submission.place.country in rule.countries):
            yield at, rule


def opens_at(policy: RuleSet, submission: Submission) -> float:
    """Return when all hours that hold for a message have begun (Unix seconds); 0 when they never do at the same time."""
    spans = [policy.hours[at] for at, rule in _hours_of(policy, submission) if rule.mode == "enforce"]
    zones = submission.place.zones
    moment = submission.now
    for _ in range(_STEPS):
        later = max((next_within(zone, span, moment) for zone in zones for span in spans), default=moment)
        if later <= moment:
            return moment
        moment = later
    return 0.0


def opt_out(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """Marketing has to tell how it is refused: one of the words stands in it, and not to say that it cannot be.

    In a trial a part need not be the one that has it.
    """
    if policy.shadow and tried_apart(policy, submission):
        return NO_FINDINGS
    for at, rule in enumerate(policy.table.opt_out):
        if submission.category not in rule.categories:
            continue
        if rule.countries and submission.place.country not in rule.countries:
            continue
        if not policy.ways_out[at].told(submission.first_forms[0][1], submission.second_forms()[0]):
            return (Finding(ACTIONS[rule.action], "opt_out_missing", f"opt_out.{at + 1}", rule.mode == "shadow"),)
    return NO_FINDINGS
