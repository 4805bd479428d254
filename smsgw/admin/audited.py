"""Rows of the audit for those who read them: money as amounts with its currency, as every other command writes it.

What is stored, and hashed, stays as it is: prices and credit limits as whole numbers of 10⁻⁶ of the currency. `store.audits` walks
that; here it is only written otherwise.

Must never: change what is not money; touch a row of the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from smsgw.billing.tariff import format_money
from smsgw.store import audits
from smsgw.store.database import Connection
from smsgw.store.prices import PriceKey

INTEGERS: Final = ("credit_limit", "price")
"""Keys under which rows have Money."""
AMOUNTS: Final = (*INTEGERS, "amount", "balance", "balance_alarms", "owed", "refund")
"""Keys of amounts: those, and what is stored as text already."""


async def told(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with their money as amounts; `currency`: of those in `old` and `new`, "" where there are none."""
    known = await audits.currencies(connection)
    return [readable(row, known) for row in rows]


def readable(row: Mapping[str, Any], currencies: Mapping[str, str]) -> dict[str, Any]:
    """Return a row with its money as amounts; `currencies`: of tenants, by name."""
    sides = [side for side in (row["new"], row["old"]) if side]
    has_money = any(key in side for side in sides for key in AMOUNTS)
    currency = _currency(row["kind"], row["name"], sides, currencies) if has_money else ""
    said = {"old": _amounts(row["old"]), "new": _amounts(row["new"]), "currency": currency}
    last = {key: row[key] for key in ("reason", "hash")}
    return {**{key: value for key, value in row.items() if key not in last}, **said, **last}


def _amounts(side: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return {key: format_money(value) if key in INTEGERS and isinstance(value, int) else value for key, value in side.items()}


def _currency(kind: str, name: str, sides: Sequence[Mapping[str, Any]], currencies: Mapping[str, str]) -> str:
    """Return the currency of a row's amounts: what it says itself, else its tenant's of today; "" for one who is gone."""
    for side in sides:
        if side.get("currency"):
            return str(side["currency"])
    match kind:
        case "price":
            tenant = PriceKey.parse(name).tenant
        case "late_fee":
            tenant = name.rpartition("/")[0]
        case "refund":
            tenant = next((str(side["tenant"]) for side in sides if "tenant" in side), "")
        case _:
            tenant = name
    return currencies.get(tenant, "")
