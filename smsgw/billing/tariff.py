"""Prices by longest destination prefix and what else they are for, from their dates on; and Money in text.

Money is an int of 10⁻⁶ of the currency: `parse_money` takes at most six decimals and refuses more, nothing is ever rounded here.
Never here: asyncio, the store, who pays.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from operator import itemgetter
from typing import Final

from smsgw.model import MONEY_UNIT, Operator, Price

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


class _Versions:
    """The prices of one prefix where there is more than one: by what else they are for, and from when."""

    __slots__ = ("particular", "variants")

    def __init__(self, prices: Iterable[Price]) -> None:
        """Sort the most particular first: by operator, then category, then route."""
        variants: dict[tuple[str, str, str], list[tuple[float, int | None]]] = {}
        for price in prices:
            variants.setdefault((price.operator, price.category, price.route), []).append((price.since, price.price))
        order = sorted(variants, key=lambda key: tuple(not part for part in key))
        self.variants = [(key, sorted(variants[key], key=itemgetter(0))) for key in order]
        self.particular = any(key[0] for key in variants)

    def price(self, operator: str, category: str, route: str, now: float) -> int | None:
        """Return the price in force at `now`; None when none of them fits."""
        for (of_operator, of_category, of_route), versions in self.variants:
            if (of_operator and of_operator != operator) or (of_category and of_category != category):
                continue
            if of_route and of_route != route:
                continue
            at = bisect_right(versions, now, key=itemgetter(0))
            if at and (price := versions[at - 1][1]) is not None:
                return price
        return None


class Tariff:
    """Tenant and destination → price of one part.

    The longest prefix that has a price in force decides; for one prefix an operator's price goes before a category's, that before
    a route's, and that before the one for all. `routed`: whether any price is for a route.
    """

    __slots__ = ("_lengths", "_operator_lengths", "_operators", "_prices", "operators", "prices", "routed")

    def __init__(self, prices: Iterable[Price], tenant_ids: dict[str, int], operators: Iterable[Operator] = ()) -> None:
        """Build from prices; those of unknown tenants are left out (apply refuses them)."""
        self.prices = tuple(prices)
        self.operators = tuple(operators)
        self.routed = any(price.route for price in self.prices)
        self._operators = {prefix: operator.name for operator in self.operators for prefix in operator.prefixes}
        self._operator_lengths = sorted({len(prefix) for prefix in self._operators}, reverse=True)
        books: dict[int, dict[str, list[Price]]] = {}
        for price in self.prices:
            if price.tenant in tenant_ids:
                books.setdefault(tenant_ids[price.tenant], {}).setdefault(price.prefix, []).append(price)
        self._prices = {tenant: {prefix: _simplest(of) for prefix, of in book.items()} for tenant, book in books.items()}
        self._lengths = {
            tenant: sorted({len(prefix) for prefix in prefixes}, reverse=True) for tenant, prefixes in self._prices.items()
        }

    def price(self, tenant_id: int, destination: str, now: float = 0.0, route: str = "", category: str = "") -> int | None:
        """Return the price of one part (Money) at `now` (Unix seconds); None when the tenant has none for this destination."""
        prices = self._prices.get(tenant_id)
        if prices is None:
            return None
        if destination[:1] == "+":
            destination = destination[1:]
        for length in self._lengths[tenant_id]:
            found = prices.get(destination[:length])
            if found is None:
                continue
            if type(found) is int:
                return found
            assert isinstance(found, _Versions)
            operator = self.operator(destination) if found.particular else ""
            price = found.price(operator, category, route, now)
            if price is not None:
                return price
        return None

    def operator(self, destination: str) -> str:
        """Return the operator of a destination (without its +), by the longest prefix; "" when none has it."""
        for length in self._operator_lengths:
            name = self._operators.get(destination[:length])
            if name is not None:
                return name
        return ""


def _simplest(prices: list[Price]) -> int | _Versions:
    """Return a price as the hot path likes it: the amount itself where it is the only one, for all and for ever."""
    (first, *others) = prices
    if others or first.price is None or first.since or first.operator or first.category or first.route:
        return _Versions(prices)
    return first.price
