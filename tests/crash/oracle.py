"""The oracle of the crash tests: what both ends remember against what the store says.

- lost: acknowledged to the tenant (submit_sm_resp ESME_ROK) and not in the store, or not final at the end;
- receipts lost: acknowledged, receipt asked for, none came;
- twice at the carrier: only for messages that were in doubt (the row says how often they were resent);
- the books: every invariant of the store.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from smsgw.model import State
from smsgw.sim.ledgers import CarrierLedger, TenantLedger
from smsgw.store import invariants


@dataclass(slots=True)
class Verdict:
    """What was found; `faults` is empty when every promise was kept."""

    acknowledged: int = 0
    twice_acknowledged: int = 0
    stored: int = 0
    resent: int = 0
    twice_at_carrier: int = 0
    unknown: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """One line for a report."""
        return (
            f"acknowledged {self.acknowledged}, stored {self.stored}, resent {self.resent}, twice at the carrier "
            f"{self.twice_at_carrier}, unknown {self.unknown}, faults {self.faults or 'none'}"
        )


async def judge(connection: Any, tenants: list[TenantLedger], carriers: list[CarrierLedger]) -> Verdict:
    """Compare everything once the load is over and the queues are empty."""
    verdict = Verdict()
    rows = {row["id"]: row for row in await connection.fetch("SELECT id, state, resends, attempt FROM message")}
    verdict.stored = len(rows)
    verdict.resent = sum(row["resends"] > 0 for row in rows.values())
    lost, unfinished = [], []
    for ledger in tenants:
        acknowledged = ledger.acknowledged()
        verdict.acknowledged += len(acknowledged)
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
    _duplicates(verdict, carriers)
    for broken in await invariants.check(connection):
        verdict.faults.append(f"{broken.name}: {broken.rows[:2]}")
    left = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM waiting) AS waiting, (SELECT count(*) FROM owed) AS owed,"
        " (SELECT count(*) FROM message WHERE state < 10 AND state <> 6) AS open"
    )
    if any(left.values()):
        verdict.faults.append(f"left over: {dict(left)}")
    return verdict


def without_receipt(tenants: list[TenantLedger]) -> list[bytes]:
    """Return acknowledged ids without a receipt. Any session of the account may have got it, also one on another node."""
    strays = set().union(*(ledger.early for ledger in tenants))
    return [text_id for ledger in tenants for text_id in ledger.waiting if text_id not in strays]


def _duplicates(verdict: Verdict, carriers: list[CarrierLedger]) -> None:
    counts: Counter[int] = Counter()
    for carrier in carriers:
        counts.update(carrier.taken.values())
    verdict.twice_at_carrier = sum(count - 1 for count in counts.values() if count > 1)
    if verdict.twice_at_carrier > verdict.resent:
        verdict.faults.append(f"{verdict.twice_at_carrier} twice at the carrier, {verdict.resent} were in doubt")
