"""Closing a cycle: read in one snapshot, refuse what does not reconcile, freeze, and make files of what is frozen.

A closed cycle asked for again gives the content and the files that are kept, octet for octet. Cycles are closed in order, each
opening with what the one before was closed with, and not before everything that began in them is surely in the store.

Must never: change a closed cycle; close one whose figures contradict the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from smsgw.model import Tenant
from smsgw.reports import partner as partners
from smsgw.reports import statement as reports
from smsgw.reports.cycle import Cycle, cycle_at, cycle_of, following, form_of
from smsgw.reports.rendering import TooLarge, csv_rows, render, sha256
from smsgw.reports.statement import Charge, Day, Ended, Entry, Figures, NotReconciled
from smsgw.reports.table import Cell, Document
from smsgw.store import provisioning, statements
from smsgw.store.books import NoSuchTenant, Refused
from smsgw.store.database import Connection
from smsgw.store.ids import seconds_of
from smsgw.store.statements import Closed, ClosedMeanwhile, Span

__all__ = ["Made", "NoSuchTenant", "NotReconciled", "Refused", "close", "close_partner", "file_of"]

TENANT: Final = "tenant"
PARTNER: Final = "partner"
SETTLING_MS: Final = 600_000
"""So long after its end a cycle may still get rows: transactions that began in it, clocks that differ."""
DETAIL_ROWS: Final = 1_000_000
_SHAPES: Final[Mapping[str, Callable[..., Any]]] = {
    "charges": Charge, "days": Day, "states": Ended, "late_states": Ended, "entries": Entry,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """A cycle's content: closed for good, or a draft that is not kept."""

    direction: str
    party: str
    cycle: str
    text: str
    closed: Closed | None
    contract: Tenant | None = None
    span: Span | None = None

    @property
    def document(self) -> Document:
        """What people read of it."""
        build = reports.document if self.direction == TENANT else partners.document
        return build(self.text, draft=self.closed is None)

    @property
    def moment(self) -> datetime:
        """When it was closed; a draft says the epoch, so that it too is the same each time."""
        return self.closed.at if self.closed is not None else datetime(1980, 1, 1, tzinfo=UTC)


async def close(connection: Connection, name: str, cycle_name: str, *, actor: str, draft: bool = False) -> Made:
    """Close a tenant's cycle, or return it as it was closed. Raises NoSuchTenant, Refused, NotReconciled, ValueError."""
    tenant = await statements.contract(connection, name)
    cycle = cycle_of(cycle_name, tenant.timezone, tenant.cycle_start_day, tenant.cycle)
    kept = await statements.find(connection, TENANT, name, cycle.name)
    if kept is not None:
        return Made(TENANT, name, cycle.name, kept.content, kept, tenant, Span(kept.from_ms, kept.until_ms))
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            made, closing = await _read(connection, tenant, cycle, draft=draft)
        if draft:
            return made
        # Kept in a transaction of its own: one that has read an old snapshot may not add to the audit's chain.
        async with connection.transaction():
            return await _keep(connection, made, closing, actor)
    except ClosedMeanwhile:
        return await close(connection, name, cycle_name, actor=actor, draft=draft)


async def _read(connection: Connection, tenant: Tenant, cycle: Cycle, *, draft: bool) -> tuple[Made, int]:
    """Return what a cycle comes to, not kept yet, and its closing balance."""
    before = await statements.last(connection, TENANT, tenant.name)
    following_name = cycle.name if before is None else await next_name(connection, tenant, before)
    opening = None
    if before is not None and following_name == cycle.name:
        cycle = replace(cycle, start=datetime.fromtimestamp(before.until_ms / 1000, ZoneInfo(tenant.timezone)))
        opening = before.closing
    if not draft:
        _check_order(cycle, before, following_name)
        await _check_over(connection, cycle.until_ms, cycle.name)
    span = Span(cycle.from_ms, cycle.until_ms)
    read = await statements.read_figures(connection, tenant, span, opening)
    text = reports.content(tenant, cycle, _figures(read))
    return Made(TENANT, tenant.name, cycle.name, text, None, tenant, span), read["closing"]


async def _keep(connection: Connection, made: Made, closing: int, actor: str) -> Made:
    assert made.span is not None
    digest = reports.digest(made.text)
    kept = await statements.keep(connection, TENANT, made.party, made.cycle, made.span, closing, made.text, digest, actor)
    await _audit(connection, actor, kept, made.party)
    return replace(made, closed=kept)


async def next_name(connection: Connection, tenant: Tenant, before: Closed) -> str:
    """Return the name of the cycle after the last closed one; with another form since then, of that in which it ended."""
    if form_of(before.cycle) == tenant.cycle:
        return following(before.cycle)
    ended = datetime.fromtimestamp(before.until_ms / 1000, UTC)
    name = cycle_at(ended, tenant.timezone, tenant.cycle_start_day, tenant.cycle).name
    while await statements.find(connection, TENANT, tenant.name, name) is not None:
        name = following(name)
    return name


def _check_order(cycle: Cycle, before: Closed | None, following_name: str) -> None:
    """Refuse a cycle that leaves a gap behind the last closed one, or reaches into it."""
    if before is None:
        return
    if cycle.name != following_name:
        if cycle.until_ms <= before.until_ms:
            raise Refused(f"cycle {before.cycle} is closed already, and {cycle.name} lies before it")
        raise Refused(f"{before.cycle} is the last closed cycle: close {following_name} before {cycle.name}")
    if cycle.from_ms >= cycle.until_ms:
        raise Refused(f"cycle {cycle.name} is empty: {before.cycle}, closed with another start day, covers it")


async def _check_over(connection: Connection, until_ms: int, name: str) -> None:
    """Refuse a cycle that is not over yet, or only just."""
    left_s = (until_ms + SETTLING_MS - await statements.now_ms(connection)) / 1000
    if left_s > 0:
        may = datetime.now(UTC) + timedelta(seconds=left_s)
        raise Refused(f"cycle {name} may be closed from {may:%Y-%m-%d %H:%M} UTC on; --dry-run shows a draft")


async def _audit(connection: Connection, actor: str, kept: Closed, party: str) -> None:
    await provisioning.audit(connection, actor, ("statement", f"{party}/{kept.cycle}"), None, {"sha256": kept.sha256})


def _figures(read: dict[str, Any]) -> Figures:
    """Make values of what the store has read."""
    shapes: dict[str, Callable[..., Any]] = {
        "charges": Charge,
        "days": Day,
        "states": Ended,
        "late_states": Ended,
        "entries": Entry,
    }
    made = {key: tuple(shapes[key](**row) for row in value) for key, value in read.items() if key in shapes}
    return Figures(**{**read, **made, "differences": tuple(read["differences"])})


async def close_partner(connection: Connection, name: str, cycle_name: str, *, actor: str, draft: bool = False) -> Made:
    """Close a partner's cycle, of the closed cycles of the tenants that he brought. Raises NoSuchTenant, Refused, ValueError."""
    form = form_of(cycle_name)
    kept = await statements.find(connection, PARTNER, name, cycle_name)
    if kept is not None:
        return Made(PARTNER, name, cycle_name, kept.content, kept)
    async with connection.transaction():
        tenants = await statements.of_partner(connection, name)
        if not tenants:
            raise NoSuchTenant(name)
        others = [tenant for tenant in tenants if tenant.cycle != form]
        if others:
            raise Refused(
                f"{cycle_name} is a {form}, and the cycle of {others[0].name} is a {others[0].cycle}: one sum needs one calendar"
            )
        closed = [(tenant, await statements.find(connection, TENANT, tenant.name, cycle_name)) for tenant in tenants]
        missing = [tenant.name for tenant, found in closed if found is None]
        if missing:
            raise Refused(f"close {cycle_name} of {', '.join(missing)} first: a partner's share is of closed statements")
        found = [(tenant.partner_share, one) for tenant, one in closed if one is not None]
        text = partners.content(name, cycle_name, [(share, one.content) for share, one in found])
        if draft:
            return Made(PARTNER, name, cycle_name, text, None)
        span = Span(min(one.from_ms for _, one in found), max(one.until_ms for _, one in found))
        kept = await statements.keep(connection, PARTNER, name, cycle_name, span, 0, text, reports.digest(text), actor)
        await _audit(connection, actor, kept, name)
        return Made(PARTNER, name, cycle_name, text, kept)


# ---- files ---------------------------------------------------------------------------------------------------------------------


async def file_of(connection: Connection, made: Made, form: str, *, detail: bool = False) -> tuple[str, bytes]:
    """Return a file of a cycle with its name: the one that was kept, or made now and kept. Raises MissingExtra, TooLarge."""
    marks = ("-partner" if made.direction == PARTNER else "") + ("-detail" if detail else "") + ("" if made.closed else "-draft")
    name = f"{made.party}-{made.cycle}{marks}.{form}"
    if made.closed is not None:
        kept = await statements.kept_file(connection, made.closed.id, name)
        if kept is not None:
            return name, kept
    body = await _detail(connection, made) if detail else render(made.document, form, made.moment)
    if made.closed is not None:
        body = await statements.keep_file(connection, made.closed.id, name, sha256(body), body)
    return name, body


async def _detail(connection: Connection, made: Made) -> bytes:
    assert made.contract is not None
    assert made.span is not None
    zone = ZoneInfo(made.contract.timezone)
    rows: list[tuple[Cell, ...]] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for page in statements.detail(connection, made.contract.id, made.span):
            rows += [reports.detail_row(dict(row), datetime.fromtimestamp(seconds_of(row["id"]), zone)) for row in page]
            if len(rows) > DETAIL_ROWS:
                raise TooLarge(f"more than {DETAIL_ROWS} messages: `smsgw export` writes them without a limit")
    return csv_rows(reports.DETAIL_COLUMNS, rows)
