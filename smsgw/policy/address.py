"""Rules about both ends: who a message may say it is from, and who may get it.

Never here: rates and caps per number (they count; these do not).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from smsgw.policy.numbers import canonical
from smsgw.policy.ruleset import RuleSet
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import NO_FINDINGS, Action, Finding

_NUMBER: Final = re.compile(r"\+?\d+")
_INTERNATIONAL: Final = range(7, 16)
_CHINESE_MOBILE: Final = re.compile(r"86(?:1[3-9]\d{9}|14\d{11})")


def sender(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """A number has to be the account's, or an extension of one; a name has to be allowed where the recipient is."""
    rule = policy.table.sender
    assert rule is not None
    source = submission.source
    shadow = rule.mode == "shadow"
    if _NUMBER.fullmatch(source):
        if not rule.owned:
            return NO_FINDINGS
        owner = submission.owner(source)
        mine = owner is not None and owner.id == submission.account.id
        return NO_FINDINGS if mine else (Finding(Action.REJECT, "sender", "sender.owned", shadow),)
    if not source:
        return (Finding(Action.REJECT, "sender", "sender.owned", shadow),) if rule.owned else NO_FINDINGS
    wanted = rule.alphanumeric
    if rule.country:
        country = submission.place.country
        wanted = next((one.alphanumeric for one in rule.country if one.country == country), wanted)
    if wanted == "refuse" or (wanted == "registered" and source not in rule.registered):
        return (Finding(Action.REJECT, "sender", f"sender.alphanumeric.{wanted}", shadow),)
    return NO_FINDINGS


def recipient(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """A number that can be one, in the contract's scope, on no block list; opted out for marketing alone."""
    rule = policy.table.recipient
    assert rule is not None
    shadow = rule.mode == "shadow"
    digits = canonical(submission.destination)
    if rule.valid and not _valid(digits, submission.place.country):
        return (Finding(Action.REJECT, "recipient", "recipient.valid", shadow),)
    if rule.countries and submission.place.country not in rule.countries:
        return (Finding(Action.REJECT, "scope", "recipient.countries", shadow),)
    if rule.prefixes and not digits.startswith(tuple(rule.prefixes)):
        return (Finding(Action.REJECT, "scope", "recipient.prefixes", shadow),)
    numbers = policy.numbers
    if rule.scope and digits not in numbers[rule.scope]:
        return (Finding(Action.REJECT, "scope", "recipient.scope", shadow),)
    if rule.exempt and digits in numbers[rule.exempt]:
        return NO_FINDINGS
    if rule.block and digits in numbers[rule.block]:
        return (Finding(Action.REJECT, "blocked", "recipient.block", shadow),)
    if rule.opt_out and submission.category == "marketing" and digits in numbers[rule.opt_out]:
        return (Finding(Action.REJECT, "opted_out", "recipient.opt_out", shadow),)
    return NO_FINDINGS


def _valid(digits: str, country: str) -> bool:
    """Tell whether digits can be a number: of a known country, as long as E.164 allows; in China, a mobile's."""
    if not (digits.isascii() and digits.isdecimal()) or len(digits) not in _INTERNATIONAL or not country:
        return False
    return country != "CN" or _CHINESE_MOBILE.fullmatch(digits) is not None
