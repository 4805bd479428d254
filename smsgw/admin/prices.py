"""Prices as people change them: at once or from a date on, with the notice that the contract wants; each change is in the audit.

The rule of notice (`price_notice_days` of a tenant) holds for commands and for provisioning files alike: where it is set, a change
of an existing book of prices must have a date, and a notice of that very date must have been sent so many days before it. The first
prices of a tenant are no change.

Never here: SQL, which price a message has (`billing.tariff`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from smsgw.admin.standing import NotFound
from smsgw.billing.tariff import format_money
from smsgw.contracts.standing import NotAllowed
from smsgw.store import prices, provisioning
from smsgw.store.database import Connection
from smsgw.store.prices import PriceKey, shown
from smsgw.store.provisioning import Entities

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """A price from what it is at its moment to what it shall be; None: no price."""

    key: PriceKey
    old: int | None
    new: int | None
    currency: str

    def row(self) -> dict[str, Any]:
        """As it is shown."""
        key = self.key
        return {
            "tenant": key.tenant,
            "prefix": key.prefix,
            "operator": key.operator,
            "category": key.category,
            "route": key.route,
            "from": shown(key.from_ms) if key.from_ms else "now",
            "old": _money(self.old),
            "price": _money(self.new),
            "currency": self.currency,
        }


async def set_price(
    connection: Connection, key: PriceKey, price: int | None, *, actor: str, reason: str, dry_run: bool = False
) -> Change:
    """Let a price hold from its date on, or from now; None: no price from then on. Raises NotFound, NotAllowed, ValueError."""
    async with connection.transaction():
        await provisioning.lock(connection)
        live = await provisioning.read_entities(connection)
        if ("tenant", key.tenant) not in live:
            raise NotFound(f"there is no tenant {key.tenant!r}")
        await _check_key(connection, key)
        now = _now_ms()
        if key.from_ms and key.from_ms <= now:
            raise NotAllowed(f"{shown(key.from_ms)} is past: prices change from now on or later, never backwards")
        lacking = await lacking_notice(connection, live, key)
        if lacking:
            raise NotAllowed(lacking)
        old = await prices.at(connection, key, key.from_ms or now)
        if not dry_run:
            await prices.put(connection, key, price)
            before, after = ({"price": amount} if amount is not None else None for amount in (old, price))
            await provisioning.audit(connection, actor, ("price", key.name), before, after, reason)
            await provisioning.announce(connection)
    return Change(key, old, price, live["tenant", key.tenant]["currency"])


async def notice(
    connection: Connection,
    tenant: str,
    begins: datetime,
    *,
    sent_at: datetime | None,
    channel: str,
    reference: str,
    actor: str,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Record that a change of prices from a moment on was told to a tenant. Raises NotFound, NotAllowed."""
    sent = sent_at or datetime.now(UTC)
    if sent > datetime.now(UTC) + timedelta(minutes=1):
        raise NotAllowed("a notice is recorded when it has been sent, not before")
    from_ms = round(begins.timestamp() * 1000)
    if from_ms <= _now_ms():
        raise NotAllowed(f"{shown(from_ms)} is past: a notice tells of what is to come")
    row = {"tenant": tenant, "from": shown(from_ms), "sent_at": sent, "channel": channel, "reference": reference, "actor": actor}
    async with connection.transaction():
        await provisioning.lock(connection)
        live = await provisioning.read_entities(connection)
        if ("tenant", tenant) not in live:
            raise NotFound(f"there is no tenant {tenant!r}")
        if not dry_run:
            told = {"channel": channel, "reference": reference, "actor": actor}
            number = await prices.add_notice(connection, tenant, from_ms, sent, **told)
            new = {"notice": number, "from": shown(from_ms), "sent_at": sent.isoformat(), "channel": channel}
            await provisioning.audit(connection, actor, ("price_notice", tenant), None, new, reference)
    return row


async def lacking_notice(connection: Connection, live: Entities, key: PriceKey) -> str:
    """Say why a change of a price may not come into force for want of notice, and what to do; "" if it may."""
    days = int(live.get(("tenant", key.tenant), {}).get("price_notice_days", 0))
    if not days or not await prices.has_prices(connection, key.tenant):
        return ""
    promised = f"tenant {key.tenant!r} is promised {days} days' notice of a change of prices"
    if not key.from_ms:
        return f"{promised}: give the price a date (--from, or `from` in a file) and record its notice with `smsgw price notice`"
    begins = datetime.fromtimestamp(key.from_ms / 1000, UTC)
    told = await prices.told_at(connection, key.tenant, key.from_ms)
    if told is None:
        command = f"smsgw price notice {key.tenant} --from {shown(key.from_ms)} --channel mail"
        return f"{promised}: there is none of the change from {shown(key.from_ms)}; send it, then `{command}`"
    if told + timedelta(days=days) > begins:
        soonest = shown(round((told + timedelta(days=days)).timestamp() * 1000))
        sent = shown(round(told.timestamp() * 1000))
        return f"{promised}: that of {shown(key.from_ms)} was sent {sent}, so the change may begin {soonest} or later"
    return ""


async def unannounced(
    connection: Connection, changes: Iterable[tuple[provisioning.Key, Any, Any]], live: Entities
) -> Mapping[provisioning.Key, str]:
    """Find the changes of prices in a file (key, old, new) that lack their notice, and say why."""
    found = {}
    for key, old, new in changes:
        if key[0] != "price":
            continue
        price = PriceKey.parse(key[1])
        cancelled = new is None and price.from_ms > _now_ms()
        if old != new and not cancelled and (lacking := await lacking_notice(connection, live, price)):
            found[key] = lacking
    return found


async def listed(connection: Connection, tenant: str | None, prefix: str | None, *, over: bool) -> Rows:
    """Return prices in force and to come, with `over` also those that were."""
    rows = await prices.rows_of(connection, tenant, prefix)
    return [
        {
            **{key: row[key] for key in ("tenant", "prefix", "operator", "category", "route")},
            "price": _money(row["price"]),
            "currency": row["currency"],
            "from": shown(row["from_ms"]) if row["from_ms"] else "always",
            "state": row["state"],
            "set_at": row["at"],
        }
        for row in rows
        if over or (row["state"] != "over" and (row["price"] is not None or row["state"] == "to come"))
    ]


async def _check_key(connection: Connection, key: PriceKey) -> None:
    if key.operator and key.operator not in await prices.names_of_operators(connection):
        raise NotFound(f"there is no operator {key.operator!r}: provision its prefixes first ([[operator]])")
    if key.route and key.route not in await prices.names_of_routes(connection):
        raise NotFound(f"there is no route with the name {key.route!r}: give one its name first ([[route]] name)")


def _money(amount: int | None) -> str:
    return "none" if amount is None else format_money(amount)


def _now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)
