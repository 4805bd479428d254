"""Rules about both ends: who a message may say it is from, and who may get it.

Never here: rates and caps per number (they count; these do not).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from smsgw.policy.file import Country
from smsgw.policy.numbers import NumberSet
from smsgw.policy.ruleset import RuleSet
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import NO_FINDINGS, Action, Finding

_NUMBER: Final = re.compile(r"\+?\d+")
_INTERNATIONAL: Final = range(7, 16)
_CHINESE_MOBILE: Final = re.compile(r"86(?:1[3-9]\d{9}|14\d{11})")


def sender(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """A number has to be the account's, or an extension of one; and a sender has to be allowed where the recipient is."""
    rule = policy.table.sender
    assert rule is not None
    source = submission.source
    shadow = rule.mode == "shadow"
    number = _NUMBER.fullmatch(source) is not None
    if rule.owned and (number or not source):
        owner = submission.owner(source) if number else None
        if owner is None or owner.id != submission.account.id:
            return (Finding(Action.REJECT, "sender", "sender.owned", shadow),)
    country = None
    if rule.country:
        here = submission.place.country
        country = next((one for one in rule.country if one.country == here), None)
    if country is None and (number or not source):
        return NO_FINDINGS
    wanted = rule.alphanumeric if country is None else _wanted(country, source, number=number)
    if wanted == "allow" or (source in rule.registered and wanted != "refuse"):
        return NO_FINDINGS
    if wanted == "replace":
        assert country is not None
        return _replace(policy, submission, country.country, shadow=shadow or policy.shadow)
    if number:
        return (Finding(Action.REJECT, "sender", "sender.numeric.refuse", shadow),)
    return (Finding(Action.REJECT, "sender", f"sender.alphanumeric.{wanted}", shadow),)


def _wanted(country: Country, source: str, *, number: bool) -> str:
    """Return what a country wants of a sender; where one is replaced at all, none gives way like one that is not allowed."""
    if source:
        return country.numeric if number else country.alphanumeric
    return "replace" if "replace" in {country.numeric, country.alphanumeric} else "allow"


def _replace(policy: RuleSet, submission: Submission, country: str, *, shadow: bool) -> Sequence[Finding]:
    """Have the country's own sender put in place; in shadow mode it is only told that it would be."""
    wanted = policy.replacements[country]
    if submission.source == wanted.address:
        return NO_FINDINGS
    if shadow:
        return (Finding(Action.FLAG, "sender", "sender.replace", shadow=True),)
    submission.replacement = wanted
    return NO_FINDINGS


def recipient(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """A number that can be one, in the contract's scope, on no block list; opted out for marketing alone."""
    rule = policy.table.recipient
    assert rule is not None
    shadow = rule.mode == "shadow"
    spelled = submission.marks.spellings(submission.destination)
    digits = spelled[0]
    if rule.valid and not _valid(digits, submission.place.country):
        return (Finding(Action.REJECT, "recipient", "recipient.valid", shadow),)
    if rule.countries and submission.place.country not in rule.countries:
        return (Finding(Action.REJECT, "scope", "recipient.countries", shadow),)
    if rule.prefixes and not digits.startswith(tuple(rule.prefixes)):
        return (Finding(Action.REJECT, "scope", "recipient.prefixes", shadow),)
    numbers = policy.numbers
    if rule.scope and not _listed(spelled, numbers[rule.scope]):
        return (Finding(Action.REJECT, "scope", "recipient.scope", shadow),)
    if rule.exempt and _listed(spelled, numbers[rule.exempt]):
        return NO_FINDINGS
    if rule.block and _listed(spelled, numbers[rule.block]):
        return (Finding(Action.REJECT, "blocked", "recipient.block", shadow),)
    if rule.opt_out and submission.category == "marketing" and _listed(spelled, numbers[rule.opt_out]):
        return (Finding(Action.REJECT, "opted_out", "recipient.opt_out", shadow),)
    return NO_FINDINGS


def _listed(spelled: Sequence[str], numbers: NumberSet) -> bool:
    """Tell whether a number is in a list, whichever of its spellings that has."""
    return any(digits in numbers for digits in spelled)


def _valid(digits: str, country: str) -> bool:
    """Tell whether digits can be a number: of a known country, as long as E.164 allows; in China, a mobile's."""
    if not (digits.isascii() and digits.isdecimal()) or len(digits) not in _INTERNATIONAL or not country:
        return False
    return country != "CN" or _CHINESE_MOBILE.fullmatch(digits) is not None
