"""Windows of quotas: by the calendar of a zone, rolling, and what cycle() makes of them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import smsgw.store
from smsgw.store import invariants, prices
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at
from smsgw.store.migrations import migrate
from smsgw.store.quotas import DAY, HOUR, MINUTE, MONTH, ROLLING, window, windows_of
from tests.store.cycles import Cycles
from tests.store.work import ACME, account, fund

ZONES = ("UTC", "Asia/Shanghai", "Asia/Kolkata", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia")


def at(text: str, zone: str = "UTC") -> int:
    """A moment by a zone's clock."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


@pytest.mark.parametrize(
    ("span", "zone", "moment", "start", "till"),
    [
        (MINUTE, "UTC", at("2026-03-01T10:20:59"), at("2026-03-01T10:20"), at("2026-03-01T10:21")),
        (HOUR, "UTC", at("2026-03-01T10:20:59"), at("2026-03-01T10:00"), at("2026-03-01T11:00")),
        (HOUR, "Asia/Kolkata", at("2026-03-01T10:20"), at("2026-03-01T09:30"), at("2026-03-01T10:30")),
        (DAY, "UTC", at("2026-03-01T00:00"), at("2026-03-01"), at("2026-03-02")),
        (DAY, "Asia/Shanghai", at("2026-02-28T16:00"), at("2026-02-28T16:00"), at("2026-03-01T16:00")),
        (DAY, "Asia/Shanghai", at("2026-02-28T15:59:59"), at("2026-02-27T16:00"), at("2026-02-28T16:00")),
        (DAY, "Europe/Berlin", at("2026-03-29T12:00"), at("2026-03-28T23:00"), at("2026-03-29T22:00")),
        (DAY, "Europe/Berlin", at("2026-10-25T12:00"), at("2026-10-24T22:00"), at("2026-10-25T23:00")),
        (MONTH, "UTC", at("2026-02-15T12:00"), at("2026-02-01"), at("2026-03-01")),
        (MONTH, "UTC", at("2026-12-31T23:59:59"), at("2026-12-01"), at("2027-01-01")),
        (MONTH, "Asia/Shanghai", at("2026-12-31T16:00"), at("2026-12-31T16:00"), at("2027-01-31T16:00")),
    ],
)
def test_calendar_windows_follow_the_zone(span: int, zone: str, moment: int, start: int, till: int):
    """A window begins and ends when the clock of the tenant's zone says so, on days of 23 and 25 hours too."""
    assert window(span, zone, moment) == (start, start, till)


@given(st.sampled_from(ZONES), st.sampled_from([MINUTE, HOUR, DAY, MONTH]), st.integers(1_735_689_600, 2_000_000_000))
def test_calendar_windows_lie_side_by_side(zone: str, span: int, moment: int):
    """Each moment is in its window, every moment of a window has the same one, and the next begins where it ends."""
    first = window(span, zone, moment)
    assert first.start <= moment < first.till
    assert window(span, zone, first.start) == first == window(span, zone, first.till - 1)
    assert window(span, zone, first.till).start == first.till
    local = datetime.fromtimestamp(first.start, ZoneInfo(zone))
    assert (local.second, local.minute if span > MINUTE else 0) == (0, 0)


@pytest.mark.parametrize(("span", "length", "bucket"), [(0, 60, 1), (1, 3_600, 60), (2, 86_400, 900), (3, 2_592_000, 21_600)])
def test_rolling_windows_are_counted_in_parts(span: int, length: int, bucket: int):
    """A part is a second, a minute, a quarter of an hour or six hours; the window reaches back by its whole length."""
    moment = at("2026-03-01T10:20:59")
    since, start, till = window(span + ROLLING, "UTC", moment)
    assert start <= moment < till == start + bucket
    assert start - since == length


def test_a_message_is_counted_by_what_its_account_has():
    """One row for each span that has a quota, of messages or of parts."""
    limited = replace(account(7, replace(ACME, timezone="Asia/Shanghai")), quota_day=5, quota_parts_month=9)
    moment = at("2026-03-01T10:00")
    day, month = at("2026-03-01", "Asia/Shanghai"), at("2026-03-01", "Asia/Shanghai")
    assert windows_of(limited, moment) == [
        (7, DAY, day, day, day + 86_400, 5, 0),
        (7, MONTH, month, month, at("2026-04-01", "Asia/Shanghai"), 0, 9),
    ]
    (rolling,) = windows_of(replace(limited, quota_day=0, quota_window="rolling"), moment)
    assert rolling[:2] == (7, MONTH + ROLLING)


# ---- in the store ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def cycle(connection: Connection) -> Cycles:
    """Cycles of a node that may write, and a tenant with money."""
    await fund(connection, 1_000)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1)")
    return Cycles(connection)


async def send(cycle: Cycles, limited: Any, moments: list[float], parts: int = 1) -> list[bool]:
    """Send a message at each of these moments, all in one cycle; returns which of them passed."""
    numbers = [least_id_at(moment) + index for index, moment in enumerate(moments)]
    rows = []
    for number in numbers:
        row = list(cycle.new(number))
        row[7] = parts
        rows.append(tuple(row))
    quota = sorted({row for moment in moments for row in windows_of(limited, int(moment))})
    refused = {key for key, *_ in (await cycle(new=rows, quota=quota)).get("refused", [])}
    return [number not in refused for number in numbers]


async def test_parts_are_counted_beside_messages(cycle: Cycles, connection: Connection):
    """Ten parts an hour take three messages of three, whatever is left for one of one."""
    limited = account(1, quota_hour=100, quota_parts_hour=10)
    noon = at("2026-03-01T12:00")
    assert await send(cycle, limited, [noon, noon, noon, noon], parts=3) == [True, True, True, False]
    assert await send(cycle, limited, [noon + 1, noon + 1], parts=1) == [True, False]
    assert await send(cycle, limited, [noon + 3_600], parts=3) == [True]
    row = await connection.fetchrow("SELECT used, parts FROM quota WHERE start = $1", noon)
    assert tuple(row) == (4, 10)
    assert await invariants.check(connection) == []


async def test_one_cycle_may_span_midnight(cycle: Cycles, connection: Connection):
    """Messages of two days in one cycle count each in its own."""
    limited = account(1, quota_day=2)
    midnight = at("2026-03-02")
    moments = [midnight - 3, midnight - 2, midnight - 1, midnight, midnight + 1, midnight + 2]
    assert await send(cycle, limited, [float(moment) for moment in moments]) == [True, True, False, True, True, False]
    assert [row["used"] for row in await connection.fetch("SELECT used FROM quota ORDER BY start")] == [2, 2]
    assert await invariants.check(connection) == []


async def test_a_rolling_minute_never_has_more(cycle: Cycles, connection: Connection):
    """Five a rolling minute: in no sixty seconds more than five pass, and what has left the window makes room."""
    limited = account(1, quota_minute=5, quota_window="rolling")
    began = at("2026-03-01T12:00:30")
    passed: list[float] = []
    for second in range(0, 200, 7):
        moments = [began + second + 0.1, began + second + 0.2]
        passed += [moment for moment, fits in zip(moments, await send(cycle, limited, moments), strict=True) if fits]
    for moment in passed:
        assert sum(moment - 60 < other <= moment for other in passed) <= 5
    assert len(passed) >= 5 * (200 // 68)
    assert await invariants.check(connection) == []


async def test_the_migration_keeps_what_was_counted(connection: Connection, tmp_path: Path):
    """Quotas of this day and month go on where they were, with the parts that were sent; prices go on as they are."""
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    for file in (Path(smsgw.store.__file__).parent / "schema").glob("*.sql"):
        if file.name < "0007":
            shutil.copy2(file, tmp_path)
    await migrate(connection, tmp_path)
    await connection.execute("INSERT INTO tenant (id, name, currency) OVERRIDING SYSTEM VALUE VALUES (1, 'acme', 'CNY')")
    await connection.execute("INSERT INTO price (tenant, prefix, price) VALUES (1, '86', 38000)")
    now = datetime.now(UTC)
    day, month = int(f"{now:%Y%m%d}"), int(f"{now:%Y%m}")
    await connection.execute("INSERT INTO quota VALUES (1, $1, 1), (1, $2, 1), (1, 20200101, 7)", day, month)
    await fund(connection, 100)
    await connection.execute(
        "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
        " destination) VALUES ($1, 1, 1, 6, 0, 0, 0, 3, 4, $2, 0, '1', '2')",
        least_id_at(now.timestamp()),
        int(now.timestamp() // 86_400),
    )
    await connection.execute("INSERT INTO content (class, id, body) SELECT 0, id, '' FROM message")
    await connection.execute(
        "INSERT INTO ledger (tenant, kind, day, amount, messages) VALUES (1, 'debit', $1, 0, 1)", int(now.timestamp() // 86_400)
    )
    await migrate(connection)
    rows = await connection.fetch("SELECT span, used, parts FROM quota ORDER BY span")
    assert [tuple(row) for row in rows] == [(DAY, 1, 3), (MONTH, 1, 3)]
    assert await invariants.check(connection) == []
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1)")
    assert await send(Cycles(connection), account(1, quota_day=2), [now.timestamp() + 0.5] * 2) == [True, False]
    assert await prices.entities(connection) == {"acme/86": 38_000}
