"""How tenants and accounts stand: rows ↔ values, one function a statement. Which moves there are is contracts/standing's affair.

A row is a decision that holds; none means active. Every write happens in the caller's transaction, under the lock of
provisioning, and wakes the daemons at its COMMIT by the audit row that its caller leaves (`provisioning.audit`, `announce`).

Must never: judge whether a move is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import asyncpg

from smsgw.model import Restriction, Standing
from smsgw.store.database import Connection

TABLES: Final[Mapping[str, tuple[str, str]]] = {"tenant": ("tenant", "name"), "account": ("account", "system_id")}
"""kind → its table, and the column of the name that people know."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, by whom and why. `evidence`: ids of messages and the like. `rate`: parts per second, of LIMITED.

    `under`: earlier decisions that hold again when this one is over, the strictest first, each without any under it.
    """

    standing: Standing
    reason: str
    actor: str
    since: datetime
    until: datetime | None = None
    rate: int = 0
    evidence: tuple[str, ...] = ()
    under: tuple[Decision, ...] = field(default=())

    def told(self) -> dict[str, Any]:
        """Return what an audit row and a notice say of it."""
        said: dict[str, Any] = {"state": self.standing.name.lower()}
        if self.rate:
            said["rate"] = self.rate
        if self.until is not None:
            said["until"] = self.until.isoformat(timespec="seconds")
        return said


@dataclass(frozen=True, slots=True)
class Subject:
    """A tenant, or an account with its tenant: `id` its own, `tenant` that of the contract, `tenant_name` its name."""

    kind: str
    name: str
    id: int
    tenant: int
    tenant_name: str

    @property
    def account(self) -> int | None:
        """The account's id; None for a tenant."""
        return self.id if self.kind == "account" else None


async def subject(connection: Connection, kind: str, name: str) -> Subject | None:
    """Return whom a name means; None if there is no such tenant or account. Raises KeyError for another kind."""
    table, column = TABLES[kind]
    tenant = "o.id" if kind == "tenant" else "o.tenant"
    row = await connection.fetchrow(
        f"SELECT o.id, t.id AS tenant, t.name FROM {table} o JOIN tenant t ON t.id = {tenant} WHERE o.{column} = $1", name
    )
    return None if row is None else Subject(kind, name, row["id"], row["tenant"], row["name"])


async def now(connection: Connection) -> datetime:
    """Return the database's time, by which states end."""
    moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return moment


async def present(connection: Connection, of: Subject) -> Decision | None:
    """Return what holds; None: active, and nothing was ever decided or all of it is over."""
    row = await connection.fetchrow("SELECT * FROM standing WHERE kind = $1 AND subject = $2", of.kind, of.id)
    return None if row is None else _decision(row)


async def keep(connection: Connection, of: Subject, decision: Decision) -> None:
    """Let a decision hold; an ACTIVE one takes the row away."""
    if decision.standing is Standing.ACTIVE:
        await connection.execute("DELETE FROM standing WHERE kind = $1 AND subject = $2", of.kind, of.id)
        return
    await connection.execute(
        "INSERT INTO standing (kind, subject, state, reason, evidence, actor, since, until, rate, under)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (kind, subject) DO UPDATE SET state = excluded.state,"
        " reason = excluded.reason, evidence = excluded.evidence, actor = excluded.actor, since = excluded.since,"
        " until = excluded.until, rate = excluded.rate, under = excluded.under",
        of.kind,
        of.id,
        decision.standing.name.lower(),
        decision.reason,
        list(decision.evidence),
        decision.actor,
        decision.since,
        decision.until,
        decision.rate,
        json.dumps([_as_json(one) for one in decision.under]),
    )


_NAMED: Final = (
    "SELECT s.*, t.name AS tenant_name, t.id AS tenant, coalesce(a.system_id, t.name) AS name FROM standing s"
    " LEFT JOIN account a ON s.kind = 'account' AND a.id = s.subject"
    " JOIN tenant t ON t.id = CASE s.kind WHEN 'tenant' THEN s.subject ELSE a.tenant END"
)


async def over(connection: Connection) -> list[tuple[Subject, Decision]]:
    """Return the decisions whose end has come."""
    rows = await connection.fetch(f"{_NAMED} WHERE s.until <= clock_timestamp() ORDER BY s.until LIMIT 500")
    return [(_subject(row), _decision(row)) for row in rows]


async def in_state(connection: Connection, standing: Standing | None = None) -> list[tuple[Subject, Decision]]:
    """Return all that are in a state, or in any but active."""
    word = None if standing is None else standing.name.lower()
    rows = await connection.fetch(f"{_NAMED} WHERE $1::text IS NULL OR s.state = $1 ORDER BY s.kind DESC, 3", word)
    return [(_subject(row), _decision(row)) for row in rows]


# ---- as the data path reads it -----------------------------------------------------------------------------------------


def restriction(row: asyncpg.Record) -> Restriction | None:
    """Return what a row of accounts, joined with both standings, means for its submits; None: nothing does."""
    own, tenants = row["own_state"], row["tenant_state"]
    if own is None and tenants is None:
        return None
    both = [
        (Standing[word.upper()], reason) for word, reason in ((own, row["own_reason"]), (tenants, row["tenant_reason"])) if word
    ]
    standing, reason = max(both)
    return Restriction(
        standing,
        refusal=_refusal(standing, reason),
        closing=any(one is Standing.CLOSING for one, _ in both),
        tenant_rate=row["tenant_rate"] or 0,
        account_rate=row["own_rate"] or 0,
    )


def _refusal(standing: Standing, reason: str) -> str:
    """Return the word that submits are refused with: the state's own, or that of a term that is over."""
    if standing in {Standing.LIMITED, Standing.CLOSING}:
        return ""
    return "term_over" if reason in {"term_over", "term_not_begun"} else standing.name.lower()


# ---- rows --------------------------------------------------------------------------------------------------------------


def _subject(row: asyncpg.Record) -> Subject:
    return Subject(row["kind"], row["name"], row["subject"], row["tenant"], row["tenant_name"])


def _decision(row: asyncpg.Record) -> Decision:
    return Decision(
        Standing[row["state"].upper()],
        row["reason"],
        row["actor"],
        row["since"],
        row["until"],
        row["rate"],
        tuple(row["evidence"]),
        tuple(_from_json(one) for one in json.loads(row["under"])),
    )


def _as_json(decision: Decision) -> dict[str, Any]:
    return {
        "state": decision.standing.name.lower(),
        "reason": decision.reason,
        "actor": decision.actor,
        "since": decision.since.isoformat(),
        "until": None if decision.until is None else decision.until.isoformat(),
        "rate": decision.rate,
        "evidence": list(decision.evidence),
    }


def _from_json(said: Mapping[str, Any]) -> Decision:
    return Decision(
        Standing[said["state"].upper()],
        said["reason"],
        said["actor"],
        datetime.fromisoformat(said["since"]),
        None if said["until"] is None else datetime.fromisoformat(said["until"]),
        said["rate"],
        tuple(said["evidence"]),
    )
