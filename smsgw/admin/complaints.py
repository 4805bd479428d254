"""Complaints: registered, matched with the messages that were meant, answered in time; and what their rate proposes.

Who complains is found among the recipients of the day that he names, by his number in any spelling; the day is one of the tenant's
calendar. He is put on the block list of each account that wrote to him. The tenant is told of the complaint, and once a month and
threshold of a rate that is too high; the next measure is proposed, and taken by a person (`smsgw state`).

A proposal reads a month of messages of the accounts complained of, once for each complaint. Never here: SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from smsgw.admin import recipients
from smsgw.admin.recipients import By
from smsgw.admin.standing import NotAllowed, NotFound, present_of
from smsgw.compliance.rates import Rate, month_of, next_step
from smsgw.compliance.workdays import Calendar
from smsgw.config import Compliance
from smsgw.policy.handset import content_of, shown
from smsgw.policy.marks import BLOCK, Marks, Scope
from smsgw.policy.numbers import canonical
from smsgw.policy.signature import signed
from smsgw.smpp.pdu import BadPdu, encode
from smsgw.store import complaints, marks, notices, provisioning
from smsgw.store import standing as standings
from smsgw.store.complaints import Meant
from smsgw.store.database import Connection
from smsgw.store.ids import seconds_of
from smsgw.store.sealed import Opener, Unreadable, plain
from smsgw.telemetry import hide_numbers, mask

SOURCES: Final = ("12321", "carrier", "tenant", "end_user")
_ZONES_BEFORE: Final = timedelta(hours=14)
_ZONES_AFTER: Final = timedelta(hours=36)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What somebody complained of: `number` who got the message, on which `day`. `block`: account, platform or none."""

    source: str
    number: str
    day: date
    reference: str = ""
    note: str = ""
    block: str = "account"


@dataclass(frozen=True, slots=True)
class Rules:
    """By what complaints are kept: how numbers are hashed, the settings, the calendar.

    `retained`: what takes the place of the number of an old message; `opened` opens content that is sealed.
    """

    known: Marks
    limits: Compliance
    calendar: Calendar
    retained: Callable[[str], str] | None = None
    opened: Opener = plain


@dataclass(frozen=True, slots=True)
class Registered:
    """What came of it: its number (0 for a dry run), and rates of the accounts it is about."""

    complaint: int
    due: date
    messages: tuple[int, ...]
    accounts: tuple[str, ...]
    blocked: str
    rates: tuple[dict[str, Any], ...]


async def add(connection: Connection, rules: Rules, given: Complaint, by: By) -> Registered:
    """Register a complaint. Raises NotAllowed."""
    by.check()
    today = (await standings.now(connection)).astimezone(UTC).date()
    if given.day > today + timedelta(days=1):
        raise NotAllowed(f"{given.day} has not come yet: the day is that of the message")
    meant = await _meant(connection, rules, given)
    due = rules.calendar.after(today, rules.limits.complaint_days)
    blocked = given.block if given.block == "platform" or (given.block == "account" and meant) else ""
    number, masked = rules.known.hash_of(given.number), mask(canonical(given.number))
    async with recipients.turn(connection, dry_run=by.dry_run):
        made = await complaints.add(
            connection, given.source, number, masked, given.day, due, blocked, given.reference, hide_numbers(given.note), by.actor
        )
        if made is None:
            raise NotAllowed(f"{given.source} {given.reference!r} is registered already")
        await complaints.match(connection, made, meant)
        await _block(connection, (number, masked), _lists(blocked, meant), made, by)
        said = {"source": given.source, "reference": given.reference, "day": str(given.day), "due": str(due), "blocked": blocked}
        new = {**said, "messages": [one.message for one, _ in meant]}
        await provisioning.audit(connection, by.actor, ("complaint", str(made)), None, new, by.reason)
        await _tell(connection, meant, made, given, due)
        rates = await rates_of(connection, given.day, rules.limits, only={one.account for one, _ in meant}, tell=True)
    messages, accounts = tuple(one.message for one, _ in meant), tuple(sorted({one.system_id for one, _ in meant}))
    return Registered(0 if by.dry_run else made, due, messages, accounts, blocked, tuple(rates))


async def close(connection: Connection, complaint: int, outcome: str, by: By) -> dict[str, Any]:
    """Close a complaint with what came of it. Raises NotFound, NotAllowed."""
    by.check()
    before = await complaints.one(connection, complaint)
    if before is None:
        raise NotFound(f"there is no complaint {complaint}")
    outcome = hide_numbers(outcome)
    async with recipients.turn(connection, dry_run=by.dry_run):
        if not await complaints.close(connection, complaint, outcome, by.actor):
            raise NotAllowed(f"complaint {complaint} was closed by {before['closed_by']} with {before['outcome']!r}")
        old, new = {"state": before["state"]}, {"state": "closed", "outcome": outcome}
        await provisioning.audit(connection, by.actor, ("complaint", str(complaint)), old, new, by.reason)
        after = await complaints.one(connection, complaint)
    assert after is not None
    return after


# ---- matching ----------------------------------------------------------------------------------------------------------


async def _meant(connection: Connection, rules: Rules, given: Complaint) -> list[tuple[Meant, str]]:
    """Return the messages that the number got on that day of their tenant's calendar, each with its signature."""
    begin = datetime(given.day.year, given.day.month, given.day.day, tzinfo=UTC)
    found = await complaints.messages_to(
        connection,
        spellings(rules, given.number),
        (begin - _ZONES_BEFORE).timestamp(),
        (begin + _ZONES_AFTER).timestamp(),
    )
    return [(one, _signature(one, rules.opened)) for one in found if _local_day(one) == given.day]


def spellings(rules: Rules, number: str) -> list[str]:
    """Return the ways in which tenants may have written a number, and what each becomes when its message is old."""
    known, limits = rules.known, rules.limits
    digits = canonical(number)
    code = limits.country_code
    whole = {digits}
    if code and len(digits) == limits.national_digits:
        whole.add(code + digits)
    if code and digits.startswith(code) and len(digits) == limits.national_digits + len(code):
        whole.add(digits[len(code) :])
    assert len({known.hash_of(one) for one in whole}) == 1
    written = [prefix + one for one in sorted(whole) for prefix in ("", "+", "00")]
    return written if rules.retained is None else [*written, *map(rules.retained, written)]


def _local_day(one: Meant) -> date:
    try:
        zone = ZoneInfo(one.timezone)
    except (KeyError, ValueError):
        zone = ZoneInfo("UTC")
    return datetime.fromtimestamp(seconds_of(one.message), zone).date()


def _signature(one: Meant, opened: Opener) -> str:
    """Return the signature of a message's text; "" where it has none, is kept no more, or does not open."""
    if one.body is None:
        return ""
    try:
        content = content_of(encode(one.command, 0, 1, opened(one.message, one.body)), one.command)
    except (BadPdu, Unreadable):
        return ""
    return signed(shown((content,)).text).signature


# ---- what follows ------------------------------------------------------------------------------------------------------


def _lists(blocked: str, meant: Sequence[tuple[Meant, str]]) -> list[Scope]:
    """Return the block lists that who complains is put on: of each account that wrote to him, or of the platform."""
    if blocked == "account":
        return [Scope(BLOCK, "account", account) for account in sorted({one.account for one, _ in meant})]
    return [Scope(BLOCK, "platform", 0)] if blocked else []


async def _block(connection: Connection, who: tuple[int, str], scopes: Sequence[Scope], complaint: int, by: By) -> None:
    number, masked = who
    moment = await standings.now(connection)
    codes = await marks.codes_of(connection, scopes)
    reference = f"complaint {complaint}"
    settings = [
        marks.Setting(number, code, True, moment, "complaint", by.actor, reference=reference, reason=by.reason, masked=masked)
        for code in codes.values()
    ]
    await marks.put(connection, settings)


async def _tell(connection: Connection, meant: Sequence[tuple[Meant, str]], complaint: int, given: Complaint, due: date) -> None:
    """Tell each tenant that one of its messages was complained of: which, and until when it has to be answered; not by whom."""
    tenants = {(one.tenant, one.account, one.system_id) for one, _ in meant}
    for tenant, account, system_id in sorted(tenants):
        ids = [str(one.message) for one, _ in meant if one.account == account]
        said = {
            "complaint": complaint,
            "source": given.source,
            "name": system_id,
            "day": str(given.day),
            "due": str(due),
            "messages": ids,
        }
        await notices.add(connection, tenant, "complaint", said, account=account)


async def rates_of(
    connection: Connection, day: date, limits: Compliance, *, only: set[int] | None = None, tell: bool = False
) -> list[dict[str, Any]]:
    """Return the rates of accounts and their signatures in the month of a day, with the next step that is proposed.

    `only`: of these accounts; `tell`: the tenant gets a notice, once for a month, an account or signature, and a threshold.
    A signature's messages are those from the senders of what was complained of under it.
    """
    month, from_s, until_s = month_of(day)
    rows = await complaints.by_account(connection, from_s, until_s)
    rows = [row for row in rows if only is None or row["account_id"] in only]
    sent = await complaints.volumes(connection, sorted({row["account_id"] for row in rows}), from_s, until_s)
    found = []
    for row in rows:
        account = row["account_id"]
        messages = sum(
            count for (of, sender), count in sent.items() if of == account and (not row["signature"] or sender in row["senders"])
        )
        rate = Rate(row["account"], row["signature"], row["complaints"], messages)
        level = rate.level(limits)
        step = next_step(level, (await present_of(connection, "account", rate.account))[1].standing)
        said = _said(month, rate)
        found.append({**said, "level": level, "proposal": f"smsgw state {step} account {rate.account}" if step else ""})
        if tell and level:
            key = f"complaint_rate:{account}:{rate.signature}:{month}:{level}"
            await notices.add(connection, row["tenant_id"], "complaint_rate", said, account=account, coalesce_key=key)
    return found


def _said(month: str, rate: Rate) -> dict[str, Any]:
    return {
        "month": month,
        "account": rate.account,
        "signature": rate.signature,
        "complaints": rate.complaints,
        "messages": rate.messages,
        "per_million": round(rate.per_million, 3),
    }
