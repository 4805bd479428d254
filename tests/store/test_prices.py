"""Versions of prices and notices in the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from smsgw.model import Price
from smsgw.store import prices, provisioning
from smsgw.store.database import Connection
from smsgw.store.prices import PriceKey
from tests.contract import contract

KEY = PriceKey("acme", "86")
FAR = 4_000_000_000_000


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant."""
    return await contract(connection)


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        PriceKey("a.b", ""),
        PriceKey("acme", "86", "cmcc", "otp", "direct", 1_700_000_000_000),
        PriceKey("acme", "86", route="direct", from_ms=1_700_000_000_123),
    ],
)
def test_a_name_says_all_of_a_key(key: PriceKey):
    """What a price is for and from when is in its name, and can be read back from it."""
    assert PriceKey.parse(key.name) == key


def test_a_plain_price_is_named_as_ever():
    """Tenant and prefix, and nothing else, where there is nothing else."""
    assert (KEY.name, KEY._replace(operator="cmcc").name) == ("acme/86", "acme/86;operator=cmcc")
    assert KEY._replace(operator="cmcc").refers() == {"tenant": "acme", "operator": "cmcc"}


async def values(connection: Connection) -> list[Price]:
    """What the Directory reads."""
    return [prices.price_of(row) for row in await connection.fetch(prices.EVERYTHING)]


async def test_the_first_price_has_always_held_and_later_ones_from_their_moment(acme: Connection):
    """A second price for the same key begins now; the first stays, for messages of before and for clocks that are behind."""
    before = datetime.now(UTC).timestamp()
    await prices.put(acme, KEY, 5)
    await prices.put(acme, KEY, 6)
    first, second = await values(acme)
    assert (first.price, first.since) == (5, 0)
    assert (second.price, before - 1 < second.since <= datetime.now(UTC).timestamp() + 1) == (6, True)
    assert await prices.entities(acme) == {"acme/86": 6}
    assert [row["state"] for row in await prices.rows_of(acme)] == ["over", "in force"]
    assert await acme.fetchval("SELECT price FROM price_in_force") == 6


async def test_a_dated_price_is_one_of_its_own(acme: Connection):
    """It stands beside the undated one, is in force from its date, and can be cancelled before it."""
    await prices.put(acme, KEY, 5)
    later = KEY._replace(from_ms=FAR)
    await prices.put(acme, later, 7)
    assert await prices.entities(acme) == {"acme/86": 5, later.name: 7}
    assert (await prices.at(acme, KEY, FAR - 1), await prices.at(acme, KEY, FAR)) == (5, 7)
    assert [row["state"] for row in await prices.rows_of(acme, "acme", "86")] == ["in force", "to come"]
    await prices.delete(acme, later)
    assert await prices.at(acme, KEY, FAR) == 5


async def test_a_price_that_is_taken_away_is_history(acme: Connection):
    """An undated one ends now; after a dated one that had begun the undated one holds again."""
    await prices.put(acme, KEY, 5)
    past = KEY._replace(from_ms=1_700_000_000_000)
    await prices.put(acme, past, 7)
    assert await acme.fetchval("SELECT price FROM price_in_force") == 7
    await prices.delete(acme, past)
    assert await acme.fetchval("SELECT price FROM price_in_force") == 5
    assert await prices.entities(acme) == {"acme/86": 5}
    await prices.delete(acme, KEY)
    assert await prices.entities(acme) == {}
    assert not await prices.has_prices(acme, "acme")
    assert len(await prices.rows_of(acme)) >= 3


async def test_long_past_versions_are_not_read(acme: Connection):
    """The Directory reads what is in force, what was an hour ago, and what is to come; not all history."""
    for year in range(10):
        await prices.put(acme, KEY._replace(from_ms=1_400_000_000_000 + year), year)
    await prices.put(acme, KEY._replace(from_ms=FAR), 99)
    assert [price.price for price in await values(acme)] == [9, 99]


async def test_notices_are_found_by_the_moment_they_tell_of(acme: Connection):
    """The first one counts; another moment has none."""
    sent = datetime.now(UTC).replace(microsecond=0) - timedelta(days=40)
    for number in range(2):
        told = sent + timedelta(days=number)
        assert await prices.add_notice(acme, "acme", FAR, told, channel="mail", reference="m1", actor="ops")
    assert await prices.told_at(acme, "acme", FAR) == sent
    assert await prices.told_at(acme, "acme", FAR + 1) is None
    assert [row["sent_at"] for row in await prices.notices_of(acme, "acme")] == [sent + timedelta(days=1), sent]


async def test_names_that_prices_may_refer_to(acme: Connection):
    """Operators, and routes that have a name."""
    await provisioning.put(acme, ("operator", "cmcc"), {"prefixes": ["86138"]})
    await provisioning.put(acme, ("route", "86"), {"links": ["l"], "part_rule": "cn_char", "name": "direct"})
    await provisioning.put(acme, ("route", ""), {"links": ["l"], "part_rule": "cn_char"})
    assert await prices.names_of_operators(acme) == {"cmcc"}
    assert await prices.names_of_routes(acme) == {"direct"}
