"""What a contract in a provisioning file may say of money and notices: each value checked, and written in its one form.

Each function raises ValueError with what is wrong. Never here: which keys there are.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from smsgw.billing.tariff import format_money, parse_money
from smsgw.model import MONEY_UNIT

DAYS_OF_A_WEEK: Final = 7
_ADDRESS: Final = re.compile(r"[^@\s<>,;]{1,64}@[^@\s<>,;]{1,190}")


def alarms(value: Iterable[str]) -> list[str]:
    """Thresholds, the highest first, each written as an amount is shown."""
    return [format_money(amount) for amount in sorted({parse_money(text) for text in value}, reverse=True)]


def webhook(value: str) -> str:
    """Where notices are posted: http or https, without a password; "" is nowhere."""
    found = urllib.parse.urlsplit(value)
    if value and (found.scheme not in {"http", "https"} or not found.hostname):
        raise ValueError("is no address: https://host/path")
    if found.username or found.password:
        raise ValueError("must hold no password: what is sent there is signed")
    return value


def mail(value: Iterable[str]) -> list[str]:
    """Whom notices are mailed to."""
    for address in value:
        if not _ADDRESS.fullmatch(address):
            raise ValueError(f"{address!r} is no mail address")
    return list(value)


def share(value: str) -> str:
    """A part of a whole, exact to six decimals."""
    if not 0 <= parse_money(value) <= MONEY_UNIT:
        raise ValueError(f"{value!r} is no share: from 0 to 1, such as 0.15")
    return value


def files(value: list[str]) -> list[str]:
    """What a rule set is made of."""
    if not value or not all(value):
        raise ValueError("must name at least one file")
    return value


def networks(value: Iterable[str]) -> list[str]:
    """Where an account may bind from."""
    return [str(ipaddress.ip_network(network, strict=False)) for network in value]


def contradictions(tenant: Mapping[str, Any]) -> list[str]:
    """Say what is wrong between keys of a tenant that are each right alone."""
    day = tenant.get("cycle_start_day", 1)
    if tenant.get("cycle") == "week" and day > DAYS_OF_A_WEEK:
        return [f"cycle_start_day is {day}: a week has the days 1 (Monday) to {DAYS_OF_A_WEEK}"]
    return []


CONTRACT_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "balance_alarms": alarms,
    "notice_webhook": webhook,
    "notice_mail": mail,
    "partner_share": share,
    "files": files,
    "allow_from": networks,
}
