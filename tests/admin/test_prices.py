"""Changing prices: when it holds, what must have been told, what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smsgw.admin import prices
from smsgw.admin.provisioning import apply
from smsgw.admin.provisioning_file import parse_provisioning
from smsgw.admin.sealing import load_key
from smsgw.admin.standing import NotFound
from smsgw.admin.three_way import Plan
from smsgw.contracts.standing import NotAllowed
from smsgw.store.database import Connection
from smsgw.store.prices import PriceKey

FILE = """
[[tenant]]
name = "acme"
currency = "CNY"
price_notice_days = {days}
[[carrier]]
name = "alpha"
[[link]]
carrier = "alpha"
name = "l"
host = "h"
port = 1
system_id = "x"
[[operator]]
name = "cmcc"
prefixes = ["86138"]
[[route]]
prefix = ""
links = ["l"]
name = "direct"
[[price]]
tenant = "acme"
prefix = ""
price = "{price}"
{more}
"""
DATED = '[[price]]\ntenant = "acme"\nprefix = ""\nprice = "0.05"\nfrom = {begins}\n'
KEY = PriceKey("acme", "")
SOON = (datetime.now(UTC) + timedelta(days=20)).replace(microsecond=0)
SOON_MS = round(SOON.timestamp() * 1000)
WHY = {"actor": "ops", "reason": "new contract"}


class Store:
    """A store that files are applied to."""

    def __init__(self, connection: Connection, directory: Path) -> None:
        self.connection = connection
        self._key = load_key(directory)

    async def apply(self, *, days: int = 0, price: str = "0.04", more: str = "") -> Plan:
        """Apply the file."""
        file = parse_provisioning(FILE.format(days=days, price=price, more=more))
        return await apply(self.connection, file, actor="ops", seal=self._key)

    async def told(self, days_ago: int) -> dict[str, Any]:
        """Record a notice of the change at SOON."""
        sent = datetime.now(UTC) - timedelta(days=days_ago)
        return await prices.notice(self.connection, "acme", SOON, sent_at=sent, channel="mail", reference="m1", actor="ops")


@pytest.fixture
def store(connection: Connection, tmp_path: Path) -> Store:
    """A store without anything."""
    return Store(connection, tmp_path)


async def test_a_price_may_be_set_now_or_later(store: Store):
    """Both leave an audit row with old, new and why; what is shown is in force or to come."""
    await store.apply()
    now = await prices.set_price(store.connection, KEY, 41_000, **WHY)
    later = await prices.set_price(store.connection, KEY._replace(from_ms=SOON_MS), 42_000, **WHY)
    assert (now.old, later.old) == (40_000, 41_000)
    assert now.row()["from"] == "now"
    rows = await prices.listed(store.connection, "acme", None, over=False)
    assert [(row["price"], row["state"]) for row in rows] == [("0.041", "in force"), ("0.042", "to come")]
    assert [row["price"] for row in await prices.listed(store.connection, None, "", over=True)] == ["0.04", "0.041", "0.042"]
    audit = await store.connection.fetch("SELECT actor, old, new, reason FROM audit WHERE kind = 'price' ORDER BY id DESC LIMIT 2")
    assert [(row["actor"], json.loads(row["old"]), json.loads(row["new"]), row["reason"]) for row in audit] == [
        ("ops", {"price": 41_000}, {"price": 42_000}, "new contract"),
        ("ops", {"price": 40_000}, {"price": 41_000}, "new contract"),
    ]


async def test_what_cannot_be_is_refused(store: Store):
    """The past, tenants, operators and routes that are not there; a dry run changes nothing."""
    await store.apply()
    for key, error in [
        (KEY._replace(from_ms=1_700_000_000_000), NotAllowed),
        (KEY._replace(tenant="nobody"), NotFound),
        (KEY._replace(operator="nobody"), NotFound),
        (KEY._replace(route="nobody"), NotFound),
    ]:
        with pytest.raises(error):
            await prices.set_price(store.connection, key, 1, **WHY)
    await prices.set_price(store.connection, KEY, None, dry_run=True, **WHY)
    await prices.set_price(store.connection, KEY._replace(operator="cmcc", route="direct"), 1, dry_run=True, **WHY)
    assert len(await prices.listed(store.connection, None, None, over=True)) == 1
    with pytest.raises(NotAllowed, match="is past"):
        await prices.notice(
            store.connection, "acme", SOON - timedelta(days=30), sent_at=None, channel="x", reference="", actor="ops"
        )
    with pytest.raises(NotAllowed, match="has been sent"):
        await prices.notice(store.connection, "acme", SOON, sent_at=SOON, channel="x", reference="", actor="ops")
    with pytest.raises(NotFound):
        await prices.notice(store.connection, "nobody", SOON, sent_at=None, channel="x", reference="", actor="ops")


async def test_a_change_needs_its_notice(store: Store):
    """Where a contract wants 30 days, a change needs a date and a notice that was sent so long before; the first prices do not."""
    assert not (await store.apply(days=30)).conflicts
    with pytest.raises(NotAllowed, match="give the price a date"):
        await prices.set_price(store.connection, KEY, 1, **WHY)
    with pytest.raises(NotAllowed, match="smsgw price notice acme --from"):
        await prices.set_price(store.connection, KEY._replace(from_ms=SOON_MS), 1, **WHY)
    await store.told(days_ago=5)
    with pytest.raises(NotAllowed, match="may begin"):
        await prices.set_price(store.connection, KEY._replace(from_ms=SOON_MS), 1, **WHY)
    await store.told(days_ago=11)
    assert (await prices.set_price(store.connection, KEY._replace(from_ms=SOON_MS), 1, **WHY)).new == 1
    with pytest.raises(NotAllowed, match="there is none of the change"):
        await prices.set_price(store.connection, KEY._replace(from_ms=SOON_MS + 1000), 1, **WHY)


async def test_a_file_needs_it_as_well(store: Store):
    """A file's change without a date, or without notice, is a conflict that no --overwrite solves; with notice it is applied."""
    await store.apply(days=30)
    (conflict,) = (await store.apply(days=0, price="0.01")).conflicts
    assert "30 days' notice" in str(conflict)
    assert conflict.final
    dated = DATED.format(begins=SOON.isoformat())
    (conflict,) = (await store.apply(days=30, more=dated)).conflicts
    assert "smsgw price notice acme" in str(conflict)
    await store.told(days_ago=12)
    assert not (await store.apply(days=30, more=dated)).conflicts
    assert not (await store.apply(days=30)).conflicts  # what has not begun may be taken back
    assert [row["price"] for row in await prices.listed(store.connection, None, None, over=False)] == ["0.04"]


async def test_what_somebody_else_set_is_a_conflict_for_a_file(store: Store):
    """A price that was set by hand is not undone by a file that says another; what it dated is no affair of the file's."""
    await store.apply()
    await prices.set_price(store.connection, KEY._replace(from_ms=SOON_MS), 50_000, **WHY)
    assert (await store.apply()).empty
    await prices.set_price(store.connection, KEY, 41_000, **WHY)
    (conflict,) = (await store.apply(price="0.05")).conflicts
    assert "changed by somebody else" in str(conflict)
    assert not (await store.apply(price="0.041")).conflicts
    assert not (await store.apply(price="0.05")).conflicts
