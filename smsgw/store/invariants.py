"""The books, as SQL that anyone can run: each invariant is a query that returns rows only where it is broken.

B1 balance = sum of ledger, and covers the credit limit · B2 each day's debit equals the prices of its messages · B3 at most one
refund a message, and each day's refunds equal their sum · B6 quota used = what was counted. B4, B5 and B7 are proven by the
crash oracle: a trigger and the server's log see what SQL over rows cannot.

The queries read one snapshot, so they hold under load. They scan the kept days of messages: minutes on a large store.

Must never: write; put right what it finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# The last day (since 1970) of which retention may have dropped messages, -1 for none. An id given just before midnight may be
# debited on the day after it, so the first day that is kept may be short of some.
_DROPPED_DAY: Final = """
        SELECT CASE WHEN kept_from = 0 THEN -1 ELSE ((kept_from >> 22) + 1735689600000) / 86400000 END
        FROM partitioned WHERE parent = 'message'"""

INVARIANTS: Final[Mapping[str, str]] = {
    "B1 balance equals the sum of its ledger": """
        SELECT b.tenant, b.amount AS balance, coalesce(sum(l.amount), 0) AS ledger
        FROM balance b LEFT JOIN ledger l USING (tenant) GROUP BY b.tenant, b.amount
        HAVING b.amount <> coalesce(sum(l.amount), 0)""",
    "B1 balance covers the credit limit": """
        SELECT tenant, amount, credit_limit FROM balance WHERE amount < -credit_limit""",
    "B2 each day's debit equals the prices of its messages": """
        SELECT coalesce(l.tenant, m.tenant) AS tenant, coalesce(l.day, m.day) AS day, l.amount AS debit, m.price AS prices,
               l.messages AS counted, m.n AS messages
        FROM (SELECT tenant, day, amount, messages FROM ledger WHERE kind = 'debit') l
        FULL JOIN (SELECT tenant, debit_day AS day, sum(price) AS price, count(*) AS n FROM message GROUP BY 1, 2) m
            ON m.tenant = l.tenant AND m.day = l.day
        WHERE (coalesce(-l.amount, 0) <> coalesce(m.price, 0) OR coalesce(l.messages, 0) <> coalesce(m.n, 0))
          AND coalesce(l.day, m.day) > ("""
    + _DROPPED_DAY
    + ")",
    "B3 each day's refunds equal their sum": """
        SELECT coalesce(l.tenant, r.tenant) AS tenant, coalesce(l.day, r.day) AS day, l.amount AS booked, r.amount AS refunds
        FROM (SELECT tenant, day, amount FROM ledger WHERE kind = 'refund') l
        FULL JOIN (SELECT tenant, day, sum(amount) AS amount FROM refund GROUP BY 1, 2) r
            ON r.tenant = l.tenant AND r.day = l.day
        WHERE coalesce(l.amount, 0) <> coalesce(r.amount, 0)""",
    "B3 a refund is its message's price at most": """
        SELECT r.message, r.amount, m.price, m.refund FROM refund r JOIN message m ON m.id = r.message
        WHERE r.amount > m.price OR r.amount <> m.refund""",
    "B3 a message that says refunded has its refund": """
        SELECT m.id, m.refund FROM message m LEFT JOIN refund r ON r.message = m.id WHERE m.refund > 0 AND r.message IS NULL""",
    "B6 quota used equals what was counted": """
        SELECT q.account, q.span, q.start, q.used, q.parts, count(m.id) AS messages, coalesce(sum(m.parts), 0) AS counted_parts
        FROM quota q LEFT JOIN message m ON m.account = q.account AND m.debit_day >= 0  -- what the platform answers counts in none
             AND m.id >= greatest(q.first_id, (q.start * 1000 - 1735689600000) << 22)
             AND m.id < (q.till * 1000 - 1735689600000) << 22
        WHERE q.start / 86400 > ("""
    + _DROPPED_DAY
    + """)
          -- where the account or its tenant was changed meanwhile, some messages may not have been counted at all
          AND NOT EXISTS (
              SELECT 1 FROM audit a JOIN account c ON c.id = q.account JOIN tenant t ON t.id = c.tenant
              WHERE a.old IS NOT NULL AND (a.kind = 'account' AND a.name = c.system_id OR a.kind = 'tenant' AND a.name = t.name)
                AND extract(epoch FROM a.at) BETWEEN q.start - 60 AND q.till + 60)
        GROUP BY q.account, q.span, q.start, q.till, q.used, q.parts
        HAVING q.used <> count(m.id) OR q.parts <> coalesce(sum(m.parts), 0)""",
    "No message says two things: waiting rows belong to open messages": """
        SELECT w.id, m.state FROM waiting w LEFT JOIN message m ON m.id = w.id WHERE m.id IS NULL OR m.state >= 10""",
    "Nothing open is lost: it is with a carrier, in its node's memory, waiting, or held": """
        SELECT m.id, m.state FROM message m JOIN node n ON n.id = (m.id >> 12) & 1023
        WHERE m.state < 6 AND m.id < n.low_water AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.id = m.id)
          AND NOT EXISTS (SELECT 1 FROM held_part p JOIN held_text t ON t.id = p.text WHERE p.message = m.id AND NOT t.done)""",
    "What is open has its content": """
        SELECT m.id, m.state FROM message m WHERE m.state < 6
          AND NOT EXISTS (SELECT 1 FROM content c WHERE c.id = m.id
              AND c.class = ANY (ARRAY(SELECT 0::int2 UNION ALL SELECT r.class FROM retention r)))""",
}
"""What must hold → the query that finds where it does not.

Prices and quotas of days whose messages were dropped by retention are left to B1.
"""


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that does not hold, with the first rows that show it."""

    name: str
    rows: tuple[Mapping[str, Any], ...]


async def check(connection: Any, *, limit: int = 5) -> list[Broken]:
    """Run all invariants in one snapshot; returns those that are broken."""
    broken: list[Broken] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for name, query in INVARIANTS.items():
            rows = await connection.fetch(f"SELECT * FROM ({query}) AS broken LIMIT {int(limit)}")
            if rows:
                broken.append(Broken(name, tuple(dict(row) for row in rows)))
    return broken


async def totals(connection: Any) -> dict[int, int]:
    """Count messages by state, for `demo --check` and `show queues`."""
    rows = await connection.fetch("SELECT state, count(*) AS n FROM message GROUP BY state")
    return {row["state"]: row["n"] for row in rows}
