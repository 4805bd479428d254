"""Prices by longest destination prefix, and Money in text.

Money is an int of 10⁻⁶ of the currency: `parse_money` takes at most six decimals and refuses more, nothing is ever rounded here.
Never here: asyncio, the store, who pays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from smsgw.model import MONEY_UNIT, Price

_MONEY: Final = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,6}))?")


def parse_money(text: str) -> int:
    """Read an amount such as "0.038" exactly. Raises ValueError for more than six decimals or anything that is no amount."""
    found = _MONEY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no amount: digits, then at most six decimals")
    sign, whole, decimals = found.groups()
    amount = int(whole) * MONEY_UNIT + int((decimals or "").ljust(6, "0"))
    return -amount if sign else amount


def format_money(amount: int) -> str:
    """Write an amount with all its decimals that are not nought, at least two."""
    whole, decimals = divmod(abs(amount), MONEY_UNIT)
    shown = f"{decimals:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if amount < 0 else ''}{whole}.{shown}"


class Tariff:
    """Tenant and destination → price of one part."""

    __slots__ = ("_lengths", "_prices", "prices")

    def __init__(self, prices: Iterable[Price], tenant_ids: dict[str, int]) -> None:
        """Build from prices; those of unknown tenants are left out (apply refuses them)."""
        self.prices = tuple(prices)
        self._prices: dict[int, dict[str, int]] = {}
        for price in self.prices:
            if price.tenant in tenant_ids:
                self._prices.setdefault(tenant_ids[price.tenant], {})[price.prefix] = price.price
        self._lengths = {
            tenant: sorted({len(prefix) for prefix in prefixes}, reverse=True) for tenant, prefixes in self._prices.items()
        }

    def price(self, tenant_id: int, destination: str) -> int | None:
        """Return the price of one part (Money); None when the tenant has none for this destination."""
        prices = self._prices.get(tenant_id)
        if prices is None:
            return None
        if destination[:1] == "+":
            destination = destination[1:]
        for length in self._lengths[tenant_id]:
            found = prices.get(destination[:length])
            if found is not None:
                return found
        return None
