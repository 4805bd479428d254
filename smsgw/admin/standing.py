"""States of tenants and accounts: change one, warn, let those end whose time is over. Each leaves an audit row and a notice.

`change_state` is the one way for everybody: commands, the jobs of contracts, and what money brings. It runs in a transaction of its
own, or within the caller's. The running daemons follow within a second, by the audit row and its NOTIFY.

Never here: SQL, the table of moves (`smsgw.contracts.standing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from smsgw.contracts.standing import AUTOMATIC, NotAllowed, after, decide
from smsgw.model import Standing
from smsgw.store import notices, provisioning
from smsgw.store import standing as store
from smsgw.store.database import Connection
from smsgw.store.standing import Decision, Subject

__all__ = ["AUTOMATIC", "Change", "NotAllowed", "NotFound", "change_state", "expire", "find", "present_of", "warn"]


class NotFound(Exception):
    """There is no tenant or account of this name."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a command did: from one decision to another. `made`: False where there was nothing to do, or nothing was to be done."""

    of: Subject
    old: Decision
    new: Decision
    made: bool = True


async def change_state(
    connection: Connection,
    kind: str,
    name: str,
    state: Standing | str,
    *,
    actor: str,
    reason: str,
    evidence: Sequence[str] = (),
    until: datetime | None = None,
    rate: int = 0,
    dry_run: bool = False,
) -> Change:
    """Put a tenant or an account ("tenant" | "account", by name) into a state.

    Raises NotFound, NotAllowed. For actor `AUTOMATIC` the state that is there already is no error and changes nothing; "active"
    lifts a suspension for arrears, and what was under it (limited, say) holds again.
    """
    wanted = Standing[state.upper()] if isinstance(state, str) else state
    async with connection.transaction():
        await provisioning.lock(connection)
        of = await find(connection, kind, name)
        now = await store.now(connection)
        old = await store.present(connection, of) or _active(now)
        if actor == AUTOMATIC and old.standing is wanted:
            return Change(of, old, old, made=False)
        new = decide(old, Decision(wanted, reason, actor, now, until, rate, tuple(evidence)))
        if dry_run:
            return Change(of, old, new, made=False)
        await _put(connection, of, old, new, actor=actor, reason=reason, evidence=evidence)
        return Change(of, old, new)


async def warn(
    connection: Connection, kind: str, name: str, *, actor: str, reason: str, evidence: Sequence[str] = (), dry_run: bool = False
) -> Subject:
    """Warn a tenant, for itself or for an account: a notice and an audit row, no change. Raises NotFound."""
    async with connection.transaction():
        await provisioning.lock(connection)
        of = await find(connection, kind, name)
        if not dry_run:
            said = {"name": of.name, "reason": reason, "evidence": list(evidence)}
            await provisioning.audit(connection, actor, (f"{kind}_warning", name), None, {"evidence": list(evidence)}, reason)
            await notices.add(connection, of.tenant, "warning", said, account=of.account)
        return of


async def expire(connection: Connection) -> int:
    """Let all states end whose time is over; returns how many did. Safe on every node at once."""
    if not await store.over(connection):
        return 0
    async with connection.transaction():
        await provisioning.lock(connection)
        now = await store.now(connection)
        ended = await store.over(connection)
        for of, old in ended:
            await _put(connection, of, old, after(old, now), actor=AUTOMATIC, reason="expired")
    return len(ended)


async def present_of(connection: Connection, kind: str, name: str) -> tuple[Subject, Decision]:
    """Return how a tenant or an account stands. Raises NotFound."""
    of = await find(connection, kind, name)
    return of, await store.present(connection, of) or _active(await store.now(connection))


async def find(connection: Connection, kind: str, name: str) -> Subject:
    """Return whom a name means. Raises NotFound."""
    found = await store.subject(connection, kind, name)
    if found is None:
        raise NotFound(f"there is no {kind} {name!r}")
    return found


async def _put(
    connection: Connection, of: Subject, old: Decision, new: Decision, *, actor: str, reason: str, evidence: Sequence[str] = ()
) -> None:
    """Let a decision hold, write it down, tell the tenant, wake the daemons. The caller holds the lock."""
    await store.keep(connection, of, new)
    said: dict[str, Any] = {**new.told(), "evidence": list(evidence)} if evidence else new.told()
    await provisioning.audit(connection, actor, (f"{of.kind}_state", of.name), old.told(), said, reason)
    notice = {**said, "from": old.standing.name.lower(), "name": of.name, "reason": reason}
    await notices.add(connection, of.tenant, "state", notice, account=of.account)
    await provisioning.announce(connection)


def _active(now: datetime) -> Decision:
    return Decision(Standing.ACTIVE, "", AUTOMATIC, now)
