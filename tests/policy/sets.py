"""Rule sets and messages for tests of the policy: compiled from text, judged from text."""

from __future__ import annotations

from collections.abc import Mapping

from smsgw.model import Account, Tenant
from smsgw.policy.judging import judge, steps_of
from smsgw.policy.marks import NO_MARKS, Marks
from smsgw.policy.ruleset import RuleSet, compile_set, make_bundle
from smsgw.policy.selftest import pdu_of
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import Verdict
from smsgw.smpp import const
from smsgw.smpp.pdu import encode, sm_body

KEY = b"k" * 32
ACCOUNT = Account(id=1, system_id="acme1", tenant=Tenant(id=1, name="acme", currency="CNY"), policy="set")
OTHER = Account(id=2, system_id="other", tenant=Tenant(id=2, name="other", currency="CNY"))
NUMBERS = {"10690001": ACCOUNT, "10690002": OTHER}
NOON_UTC = 1_764_072_000.0
MORNING_IN_CHINA = NOON_UTC - 10 * 3600


def compiled(text: str, lists: Mapping[str, str] | None = None) -> RuleSet:
    """Compile a set of one file and its lists."""
    files = {"": text, **(lists or {})}
    return compile_set("set", make_bundle(["set.toml"], lambda _, listed: _of(files, listed), KEY), KEY)


def _of(files: Mapping[str, str], name: str) -> str:
    if name not in files:
        raise FileNotFoundError(2, "No such file", name)
    return files[name]


def owner(number: str) -> Account | None:
    """Return whose number this is, or the one that it extends."""
    return next((account for prefix, account in NUMBERS.items() if number.startswith(prefix)), None)


def submission(
    policy: RuleSet,
    text: str = "您好",
    *,
    source: str = "10690001",
    destination: str = "8613800138000",
    now: float = MORNING_IN_CHINA,
    pdu: bytes = b"",
    marks: Marks = NO_MARKS,
) -> Submission:
    """Return a message of the account, with a text in UCS-2 or as a whole PDU."""
    octets = pdu or pdu_of(text, source=source.encode(), destination=destination.encode())
    return Submission(policy, ACCOUNT, source, destination, octets, now=now, owner=owner, marks=marks)


def raw(octets: bytes, data_coding: int = 0, **fields: object) -> bytes:
    """Return a submit_sm with these octets in this coding."""
    body = sm_body(source=b"10690001", dest=b"8613800138000", data_coding=data_coding, short_message=octets, **fields)  # type: ignore[arg-type]
    return encode(const.SUBMIT_SM, 0, 1, body)


def verdict(policy: RuleSet, text: str = "您好", **fields: object) -> Verdict:
    """Judge a text."""
    return judge(policy, steps_of(policy), submission(policy, text, **fields))  # type: ignore[arg-type]


def rule(policy: RuleSet, text: str = "您好", **fields: object) -> str:
    """Return the rule that objects to a text; "" for none."""
    objection = verdict(policy, text, **fields).objection
    return "" if objection is None else objection.rule
