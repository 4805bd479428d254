"""The oracle of the crash tests: what both ends remember against what the store says.

- lost: acknowledged to the tenant (submit_sm_resp ESME_ROK) and not in the store, or not final at the end;
- receipts lost: acknowledged, receipt asked for, none came;
- twice at the carrier: each message at most once more than it was sent again out of a doubt (the row says how often), and none
  that has no row: it was durable before its first octet left;
- the books: every invariant of the store (B1, B2, B3, B6); B4 by a trigger (`WATCH`), B7 by the server's log; B5 is the first line.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from smsgw.model import State
from smsgw.sim.ledgers import CarrierLedger, TenantLedger
from smsgw.sim.texts import read_index
from smsgw.smpp.pdu import HEADER, read_sm
from smsgw.store import invariants

WATCH: Final = """
CREATE TABLE IF NOT EXISTS priced_anew (message int8);
CREATE OR REPLACE FUNCTION watch_price() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO priced_anew VALUES (NEW.id); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER watch_price AFTER UPDATE ON message FOR EACH ROW
    WHEN ((OLD.price, OLD.parts, OLD.basis, OLD.tenant, OLD.account, OLD.debit_day)
          IS DISTINCT FROM (NEW.price, NEW.parts, NEW.basis, NEW.tenant, NEW.account, NEW.debit_day))
    EXECUTE FUNCTION watch_price();
"""
"""B4: what is fixed at accept stays; a message that was priced anew is remembered."""

LEFT: Final = """
SELECT (SELECT count(*) FROM waiting) AS waiting, (SELECT count(*) FROM owed) AS owed,
       (SELECT count(*) FROM message WHERE state < 10) AS open
"""
"""What must be nought at the end: every message asks for a receipt."""

_PLACEHOLDER: Final = HEADER.pack(16, 4, 0, 0)


@dataclass(slots=True)
class Verdict:
    """What was found; `faults` is empty when every promise was kept."""

    acknowledged: int = 0
    stored: int = 0
    resent: int = 0
    twice_at_carrier: int = 0
    twice_receipted: int = 0
    unknown: int = 0
    fenced: int = 0
    killed: tuple[int, int] = (0, 0)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """One line for a report."""
        return (
            f"{self.killed[0]} + {self.killed[1]} killed, acknowledged {self.acknowledged}, stored {self.stored}, resent"
            f" {self.resent}, twice at the carrier {self.twice_at_carrier}, receipts twice {self.twice_receipted}, unknown"
            f" {self.unknown}, fenced {self.fenced}, faults {self.faults or 'none'}"
        )


async def judge(connection: Any, tenants: list[TenantLedger], carriers: list[CarrierLedger], log_directory: Path) -> Verdict:
    """Compare everything once the load is over and the queues are empty. `log_directory`: where the server writes its log."""
    verdict = Verdict()
    rows = {row["id"]: row for row in await connection.fetch("SELECT id, state, resends, attempt FROM message")}
    verdict.stored = len(rows)
    verdict.resent = sum(row["resends"] > 0 for row in rows.values())
    lost, unfinished = [], []
    for ledger in tenants:
        acknowledged = ledger.acknowledged()
        verdict.acknowledged += len(acknowledged)
        verdict.twice_receipted += ledger.duplicates
        for text_id in acknowledged:
            row = rows.get(int(text_id))
            if row is None:
                lost.append(int(text_id))
            elif row["state"] < State.DELIVERED:
                unfinished.append((int(text_id), row["state"]))
        if ledger.wrong:
            verdict.faults.append(f"the tenant saw what cannot be: {dict(ledger.wrong)}")
    unreceipted = [int(text_id) for text_id in without_receipt(tenants)]
    verdict.unknown = sum(row["state"] == State.UNKNOWN for row in rows.values())
    for name, found in (("lost", lost), ("not final", unfinished), ("receipts lost", unreceipted)):
        if found:
            verdict.faults.append(f"{name}: {len(found)}, such as {found[:5]}")
    await _at_the_carrier(connection, verdict, carriers, {key: row["resends"] for key, row in rows.items()})
    await _books(connection, verdict, log_directory)
    return verdict


async def _books(connection: Any, verdict: Verdict, log_directory: Path) -> None:
    for broken in await invariants.check(connection):
        verdict.faults.append(f"{broken.name}: {broken.rows[:2]}")
    priced = await connection.fetchval("SELECT count(*) FROM priced_anew")
    if priced:
        verdict.faults.append(f"B4: {priced} messages were priced anew")
    deadlocks = await asyncio.to_thread(_deadlocks, log_directory)
    if deadlocks:
        verdict.faults.append(f"B7: {deadlocks} deadlocks in the server's log")
    left = await connection.fetchrow(LEFT)
    if any(left.values()):
        verdict.faults.append(f"left over: {dict(left)}")


async def evidence(connection: Any, carriers: list[CarrierLedger]) -> list[str]:
    """Say how what does not end stands, while the gateways still run: whose it is, since when, and what the carrier knows of it."""
    found = [
        f"{name} {dict(row)}"
        for name, query in (
            ("node", "SELECT id, epoch, low_water, clock_timestamp() - heartbeat AS silent FROM node"),
            ("owed", "SELECT node, epoch, kind, count(*), max(due_ms) AS due_ms, max(tries) AS tries FROM owed GROUP BY 1, 2, 3"),
            ("waiting", "SELECT * FROM waiting ORDER BY id LIMIT 5"),
            (
                "open",
                "SELECT id, state, rev, attempt, resends, link, upstream_id FROM message WHERE state < 10 ORDER BY id LIMIT 5",
            ),
        )
        for row in await connection.fetch(query)
    ]
    for row in await connection.fetch(
        "SELECT m.id, m.upstream_id, (SELECT count(*) FROM upstream_ref r WHERE r.message = m.id) AS refs,"
        " (SELECT count(*) FROM orphan o WHERE o.upstream_id = m.upstream_id) AS parked"
        " FROM message m WHERE m.state = 6 AND m.upstream_id <> '' ORDER BY m.id LIMIT 5"
    ):
        number = int(row["upstream_id"])
        acknowledged = sum(carrier.acknowledged.get(number, 0) for carrier in carriers)
        found.append(f"sent {dict(row)}, its receipt was acknowledged {acknowledged} times")
    return found


def without_receipt(tenants: list[TenantLedger]) -> list[bytes]:
    """Return acknowledged ids without a receipt. Any session of the account may have got it, also one on another node."""
    strays = set().union(*(ledger.early for ledger in tenants))
    return [text_id for ledger in tenants for text_id in ledger.waiting if text_id not in strays]


async def _at_the_carrier(connection: Any, verdict: Verdict, carriers: list[CarrierLedger], resends: dict[int, int]) -> None:
    """Each message that was taken has a row, and was taken once, and once more at most for each time that it was sent again."""
    taken: Counter[int] = Counter()
    for carrier in carriers:
        taken.update(carrier.taken.values())
    verdict.twice_at_carrier = sum(taken.values()) - len(taken)
    ids = {_index(row["body"]): row["id"] for row in await connection.fetch("SELECT id, body FROM content")}
    unknown = [index for index in taken if index not in ids]
    often = [(ids[index], count) for index, count in taken.items() if index in ids and count > 1 + resends[ids[index]]]
    for name, found in (("sent without a row", unknown), ("sent again without a doubt (message, times)", often)):
        if found:
            verdict.faults.append(f"{name}: {len(found)}, such as {found[:5]}")


def _index(body: bytes) -> int:
    """Return the index that a tenant's text carries."""
    octets = _PLACEHOLDER + body
    sm = read_sm(octets)
    return read_index(octets[sm.sm_at : sm.sm_at + sm.sm_length])


def _deadlocks(log_directory: Path) -> int:
    return sum(path.read_text(encoding="utf-8", errors="replace").count("deadlock detected") for path in log_directory.iterdir())
