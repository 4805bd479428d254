"""Terms and profiles: set them, and do what each day brings. Every change leaves an audit row with who, when, old → new, why.

`keep_terms` and `close_spent` are jobs of the keeper, safe on every node at once: notices have a key, and a state that is there
already is not set again. What a term brought is lifted when a new term no longer asks for it.

Never here: SQL, what a day brings (`smsgw.contracts.term`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from smsgw.admin.standing import AUTOMATIC, NotAllowed, change_state, find
from smsgw.billing.tariff import parse_money
from smsgw.contracts.standing import NOT_MONEY, RENEWED
from smsgw.contracts.term import Notice, reasons, steps
from smsgw.model import MONEY_UNIT, Standing
from smsgw.store import notices, provisioning
from smsgw.store import standing as standings
from smsgw.store import terms as store
from smsgw.store.database import Connection
from smsgw.store.standing import Subject
from smsgw.store.terms import Term

MOST_FIELDS: Final = 50
LONGEST_FIELD: Final = 500


async def set_term(
    connection: Connection, tenant: str, changes: Mapping[str, Any], *, actor: str, reason: str, dry_run: bool = False
) -> tuple[Term, Term]:
    """Change these keys of a tenant's term; returns the old and the new one. Raises NotFound, ValueError."""
    async with connection.transaction():
        await provisioning.lock(connection)
        of = await find(connection, "tenant", tenant)
        old = await store.term_of(connection, of.id)
        new = replace(old, **changes)
        _check(new)
        if dry_run or old == new:
            return old, new
        await store.keep_term(connection, of.id, new)
        differing = [key for key, value in new.told().items() if value != old.told()[key]]
        before, after = ({key: term.told()[key] for key in differing} for term in (old, new))
        await provisioning.audit(connection, actor, ("tenant_term", tenant), before, after, reason)
        await provisioning.announce(connection)
        await _follow(connection, of, new, actor)
        return old, new


async def keep_terms(connection: Connection) -> int:
    """Do what this day brings for every contract with a term; returns how many notices and measures that made."""
    made = 0
    day = await store.today(connection)
    for of, term in await store.terms(connection):
        for step in steps(term, day):
            if isinstance(step, Notice):
                key = f"{step.kind}:{of.id}:{step.once}"
                made += await notices.add(connection, of.id, step.kind, {**step.params, "name": of.name}, coalesce_key=key)
            else:
                made += await _measure(connection, of, step.state, step.reason, step.rate)
        made += await _follow(connection, of, term, AUTOMATIC)
    return made


async def close_spent(connection: Connection) -> int:
    """Close what is closing and can pay nothing any more; returns how many. The rest of the balance is a person's to settle."""
    spent = await store.spent(connection)
    for kind, name, _ in spent:
        await change_state(connection, kind, name, "closed", actor=AUTOMATIC, reason="balance_spent")
    return len(spent)


async def _measure(connection: Connection, of: Subject, state: str, reason: str, rate: int) -> bool:
    """Put a contract into a state that its term brings, unless it stands in a stricter one."""
    held = await standings.present(connection, of)
    if held is not None and held.standing >= Standing[state.upper()]:
        return False
    try:
        return (await change_state(connection, of.kind, of.name, state, actor=AUTOMATIC, reason=reason, rate=rate)).made
    except NotAllowed:  # closing or closed: its end is under way already
        return False


async def _follow(connection: Connection, of: Subject, term: Term, actor: str) -> bool:
    """Lift what a term had brought and no longer asks for."""
    held = await standings.present(connection, of)
    if held is None or held.reason not in NOT_MONEY or held.reason in reasons(term, await store.today(connection)):
        return False
    return (await change_state(connection, "tenant", of.name, "active", actor=actor, reason=RENEWED)).made


def _check(term: Term) -> None:
    if term.starts is not None and term.ends is not None and term.ends < term.starts:
        raise ValueError("a term ends after it starts")
    if term.grace_days < 0 or any(days < 0 for days in term.remind_days) or term.gate_rate < 1:
        raise ValueError("days are not negative, and a rate is at least 1")
    if term.then_state not in {"suspended_arrears", "frozen", "closing"}:
        raise ValueError(f"{term.then_state!r} is no state that follows a term: suspended_arrears, frozen or closing")
    if term.gate not in {"none", "limited", "frozen"}:
        raise ValueError(f"{term.gate!r} is no gate: none, limited or frozen")
    if term.fee_due_days < 0 or term.fee_grace_days < 0:
        raise ValueError("days are not negative")
    for word, text in (("a late fee's rate", term.fee_rate), ("a late fee's cap", term.fee_cap)):
        if not 0 <= parse_money(text) <= MONEY_UNIT:
            raise ValueError(f"{word} is a share from 0 to 1, such as 0.0005, not {text!r}")


# ---- profiles ------------------------------------------------------------------------------------------------------------


async def set_profile(
    connection: Connection, tenant: str, changes: Mapping[str, str], *, actor: str, reason: str, dry_run: bool = False
) -> tuple[int, dict[str, str]]:
    """Make a new version of a tenant's profile, in which these fields have these values ("": gone); returns it.

    Raises NotFound, and ValueError over the limits.
    """
    async with connection.transaction():
        await provisioning.lock(connection)
        of = await find(connection, "tenant", tenant)
        version, old = await store.profile_of(connection, of.id)
        new = {key: value for key, value in {**old, **changes}.items() if value}
        if len(new) > MOST_FIELDS or any(len(part) > LONGEST_FIELD for item in new.items() for part in item):
            raise ValueError(f"a profile has at most {MOST_FIELDS} fields of at most {LONGEST_FIELD} characters")
        if dry_run or new == old:
            return version, new
        await store.keep_profile(connection, of.id, version + 1, new, actor, reason)
        differing = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        before, after = ({key: fields.get(key) for key in differing} for fields in (old, new))
        await provisioning.audit(connection, actor, ("tenant_profile", tenant), before, after, reason)
        return version + 1, new
