"""Rules about what a text says: whether it can be read at all, TLVs that must be there, terms, patterns, links and phone numbers.

Whole messages are judged and none is edited. Every reading of the octets is looked at: a term that only some handsets show counts.

Never here: how a text is found (`handset`), what normal forms are (`normal`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from smsgw.policy.file import Opposed
from smsgw.policy.matcher import Hit, Patterns
from smsgw.policy.ruleset import ACTIONS, Rule, RuleSet
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import NO_FINDINGS, Action, Finding
from smsgw.smpp import tlv

_TOP: Final = "|".join(
    (
        *("com", "cn", "net", "org", "cc", "top", "xyz", "info", "biz", "io", "me", "app", "vip", "club", "shop", "site"),
        *("online", "store", "link", "win", "ltd", "wang", "work", "live", "fun", "ink", "pro", "tv", "co", "in", "uk"),
        *("us", "ru", "de", "hk", "tw", "sg"),
    )
)
LINK: Final = re.compile(
    rf"https?://([^\s/，。；！？、）)】]+)|(?<![a-z0-9@._-])((?:[a-z0-9-]{{1,63}}\.){{1,4}}(?:{_TOP}))(?![a-z0-9-])"
)
PHONE: Final = re.compile(
    r"(?<!\d)(?:(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}|[48]00[- ]?\d{3}[- ]?\d{4}|0\d{2,3}[- ]?\d{7,8}|\+\d{7,15})(?!\d)"
)


def reads_text(policy: RuleSet) -> bool:
    """Tell whether any rule of a set looks at what a text says: only then does it matter that a part is not the whole."""
    table = policy.table
    worded = table.category is not None and bool(table.category.words)
    framed = table.signature is not None or table.templates is not None or bool(table.template)
    return bool(
        worded
        or framed
        or policy.term_rules
        or table.pattern
        or table.links is not None
        or table.phones is not None
        or table.opt_out
    )


def joins(policy: RuleSet) -> bool:
    """Tell whether parts of long messages are held until they can be judged, or counted by a cap, as one. Trials change nothing."""
    text = policy.table.text
    whole = reads_text(policy) or any(cap.mode == "enforce" and cap.action == "reject" for cap in policy.table.cap)
    return text.parts == "hold" and text.mode == "enforce" and not policy.shadow and whole


def needs_store(policy: RuleSet) -> str:
    """Say why a set is none for a relay account, whose messages can wait for nothing; "" where it is."""
    if joins(policy):
        return 'it joins the parts of long messages: say [text] parts = "reject" or "each"'
    table = policy.table
    holding = [rule.id for rules in (policy.term_rules, *policy.pattern_rules.values()) for rule in rules if _holds(rule)]
    opposed = {"links": table.links, "phones": table.phones}
    holding += [name for name, rule in opposed.items() if rule is not None and rule.action == "hold"]
    if table.templates is not None and table.templates.only and table.templates.action == "hold":
        holding.append("templates")
    if any(rule.action == "defer" and rule.mode == "enforce" for rule in table.hours):
        return "its hours defer messages: say reject"
    holding += [f"opt_out.{at}" for at, rule in enumerate(table.opt_out, 1) if rule.action == "hold"]
    return f"{', '.join(holding)} would hold messages for a person: say reject or flag" if holding else ""


def _holds(rule: Rule) -> bool:
    return rule.action is Action.HOLD and not rule.shadow


def readable(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """What cannot be read cannot be judged: the set says what becomes of it, and of the parts of a long message."""
    rule = policy.table.text
    shadow = rule.mode == "shadow"
    if submission.part is not None and submission.part.total > 1 and rule.parts != "each" and reads_text(policy):
        return (Finding(ACTIONS[rule.parts], "parts", "text.parts", shadow),)
    if rule.unreadable != "pass" and not submission.shown.exact:
        return (Finding(ACTIONS[rule.unreadable], "unreadable", "text.unreadable", shadow),)
    return NO_FINDINGS


def tlvs(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """Each TLV that the set requires is there, and its value looks as it should."""
    for at, rule in enumerate(policy.table.tlv):
        value = tlv.find(submission.pdu, submission.content.tlv_at, rule.tag)
        name = rule.id or f"{rule.tag:04X}"
        if value is None:
            return (Finding(Action.REJECT, "tlv_missing", f"tlv.{name}", rule.mode == "shadow"),)
        patterns = policy.tlv_patterns[at]
        if patterns is not None and not patterns.find(value.rstrip(b"\0").decode("latin-1")):
            return (Finding(Action.REJECT, "tlv_value", f"tlv.{name}", rule.mode == "shadow"),)
    return NO_FINDINGS


def terms(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """No listed word stands in it, in either normal form."""
    found: dict[int, Finding] = {}
    if policy.terms_n1 is not None:
        for _, form in submission.first_forms:
            hits = policy.terms_n1.find(form)
            if hits:
                _note(found, policy, hits, "n1")
    if policy.terms_n2 is not None:
        for form in submission.second_forms():
            hits = policy.terms_n2.find(form)
            if hits:
                _note(found, policy, hits, "n2")
    return tuple(found.values()) if found else NO_FINDINGS


def _note(found: dict[int, Finding], policy: RuleSet, hits: Iterable[Hit], form: str) -> None:
    """Make a finding of the first hit of each rule."""
    for owner, start, end in hits:
        if owner not in found:
            rule = policy.term_rules[owner]
            found[owner] = Finding(rule.action, "content", rule.id, rule.shadow, f"{form}[{start}:{end}]")


def patterns(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """No listed pattern matches it."""
    found: list[Finding] = []
    for text, form in submission.first_forms:
        if policy.patterns_text is not None:
            hits = policy.patterns_text.find(text)
            if hits:
                found += _matched(policy, policy.patterns_text, hits, text, "text")
        if policy.patterns_n1 is not None:
            hits = policy.patterns_n1.find(form)
            if hits:
                found += _matched(policy, policy.patterns_n1, hits, form, "n1")
    return found or NO_FINDINGS


def _matched(policy: RuleSet, engine: Patterns, hits: Iterable[int], text: str, on: str) -> Iterator[Finding]:
    """Make a finding of each pattern that matched, with where it did."""
    for index in hits:
        rule = policy.pattern_rules[on][index]
        start, end = engine.span(index, text)
        yield Finding(rule.action, "content", rule.id, rule.shadow, f"{on}[{start}:{end}]")


def links(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """Only links to allowed domains, and to what lies under them."""
    rule = policy.table.links
    assert rule is not None
    if rule.categories and submission.category not in rule.categories:
        return NO_FINDINGS
    for _, form in submission.first_forms:
        for match in LINK.finditer(form):
            host = (match[1] or match[2]).rpartition("@")[2].partition(":")[0]
            if not any(host == domain or host.endswith(f".{domain}") for domain in rule.allowed):
                return (_opposed(rule, "link", match.span()),)
    return NO_FINDINGS


def phones(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """Only allowed phone numbers."""
    rule = policy.table.phones
    assert rule is not None
    if rule.categories and submission.category not in rule.categories:
        return NO_FINDINGS
    allowed = {_bare(number) for number in rule.allowed}
    for _, form in submission.first_forms:
        for match in PHONE.finditer(form):
            if _bare(match[0]) not in allowed:
                return (_opposed(rule, "phone", match.span()),)
    return NO_FINDINGS


def _opposed(rule: Opposed, reason: str, span: Iterable[int]) -> Finding:
    start, end = span
    return Finding(ACTIONS[rule.action], reason, f"{reason}s", rule.mode == "shadow", f"n1[{start}:{end}]")


def _bare(number: str) -> str:
    return "".join(letter for letter in number if letter.isdecimal()).removeprefix("86")
