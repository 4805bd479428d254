"""One message from its acceptance to its end, step by step: what was decided, sent, told, paid back, complained of, purged.

For whoever answers a tenant's question. Numbers are masked and what it said is not looked at, so that it needs no permission to
read content and leaves no row in the audit; `contents` is for those who may. Of one that waits it is tried whether its content
opens: it may wait for that alone.

Must never: show a whole number, or content.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from smsgw.admin.evidence import unmodified
from smsgw.admin.standing import NotFound
from smsgw.billing.tariff import format_money
from smsgw.carriers.dialect import receipt_key, submit_key
from smsgw.model import FIRST_FINAL, Mode, OwedKind, State
from smsgw.provisioned import stored_dialect
from smsgw.receipts.codes import TOLD_BY_CARRIER, error_text, look_up
from smsgw.store import exports, traces
from smsgw.store.database import Connection
from smsgw.store.holds import Fate
from smsgw.store.ids import least_id_at, seconds_of
from smsgw.store.sealed import Opener, Unreadable
from smsgw.telemetry import mask

Rows = list[dict[str, Any]]
_OCTETS: Final = {
    "yes": "as they came",
    "validity": "as they came, but for the validity_period if it is relative",
    "no": "changed: {}",
    "": "",
}
_OWED: Final = {OwedKind.RECEIPT: "its receipt", OwedKind.INTERMEDIATE: "an intermediate notification", OwedKind.MO: "a message"}


async def by_id(connection: Connection, text: str) -> list[int]:
    """Return the messages that this id may mean, as a tenant was given it. Raises NotFound."""
    found = await traces.by_text_id(connection, text)
    if not found:
        raise NotFound(f"there is no message {text}")
    return found


async def by_carrier_id(connection: Connection, link: str, text: str, since_s: float) -> list[int]:
    """Return the messages that a link took under a carrier's id, in any form of its dialect, newest first. Raises NotFound."""
    found = await exports.link(connection, link)
    if found is None:
        raise NotFound(f"there is no link {link}")
    link_id, settings = found
    dialect, raw = stored_dialect(settings.get("dialect", {})), text.encode("latin-1", "replace")
    keys = {text, submit_key(dialect, raw), receipt_key(dialect, raw)} - {""}
    ids = await traces.by_carrier_id(connection, link_id, sorted(keys), least_id_at(since_s))
    if not ids:
        raise NotFound(f"{link} took no message under the id {text} in this time")
    return ids


async def trace(connection: Connection, number: int, opened: Opener | None = None) -> Rows:
    """Return what became of a message: rows of at, step, detail, in the order of time. Raises NotFound.

    `opened` opens what is sealed, where there are keys.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        row = await traces.find(connection, number)
        if row is None:
            raise NotFound(f"there is no message {number}")
        owed = await traces.owed(connection, row["account"], number)
        complaints = await traces.complaints(connection, number)
        link = await exports.link(connection, row["link"]) if row["link"] else None
        stored = await traces.content(connection, number) if opened is not None and row["waits"] else None
    table = stored_dialect(link[1].get("dialect", {})).codes if link is not None else ""
    rows = [*_way(dict(row), table), *_after(dict(row))]
    if opened is not None and stored is not None:
        try:
            opened(number, stored)
        except Unreadable as error:
            rows.append(_row(None, "content", f"does not open: {error}; it waits for that, and is tried each minute"))
    for one in owed:
        till = f"until {_ms(one['expires_ms']):%Y-%m-%dT%H:%M:%SZ}"
        rows.append(_row(_ms(one["due_ms"]), "owed", f"{_OWED[OwedKind(one['kind'])]}, {one['tries']} tries, {till}"))
    rows += [_row(one["received"], "complaint", f"{one['id']} from {one['source']}") for one in complaints]
    return [{"message": str(number), **one} for one in sorted(rows, key=lambda one: (one["at"] is None, one["at"] or 0))]


def _way(row: Mapping[str, Any], codes: str) -> Rows:
    """Return its acceptance, what held it, what took it, how it ended; `codes` explains the errors of its link."""
    accepted = datetime.fromtimestamp(seconds_of(row["id"]), UTC)
    price = f"{row['parts']} part{'s' if row['parts'] > 1 else ''}, {format_money(row['price'])} {row['currency']}"
    ends = f"{mask(row['source'])} to {mask(row['destination'])}"
    whose = f"{row['system_id']} of {row['tenant']}, mode {Mode(row['mode']).name.lower()}"
    rows = [_row(accepted, "accepted", f"{whose}: {ends}, {price.rstrip()}")]
    rows.append(_row(accepted, "octets", _OCTETS[unmodified(row)].format(row["transform"])))
    if row["reply"]:
        rows[-1] = _row(accepted, "octets", f"the platform's own, an answer to a keyword: {row['reply']}")
    if row["held"] is not None:
        by = row["decided_by"] or "rules"
        rule = " ".join(filter(None, (row["rule"], row["reason"])))
        verdict = f"part {row['part']} of {row['total']} of text {row['held']}: {Fate(row['verdict']).name.lower()}"
        rows.append(_row(_ms(row["since_ms"]), "held", f"{verdict} {rule}, by {by}" if rule else f"{verdict}, by {by}"))
    if row["sent_ms"]:
        again = f", sent again {row['resends']} times" if row["resends"] and not row["reply"] else ""
        detail = f"by {row['link'] or 'a link that is gone'} as {row['upstream_id'] or 'no id'}, attempt {row['attempt']}{again}"
        rows.append(_row(_ms(row["sent_ms"]), "taken", detail))
    state = State(row["state"])
    error = f" {error_text(state, row['error'])}" if row["error"] else ""
    final = state >= FIRST_FINAL or row["done_ms"]
    code = look_up(codes, row["error"]) if state in TOLD_BY_CARRIER and row["sent_ms"] else None
    if row["cancellation"] is not None and state in {State.CANCELLED, State.UNKNOWN}:
        error += f", by cancellation {row['cancellation']} of {row['cancelled_by']}: {row['cancelled_for']}"
    why = f": {code.meaning} ({code.kind}, fault of {code.fault}{', may get through later' if code.again else ''})" if code else ""
    rows.append(_row(_ms(row["done_ms"]), "ended" if final else "stands", f"{state.name}{error}{why}"))
    return rows


_AWAITED: Final = {
    State.SCHEDULED: "for the hours of its recipient",
    State.QUEUED: "for room on link {}, or another of its route",
    State.SUBMITTING: "for the answer of link {}",
    State.IN_DOUBT: "for a late answer or a receipt of link {}",
}
"""What one waits for that is in the store, by its state."""


def _after(row: Mapping[str, Any]) -> Rows:
    """Return what waits, was paid back or purged."""
    rows: Rows = []
    if row["waits"]:
        what = _AWAITED.get(State(row["state"]), "").format(row["link"] or "that is gone")
        who = f"node {row['waits_at']} has it" if row["waits_at"] else "any node may take it"
        rows.append(_row(_ms(row["due_ms"]), "waits", "; ".join(filter(None, (what, who)))))
    if row["refund"]:
        refund = f"{format_money(row['refund'])} {row['currency']}".rstrip()
        rows.append(_row(row["refunded_at"], "refunded", f"{refund} by {row['refunded_by']}"))
    if row["purged_at"]:
        rows.append(_row(row["purged_at"], "purged", f"what it said, by {row['purged_by']}"))
    elif not row["kept"]:
        rows.append(_row(None, "content", "its retention is over"))
    return rows


def _row(at: datetime | None, step: str, detail: str) -> dict[str, Any]:
    return {"at": at, "step": step, "detail": detail}


def _ms(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
