"""`smsgw why`: what would become of a message, by each rule and route, and what it would cost. Nothing is sent, stored or counted.

The message is built as a client would build it, read as accept reads it, and judged by the set in force. Every rule is asked, also
those behind the one that decides. Of caps, quotas and the balance it says what they hold at this moment.

Never here: an answer that repeats the text (where a rule matched is told by offsets), a change of anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from smsgw.admin.control import NotThere
from smsgw.billing.tariff import format_money
from smsgw.carriers.pool import Carriers
from smsgw.journey.desk import Desk
from smsgw.journey.reading import count_by, read_submit
from smsgw.journey.transform import words_of
from smsgw.model import QUOTA_SPANS, Account, Message, Mode, Rejected
from smsgw.numbering.plan import the_plan
from smsgw.policy.caps import Counted
from smsgw.policy.docket import Docket, blocked, refused
from smsgw.policy.judging import every_finding, judge, steps_of
from smsgw.policy.ruleset import RuleSet
from smsgw.policy.statuses import refusal
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import Action, Finding, Verdict
from smsgw.smpp import const, text, tlv
from smsgw.smpp.pdu import Pdu, encode, read_sm, sm_body
from smsgw.store import limits
from smsgw.store.balances import balance_of
from smsgw.store.batch import FREQUENCY
from smsgw.store.database import Pool, borrowed
from smsgw.store.quotas import ROLLING, windows_of

Rows = list[dict[str, Any]]
MAX_TEXT: Final = 10_000
_SHORT: Final = {0: 160, 8: 140}


class Why:
    """Answers for one gateway, by what it has in force."""

    def __init__(self, desk: Desk, docket: Docket, carriers: Carriers, pool: Pool) -> None:
        """Take what decides, and where counters stand."""
        self._desk = desk
        self._docket = docket
        self._carriers = carriers
        self._pool = pool

    async def __call__(self, asked: Mapping[str, Any]) -> Rows:
        """Answer {account, to, text, from (optional)}. Raises NotThere."""
        system_id, to, said = (asked.get(name) for name in ("account", "to", "text"))
        source = asked.get("from", "")
        if not all(isinstance(word, str) for word in (system_id, to, said, source)):
            raise NotThere("account, to and text are wanted, as text")
        if len(said) > MAX_TEXT:  # type: ignore[arg-type]
            raise NotThere(f"the text has more than {MAX_TEXT} characters")
        account = self._desk.directory.account(system_id or "")
        if account is None:
            raise NotThere(f"there is no account {system_id!r}")
        octets = _pdu(str(said), str(source), str(to))
        pdu = Pdu(octets, const.SUBMIT_SM, 0, 1)
        message = read_submit(pdu, account, const.V34)
        rows = [_row("account", "known", f"{account.system_id} of {account.tenant.name}, mode {account.mode.name.lower()}")]
        if isinstance(message, Rejected):
            return [*rows, _refusal("reading", message)]
        routes = self._desk.directory.routes
        rule = routes.part_rule(message.destination)
        if routes.ruled and rule != "gsm_ucs2":
            message.parts = count_by(rule, pdu, const.V34)
        held = account.restriction
        if held is not None:
            stopped = refusal(held.refusal, strict_34=account.strict_34)
            rows.append(_refusal("state", stopped) if stopped is not None else _row("state", held.standing.name.lower(), ""))
        place = the_plan().locate(message.destination)
        where = " ".join(filter(None, (place.country or "nowhere", place.operator)))
        coding = read_sm(octets).data_coding
        rows += [
            _row("reading", "ok", f"data_coding {coding}, {message.parts} part{'s' if message.parts > 1 else ''}"),
            _row("recipient", "located", where),
        ]
        block = self._docket.marks.block_of(account, message.destination)
        rows.append(_row("block lists", "pass", "") if block is None else _refusal("block lists", blocked(account, block)))
        verdict = Verdict()
        if account.policy:
            judged, verdict, caps = self._judged(account, message, octets)
            rows += judged + await self._caps(account, caps)
        changed = message.transform + words_of(verdict)
        way, price = self._way(message, verdict)
        rows += [_row("transform", " ".join(changed) or "none", _sender(verdict)), *way]
        return rows if price is None else [*rows, *await self._means(message, price)]

    def _judged(self, account: Account, message: Message, pdu: bytes) -> tuple[Rows, Verdict, tuple[Counted, ...]]:
        """Ask every rule, and for the counters of caps."""
        policy = next((one for one in self._docket.rule_sets() if one.name == account.policy), None)
        if policy is None:
            return [_row("policy", "refused", f"{account.policy} is not loaded: policy_failed")], Verdict(), ()
        directory, now = self._desk.directory, self._desk.clock.time()
        submission = Submission(
            policy,
            account,
            message.source,
            message.destination,
            pdu,
            now=now,
            owner=directory.owner_of,
            marks=self._docket.marks,
        )
        rows = [_row("policy", policy.table.mode, f"{policy.name}@{policy.version[:8]}")]
        for name, findings in every_finding(policy, submission):
            rows += [_found(name, finding, policy) for finding in findings] or [_row(f"rule {name}", "pass", "")]
        verdict = judge(policy, steps_of(policy), submission)
        caps = policy.caps(submission) if policy.caps is not None else ()
        return [*rows, self._verdict(account, verdict)], verdict, caps

    async def _caps(self, account: Account, caps: tuple[Counted, ...]) -> Rows:
        """Return how much of each cap this recipient has had, and what another message over it would get."""
        if not caps:
            return []
        async with self._pool.acquire() as connection:
            used = await limits.caps_used(connection, [(cap.key, cap.since) for cap in caps])
        rows = []
        for cap, count in zip(caps, used, strict=True):
            row = _row(cap.rule, "pass", "")
            if count >= cap.limit and cap.enforced:
                refused_by = refusal(FREQUENCY, strict_34=account.strict_34)
                assert refused_by is not None
                row = _refusal(cap.rule, refused_by)
            elif count >= cap.limit:
                row["result"] = cap.told.replace("_", " ")
            row["detail"] = f"{row['detail']} {count} of {cap.limit} used".lstrip()
            rows.append(row)
        return rows

    def _verdict(self, account: Account, verdict: Verdict) -> dict[str, Any]:
        objection = verdict.objection
        if objection is None and verdict.due:
            return _row("verdict", "deferred", f"until {datetime.fromtimestamp(verdict.due, UTC):%Y-%m-%dT%H:%M:%SZ}")
        if objection is None:
            return _row("verdict", "flag" if verdict.flags else "pass", f"category {verdict.category or 'none'}")
        if objection.action is Action.HOLD and account.mode is Mode.STORE:
            return _row("verdict", "held", f"for a person {self._docket.rule_of(account, objection)}")
        told = refused(account, objection, self._docket.rule_of(account, objection))
        return _refusal("verdict", told)

    async def _means(self, message: Message, price: int) -> Rows:
        """Return whether balance and quotas cover this message at this moment."""
        account, tenant = message.account, message.account.tenant
        async with borrowed(self._pool) as connection:
            spendable = await balance_of(connection, tenant.name) + tenant.credit_limit
            used = [
                (window, await limits.used(connection, account.id, *window[1:4]))
                for window in windows_of(account, int(self._desk.clock.time()))
            ]
        rows = [_durable("balance", account, spendable >= price, f"{format_money(spendable)} {tenant.currency} to spend")]
        for (_, span, _, _, _, most, most_parts), (messages, parts) in used:
            fits = (not most or messages < most) and (not most_parts or parts + message.parts <= most_parts)
            counted = (
                f"{count} of {limit} {what}"
                for count, limit, what in ((messages, most, "messages"), (parts, most_parts, "parts"))
                if limit
            )
            rows.append(_durable(f"quota {QUOTA_SPANS[span % ROLLING]}", account, fits, f"{', '.join(counted)} used"))
        return rows

    def _way(self, message: Message, verdict: Verdict) -> tuple[Rows, int | None]:
        """Return the links in their order and the price, and what that is; None where there is none."""
        directory, carriers = self._desk.directory, verdict.carriers
        links = directory.routes.choose(message.destination)
        rows = [] if links else [_row("route", "refused", "no route has this destination: no_route")]
        for link_id in links:
            link = directory.link(link_id)
            if link is None:
                continue
            state = "bound" if self._carriers.bound(link_id) else "down"
            if carriers is not None and link.carrier.name not in carriers:
                state = "not filed"
            rows.append(_row("route", state, f"{link.name} of {link.carrier.name}"))
        route = directory.routes.name(message.destination) if directory.tariff.routed else ""
        tenant, now = message.account.tenant, self._desk.clock.time()
        price = directory.tariff.price(tenant.id, message.destination, now, route, verdict.category)
        if price is None:
            return [*rows, _row("price", "refused", "the tenant has no price for this destination: no_price")], None
        detail = f"{message.parts} × {format_money(price)} = {format_money(price * message.parts)} {tenant.currency}"
        return [*rows, _row("price", "ok", detail)], price * message.parts


def _pdu(said: str, source: str, destination: str) -> bytes:
    """Return a submit_sm: GSM where it can be, else UCS-2; in message_payload where it takes several parts."""
    coding, octets = text.encode(said)
    short, tlvs = (octets, b"") if len(octets) <= _SHORT[coding] else (b"", tlv.append(const.TAG_MESSAGE_PAYLOAD, octets))
    try:
        ends = source.encode("ascii"), destination.encode("ascii")
    except UnicodeEncodeError:
        raise NotThere("addresses are ASCII") from None
    body = sm_body(source=ends[0], dest=ends[1], data_coding=coding, short_message=short, tlvs=tlvs)
    return encode(const.SUBMIT_SM, 0, 1, body)


def _sender(verdict: Verdict) -> str:
    """Return the sender that takes the place of the tenant's own."""
    sender = verdict.sender
    return f"from {sender.address}, TON {sender.ton}, NPI {sender.npi}" if sender is not None else ""


def _row(step: str, result: str, detail: str) -> dict[str, Any]:
    return {"step": step, "result": result, "detail": detail}


def _durable(step: str, account: Account, fits: bool, detail: str) -> dict[str, Any]:  # noqa: FBT001 - a row of three
    """Return what a limit that the store keeps says: room, or the refusal that its name stands for."""
    if fits:
        return _row(step, "ok", detail)
    stopped = refusal(step.partition(" ")[0], strict_34=account.strict_34)
    assert stopped is not None
    row = _refusal(step, stopped)
    return {**row, "detail": f"{row['detail']} {detail}"}


def _refusal(step: str, rejected: Rejected) -> dict[str, Any]:
    return _row(step, "refused", f"0x{rejected.status:08x} {rejected.reason} {rejected.rule}".rstrip())


def _found(name: str, finding: Finding, policy: RuleSet) -> dict[str, Any]:
    shadow = finding.shadow or policy.shadow
    action = {Action.FLAG: "flag", Action.DEFER: "defer", Action.HOLD: "hold", Action.REJECT: "reject"}[finding.action]
    return _row(f"rule {name}", f"would {action}" if shadow else action, f"{finding.rule} {finding.span}".rstrip())
