"""Rules about what a text says: whether it can be read at all, TLVs that must be there, terms, patterns, links and phone numbers.

Whole messages are judged and none is edited. Every reading of the octets is looked at: a term that only some handsets show counts.

Never here: how a text is found (`handset`), what normal forms are (`normal`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from smsgw.numbering.landlines import dialled_in_china
from smsgw.policy.beside import Written
from smsgw.policy.contacts import bare, links_in, phones_in
from smsgw.policy.file import Opposed
from smsgw.policy.matcher import Hit, Patterns
from smsgw.policy.ruleset import ACTIONS, Rule, RuleSet
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import NO_FINDINGS, Action, Finding
from smsgw.smpp import tlv

INJECTED: Final = ".injected"
"""What the rule of a TLV is called with where it was put in."""


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
    part = submission.part
    if part is not None and part.total > 1 and rule.parts != "each" and reads_text(policy) and not tried_apart(policy, submission):
        return (Finding(ACTIONS[rule.parts], "parts", "text.parts", shadow),)
    if rule.unreadable != "pass" and not submission.shown.exact:
        return (Finding(ACTIONS[rule.unreadable], "unreadable", "text.unreadable", shadow),)
    return NO_FINDINGS


def tried_apart(policy: RuleSet, submission: Submission) -> bool:
    """Tell whether it is a part that is judged by itself in a trial alone: in earnest its text would be joined first."""
    text, part = policy.table.text, submission.part
    return part is not None and part.total > 1 and text.parts == "hold" and (policy.shadow or text.mode == "shadow")


def tlvs(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """Each TLV that the set requires is there, or is put there, and its value looks as it should."""
    added: list[Finding] = []
    for at, rule in enumerate(policy.table.tlv):
        values = tlv.find_all(submission.pdu, submission.content.tlv_at, rule.tag)
        name = rule.id or f"{rule.tag:04X}"
        if not values:
            given = _given(policy, submission, rule.tag) if rule.mode == "enforce" and not policy.shadow else b""
            if not given:
                return (Finding(Action.REJECT, "tlv_missing", f"tlv.{name}", rule.mode == "shadow"),)
            if rule.tag not in submission.added:
                submission.added[rule.tag] = given
                added.append(Finding(Action.FLAG, "tlv_missing", f"tlv.{name}{INJECTED}"))
            continue
        patterns = policy.tlv_patterns[at]
        if patterns is not None and not all(patterns.find(value.rstrip(b"\0").decode("latin-1")) for value in values):
            return (Finding(Action.REJECT, "tlv_value", f"tlv.{name}", rule.mode == "shadow"),)
    return added or NO_FINDINGS


def _given(policy: RuleSet, submission: Submission, tag: int) -> bytes:
    """Return what is put where a TLV is missing: that of the message's template, else the set's; b"" for nothing."""
    part = submission.part
    if part is None or part.total < 2:  # of a part nobody knows yet which template the whole fits
        template = submission.template
        for of, value in template.inject if template is not None else ():
            if of == tag:
                return value
    return policy.injected.get(tag, b"")


def terms(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """No listed word stands in it, in either normal form."""
    found: dict[int, Finding] | None = None
    engine = policy.terms_n1
    if engine is not None:
        for hits, _ in submission.scans:
            if hits:
                found = _noted(found, policy, hits, "n1")
    engine = policy.terms_n2
    if engine is not None:
        for form in submission.second_forms():
            hits, _ = engine.scan(form)
            if hits:
                found = _noted(found, policy, hits, "n2")
    return tuple(found.values()) if found else NO_FINDINGS


def _noted(found: dict[int, Finding] | None, policy: RuleSet, hits: Iterable[Hit], form: str) -> dict[int, Finding]:
    """Add a finding for the first hit of each rule."""
    noted = found if found is not None else {}
    for owner, start, end in hits:
        if owner not in noted:
            rule = policy.term_rules[owner]
            noted[owner] = Finding(rule.action, "content", rule.id, rule.shadow, f"{form}[{start}:{end}]")
    return noted


def patterns(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """No listed pattern matches it."""
    found: list[Finding] = []
    if policy.patterns_n1 is not None:
        for at, (_, marked) in enumerate(submission.scans):
            if marked:
                found += _matched(policy, policy.patterns_n1, "n1", submission.first_forms[at][1])
    if policy.patterns_rest is not None:
        for _, form in submission.first_forms:
            found += _matched(policy, policy.patterns_rest, "rest", form)
    if policy.patterns_text is not None:
        for text, _ in submission.first_forms:
            found += _matched(policy, policy.patterns_text, "text", text)
    return found or NO_FINDINGS


def _matched(policy: RuleSet, engine: Patterns, kind: str, text: str) -> Iterator[Finding]:
    """Make a finding of each pattern that matches, with where it does."""
    hits = engine.find(text)
    for index in hits:
        rule = policy.pattern_rules[kind][index]
        start, end = engine.span(index, text)
        form = "text" if kind == "text" else "n1"
        yield Finding(rule.action, "content", rule.id, rule.shadow, f"{form}[{start}:{end}]")


def links(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """Only links to allowed domains, and to what lies under them, in the text and beside it."""
    rule = policy.table.links
    assert rule is not None
    if rule.categories and submission.category not in rule.categories:
        return NO_FINDINGS
    for _, form in submission.first_forms:
        for host, span in links_in(form):
            if not _under(host, rule.allowed):
                return (_opposed(rule, "link", "n1", span),)
    for written in submission.beside:
        for form in written.forms:
            for host, span in links_in(form):
                if not _under(host, rule.allowed):
                    return (_opposed(rule, "link", written.name, span),)
    return NO_FINDINGS


def _under(host: str, domains: Sequence[str]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def phones(policy: RuleSet, submission: Submission) -> Sequence[Finding]:
    """Only allowed phone numbers, in the text and beside it."""
    rule = policy.table.phones
    assert rule is not None
    if rule.categories and submission.category not in rule.categories:
        return NO_FINDINGS
    for _, form in submission.first_forms:
        for number, span in phones_in(form):
            if number not in map(bare, rule.allowed) and _dialled(submission, number):
                return (_opposed(rule, "phone", "n1", span),)
    for written in submission.beside:
        opposed = _opposed_beside(rule, submission, written)
        if opposed is not None:
            return (opposed,)
    return NO_FINDINGS


def _opposed_beside(rule: Opposed, submission: Submission, written: Written) -> Finding | None:
    """Object to a number beside the text; not where one of the ways to read it gives numbers against which nothing speaks."""
    opposed: Finding | None = None
    for form in written.forms:
        foreign: Finding | None = None
        own = False
        for number, span in phones_in(form):
            if _of_its_own(submission, rule, number):
                own = True
            elif foreign is None and _dialled(submission, number):
                foreign = _opposed(rule, "phone", written.name, span)
        if own and foreign is None and written.number:
            return None
        opposed = opposed or foreign
    return opposed


def _dialled(submission: Submission, number: str) -> bool:
    """Tell whether digits may be a number: in China some with a 0 before them are none."""
    return number[0] != "0" or submission.place.country != "CN" or dialled_in_china(number)


def _of_its_own(submission: Submission, rule: Opposed, number: str) -> bool:
    """Tell whether a number beside the text is allowed, or says what the sender says already: it is the tenant's own."""
    if number in map(bare, rule.allowed) or number == bare(submission.source):
        return True
    owner = submission.owner(number)
    return owner is not None and owner.id == submission.account.id


def _opposed(rule: Opposed, reason: str, where: str, span: Iterable[int]) -> Finding:
    start, end = span
    return Finding(ACTIONS[rule.action], reason, f"{reason}s", rule.mode == "shadow", f"{where}[{start}:{end}]")
