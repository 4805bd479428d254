from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from smsgw.admin import closing
from smsgw.admin.closing import NotReconciled, Refused
from smsgw.model import State
from smsgw.store import invariants
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at
from tests.store.cycles import Cycles, change
from tests.store.work import FORGING

PRICE = 38_000
SETTINGS = {"timezone": "Asia/Shanghai"}


def moment(text: str) -> datetime:
    """A moment in China."""
    return datetime.fromisoformat(f"{text}+08:00")


class Year:
    """A tenant's messages, refunds and bookings at moments of a year that is over."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.cycle = Cycles(connection)
        self.revisions: dict[int, int] = {}

    async def start(self, name: str = "acme", **settings: Any) -> None:
        """The tenant, with 100.00 from the start of October on."""
        connection = self.connection
        tenant = await connection.fetchval(
            "INSERT INTO tenant (name, currency, basis, settings) VALUES ($1, 'CNY', 'delivered', $2) RETURNING id",
            name,
            json.dumps(SETTINGS | settings),
        )
        await connection.execute("INSERT INTO account (tenant, system_id) VALUES ($1, $2)", tenant, f"{name}1")
        await connection.execute("INSERT INTO balance (tenant, amount) VALUES ($1, 0)", tenant)
        await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1) ON CONFLICT DO NOTHING")
        await self.book("opening", 100_000_000, "2025-10-01T00:00", tenant=tenant)

    async def book(self, kind: str, amount: int, at: str, *, tenant: int = 1, reason: str = "test") -> None:
        """A booking by hand at a moment."""
        day = int(moment(at).timestamp() // 86_400)
        await self.connection.execute(
            "INSERT INTO ledger (tenant, kind, day, amount, at, reason) VALUES ($1, $2, $3, $4, $5, $6)",
            tenant, kind, day, amount, moment(at), reason,
        )  # fmt: skip
        await self.connection.execute("UPDATE balance SET amount = amount + $2 WHERE tenant = $1", tenant, amount)

    async def submit(self, at: str, *, price: int = PRICE, count: int = 1, tenant: int = 1) -> list[int]:
        """Messages accepted at a moment; returns their ids."""
        seconds = moment(at).timestamp()
        first = least_id_at(seconds)
        taken = await self.connection.fetchval("SELECT count(*) FROM message WHERE id >= $1 AND id < $1 + 4096", first)
        ids = [first + taken + number for number in range(count)]
        rows = [self.cycle.new(number, tenant=tenant, account=tenant, price=price) for number in ids]
        await self.cycle(new=rows, day=int(seconds // 86_400))
        return ids

    async def end(self, ids: list[int], state: State, at: str, *, refund: int = 0, tenant: int = 1) -> None:
        """They come to an end at a moment; what is given back is booked at that moment."""
        seconds = moment(at).timestamp()
        rows = []
        for number in ids:
            revision = self.revisions.get(number, 0)
            self.revisions[number] = revision + 1
            row = list(change(number, revision, state, tenant=tenant, refund=refund))
            row[7], row[8] = int(seconds * 1000) - 10, int(seconds * 1000)
            rows.append(tuple(row))
        await self.cycle(changed=rows, day=int(seconds // 86_400))
        statement = (
            f"{FORGING} UPDATE refund SET at = '{moment(at).isoformat()}' WHERE message = ANY ('{{{','.join(map(str, ids))}}}')"
        )
        await self.connection.execute(f"{statement}; RESET session_replication_role")


@pytest.fixture
async def year(connection: Connection) -> Year:
    """October and November 2025: charges, refunds in time and late ones, a top-up, messages on both sides of midnight in China."""
    year = Year(connection)
    await year.start()
    first = await year.submit("2025-10-05T10:00", count=3)
    await year.end(first[:1], State.DELIVERED, "2025-10-05T10:01")
    await year.end(first[1:2], State.FAILED, "2025-10-05T10:02", refund=PRICE)
    late = await year.submit("2025-10-31T23:59:59", count=2)
    await year.submit("2025-11-01T00:00", count=4)
    await year.end(late, State.FAILED, "2025-11-01T09:00", refund=PRICE)
    await year.book("top_up", 5_000_000, "2025-11-15T12:00", reason="=1+1")
    await year.end(first[2:], State.UNKNOWN, "2025-11-02T10:00")
    assert await invariants.check(connection) == []
    return year


async def content(connection: Connection, cycle: str, **options: Any) -> dict[str, Any]:
    """The content of acme's cycle."""
    made = await closing.close(connection, "acme", cycle, actor="ann", **options)
    said: dict[str, Any] = json.loads(made.text)
    return said


async def test_a_cycle_has_what_was_booked_in_it(year: Year):
    """Five messages until midnight in China, one refund in time; the closing balance is what the next cycle opens with."""
    october = await content(year.connection, "2025-10")
    assert october["movements"] == {"opening": 100_000_000, "charges": -5 * PRICE, "refunds": PRICE}
    assert (october["opening"], october["closing"]) == (0, 100_000_000 - 4 * PRICE)
    assert october["charges"] == [
        {"account": "acme1", "unit_price": PRICE, "messages": 5, "parts": 5, "amount": 5 * PRICE, "refunded_messages": 1,
         "refunded": PRICE}
    ]  # fmt: skip
    assert {one["state"]: one["messages"] for one in october["states"]} == {"DELIVERED": 1, "FAILED": 1, "OPEN": 3}
    assert [(one["day"], one["messages"]) for one in october["days"]] == [("2025-10-05", 3), ("2025-10-31", 2)]


async def test_what_came_late_is_an_adjustment_of_the_next_cycle(year: Year):
    """Receipts and refunds after the end stand in the next cycle, and the closed one stays as it was."""
    october = await content(year.connection, "2025-10")
    november = await content(year.connection, "2025-11")
    assert november["opening"] == october["closing"]
    assert november["movements"] == {"top_up": 5_000_000, "charges": -4 * PRICE, "late_refunds": 2 * PRICE}
    assert november["late_refunded_messages"] == 2
    late = {one["state"]: one["messages"] for one in november["late_states"]}
    assert late["FAILED"] == 2
    assert november["closing"] == await year.connection.fetchval("SELECT amount FROM balance")
    assert await content(year.connection, "2025-10") == october


@pytest.mark.parametrize("form", ["csv", "xlsx", "pdf"])
async def test_a_closed_cycle_again_is_the_same_to_the_octet(year: Year, form: str):
    """Whatever happens afterwards, content and file are what they were; made anew without the kept file, too."""
    made = await closing.close(year.connection, "acme", "2025-10", actor="ann")
    name, body = await closing.file_of(year.connection, made, form)
    assert name == f"acme-2025-10.{form}"
    await year.submit("2025-12-05T10:00")
    await year.book("adjustment", -1, "2025-12-05T11:00")
    again = await closing.close(year.connection, "acme", "2025-10", actor="bob")
    assert again.text == made.text
    assert await closing.file_of(year.connection, again, form) == (name, body)
    await year.connection.execute(f"{FORGING} DELETE FROM statement_file; RESET session_replication_role")
    assert await closing.file_of(year.connection, again, form) == (name, body)


async def test_what_was_closed_is_kept_by_the_database(year: Year):
    """Neither the content nor a file can be changed or deleted; the closing is audited with its hash."""
    made = await closing.close(year.connection, "acme", "2025-10", actor="ann")
    await closing.file_of(year.connection, made, "csv")
    for change_ in ("UPDATE statement SET closing = 0", "DELETE FROM statement_file", "TRUNCATE statement CASCADE"):
        with pytest.raises(asyncpg.PostgresError, match="never changed or deleted"):
            await year.connection.execute(change_)
    row = await year.connection.fetchrow("SELECT actor, kind, name, new FROM audit")
    assert made.closed is not None
    assert (row["actor"], row["kind"], row["name"]) == ("ann", "statement", "acme/2025-10")
    assert json.loads(row["new"]) == {"sha256": made.closed.sha256}


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("UPDATE balance SET amount = amount - 7", r"the balance is \d+, its ledger comes to \d+"),
        ("UPDATE message SET price = price + 1 WHERE id = (SELECT min(id) FROM message)", "day 2025-10-05: debited 114000"),
        ("UPDATE ledger SET messages = messages + 1 WHERE kind = 'debit' AND day = 20366", "for 4 messages, there are 3"),
        ("DELETE FROM refund WHERE message = (SELECT min(message) FROM refund)", "the refunds of messages are 0"),
    ],
)
async def test_books_that_do_not_reconcile_are_not_closed(year: Year, fault: str, why: str):
    """A difference between ledger, balance, messages and refunds is named, and nothing is kept."""
    await year.connection.execute(f"{FORGING} {fault}; RESET session_replication_role")
    with pytest.raises(NotReconciled, match=why):
        await content(year.connection, "2025-10")
    assert await year.connection.fetchval("SELECT count(*) FROM statement") == 0


async def test_an_opening_that_changed_afterwards_is_found(year: Year):
    """What was booked into a closed cycle behind its back stands between its closing and the next one's figures."""
    await content(year.connection, "2025-10")
    await year.book("adjustment", 3, "2025-10-20T10:00")
    with pytest.raises(NotReconciled, match=r"0\.000003 is not explained"):
        await content(year.connection, "2025-11")


async def test_cycles_are_closed_in_order_and_not_before_their_end(year: Year):
    """No gap, nothing before the last closed one, nothing that still goes on; a draft of it is no closing."""
    await content(year.connection, "2025-10")
    with pytest.raises(Refused, match="close 2025-11 before 2025-12"):
        await content(year.connection, "2025-12")
    with pytest.raises(Refused, match="2025-09 lies before it"):
        await content(year.connection, "2025-09")
    with pytest.raises(ValueError, match="no cycle"):
        await content(year.connection, "November")
    now = f"{datetime.now(UTC):%Y-%m}"
    await year.connection.execute(f"{FORGING} DELETE FROM statement; RESET session_replication_role")
    with pytest.raises(Refused, match="--dry-run shows a draft"):
        await content(year.connection, now)
    draft = await content(year.connection, now, draft=True)
    assert draft["cycle"] == now
    assert await year.connection.fetchval("SELECT count(*) FROM statement") == 0


async def test_the_start_day_is_a_setting(year: Year):
    """Cycles from the 15th to the 15th; another day later begins where the last closed cycle ended."""
    await year.connection.execute("""UPDATE tenant SET settings = settings || '{"cycle_start_day": 15}'""")
    first = await content(year.connection, "2025-10")
    assert (first["from"], first["until"]) == ("2025-10-15T00:00:00+08:00", "2025-11-15T00:00:00+08:00")
    assert sum(one["messages"] for one in first["charges"]) == 6
    await year.connection.execute("""UPDATE tenant SET settings = settings || '{"cycle_start_day": 1}'""")
    second = await content(year.connection, "2025-11")
    assert (second["from"], second["until"]) == ("2025-11-15T00:00:00+08:00", "2025-12-01T00:00:00+08:00")
    assert second["opening"] == first["closing"]
    assert second["movements"] == {"top_up": 5_000_000}


async def test_details_add_up_to_the_charges(year: Year):
    """A line for each message: price, what was given back until the end; their sums are those of the document."""
    made = await closing.close(year.connection, "acme", "2025-10", actor="ann")
    name, body = await closing.file_of(year.connection, made, "csv", detail=True)
    assert name == "acme-2025-10-detail.csv"
    rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
    assert len(rows) == 5
    assert {row["unit_price"] for row in rows} == {"0.038"}
    assert sorted(row["refunded"] for row in rows) == ["0.00", "0.00", "0.00", "0.00", "0.038"]
    assert rows[0]["accepted"] == "2025-10-05T10:00:00.000+08:00"


async def test_cells_of_documents_begin_no_formula(year: Year):
    """A reason that a person began with = is text in CSV."""
    await content(year.connection, "2025-10")
    made = await closing.close(year.connection, "acme", "2025-11", actor="ann")
    _, body = await closing.file_of(year.connection, made, "csv")
    assert "'=1+1" in body.decode("utf-8-sig")
    assert ",=1+1" not in body.decode("utf-8-sig")


async def test_a_partner_is_paid_a_share_of_closed_statements(year: Year):
    """The other direction: his tenants' net charges times the share, rounded once; frozen like theirs, and only after them."""
    connection = year.connection
    await connection.execute("""UPDATE tenant SET settings = settings || '{"partner": "bob", "partner_share": "0.15"}'""")
    with pytest.raises(Refused, match="close 2025-10 of acme first"):
        await closing.close_partner(connection, "bob", "2025-10", actor="ann")
    await content(connection, "2025-10")
    made = await closing.close_partner(connection, "bob", "2025-10", actor="ann")
    said = json.loads(made.text)
    assert said["payable"] == {"CNY": 4 * PRICE * 150_000}
    assert dict(made.document.head)["应付 Payable CNY"] == "0.02"
    name, body = await closing.file_of(connection, made, "csv")
    assert name == "bob-2025-10-partner.csv"
    await connection.execute("""UPDATE tenant SET settings = settings || '{"partner_share": "0.99"}'""")
    again = await closing.close_partner(connection, "bob", "2025-10", actor="ann")
    assert await closing.file_of(connection, again, "csv") == (name, body)
    with pytest.raises(closing.NoSuchTenant):
        await closing.close_partner(connection, "nobody", "2025-10", actor="ann")
