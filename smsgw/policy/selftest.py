"""A rule set proved on its own texts: each content rule finds what it says it must, and the set lets its harmless texts go.

Never here: the compiling (`ruleset`), another set's texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from smsgw.model import Account, Tenant
from smsgw.policy import content
from smsgw.policy.engines import never
from smsgw.policy.ruleset import Bundle, RuleSet, lines_of
from smsgw.policy.signature import signed
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import Action
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import encode, sm_body

NOBODY: Final = Account(id=0, system_id="", tenant=Tenant(id=0, name="", currency=""))
MOST_HARMLESS: Final = 100_000
_FAULTS_SHOWN: Final = 5


def pdu_of(text: str, *, source: bytes = b"", destination: bytes = b"8613800000000") -> bytes:
    """Return a submit_sm that says a text: UCS-2, in message_payload where it is long."""
    octets = text.encode("utf-16-be", "surrogatepass")
    short, tlvs = (octets, b"") if len(octets) <= 140 else (b"", tlv.append(const.TAG_MESSAGE_PAYLOAD, octets))
    body = sm_body(source=source, dest=destination, data_coding=8, short_message=short, tlvs=tlvs)
    return encode(const.SUBMIT_SM, 0, 1, body)


def submission_of(policy: RuleSet, text: str) -> Submission:
    """Return a message from nobody with this text."""
    return Submission(policy, NOBODY, "", "8613800000000", pdu_of(text), now=0.0, owner=lambda _: None)


def prove(policy: RuleSet, bundle: Bundle, places: Mapping[tuple[str, int], str], rest: Callable[[], None] = never) -> list[str]:
    """Return every rule that does not find its own text, and the first harmless texts that the set would stop.

    `rest` is called after each text.
    """
    faults = []
    listed = [("terms", rule.id, rule.must) for rule in policy.table.terms]
    listed += [("pattern", rule.id, rule.must) for rule in policy.table.pattern]
    at: dict[str, int] = {}
    for kind, name, must in listed:
        index = at[kind] = at.get(kind, -1) + 1
        for text in must:
            rest()
            submission = submission_of(policy, text)
            rule = content.terms if kind == "terms" else content.patterns
            if f"{kind}.{name}" not in {finding.rule for finding in rule(policy, submission)}:
                faults.append(f"{places[kind, index]}: {kind} {name!r} does not find {text!r}, which it must")
    for index, template in enumerate(policy.table.template):
        for text in template.must:
            rest()
            name, body, _, _ = signed(text)
            found = policy.templates.find(name, body) if policy.templates is not None else None
            if found is None:
                faults.append(f"{places['template', index]}: template {template.id!r} does not fit {text!r}, which it must")
    return faults + _harmless_stopped(policy, bundle, rest)


def _harmless_stopped(policy: RuleSet, bundle: Bundle, rest: Callable[[], None]) -> list[str]:
    """Ask the content rules about each harmless text. It warms the engines, too: a first pass costs many times the later ones."""
    faults = []
    for name in policy.table.harmless:
        texts = lines_of(bundle.words[name])
        if len(texts) > MOST_HARMLESS:
            return [f"{name}: {len(texts)} texts, more than {MOST_HARMLESS}"]
        for text in texts:
            rest()
            submission = submission_of(policy, text)
            stopped = [
                finding.rule
                for rule in (content.terms, content.patterns)
                for finding in rule(policy, submission)
                if finding.action > Action.FLAG and not finding.shadow
            ]
            if stopped:
                faults.append(f"{name}: {', '.join(stopped)} would stop the harmless {text!r}")
    more = len(faults) - _FAULTS_SHOWN
    return [*faults[:_FAULTS_SHOWN], f"… and {more} more"] if more > 0 else faults
