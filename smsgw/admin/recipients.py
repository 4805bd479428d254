"""What people write down of recipients: opt-outs, block lists, consents. Each change leaves an audit row; nodes follow at once.

A number is hashed before it goes anywhere (`Marks.hash_of`, with the key outside the database). A list is written some thousand
numbers a transaction, so that a handset's word never waits long behind it; the same list again changes nothing.

Never here: SQL, files, how a number is spelled.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any, Final

from smsgw.admin.reasons import LONGEST_REASON
from smsgw.admin.standing import NotAllowed, NotFound, find
from smsgw.compliance.lists import Entry
from smsgw.policy.marks import BLOCK, CONSENT, OPT_OUT, Marks, Scope
from smsgw.policy.numbers import canonical
from smsgw.store import consents, marks, provisioning
from smsgw.store import standing as standings
from smsgw.store.database import Connection
from smsgw.telemetry import hide_numbers
from smsgw.telemetry import mask as mask_of

COMMAND: Final = "command"
LIST: Final = "list"
CHUNK: Final = 5_000
LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class By:
    """Who does it and why; `dry_run`: only look."""

    actor: str
    reason: str
    dry_run: bool = False

    def check(self) -> None:
        """Raise NotAllowed for what says nothing, or too much."""
        if not self.reason.strip() or len(self.reason) > LONGEST_REASON or not self.reason.isprintable():
            raise NotAllowed(f"it needs a reason, one line of at most {LONGEST_REASON} characters: --reason TEXT")


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: `numbers` were given, `changed` of them differ from before."""

    numbers: int
    changed: int


def list_of(name: str) -> str:
    """Return the source of what a list brought: which one it was, by its file's name."""
    return f"{LIST} {hide_numbers(PurePath(name).name)}"[:LONGEST]


async def opt_out_scope(connection: Connection, account: str, *, signature: str = "", service: str = "") -> Scope:
    """Return the scope of an opt-out: an account's, or of a signature or service number of it. Raises NotFound, NotAllowed."""
    if signature and service:
        raise NotAllowed("a refusal is of a signature or of a service number, not of both")
    of = await find(connection, "account", account)
    if signature:
        return Scope(OPT_OUT, "signature", of.id, signature.strip("【】"))
    return Scope(OPT_OUT, "number", of.id, canonical(service)) if service else Scope(OPT_OUT, "account", of.id)


async def block_scope(connection: Connection, *, account: str = "", tenant: str = "") -> Scope:
    """Return the scope of a block list: an account's, a tenant's, or with neither the platform's. Raises NotFound, NotAllowed."""
    if account and tenant:
        raise NotAllowed("a block list is an account's or a tenant's, not both")
    if not account and not tenant:
        return Scope(BLOCK, "platform", 0)
    level = "account" if account else "tenant"
    return Scope(BLOCK, level, (await find(connection, level, account or tenant)).id)


async def mark(
    connection: Connection, known: Marks, scope: Scope, entries: Sequence[Entry], by: By, *, source: str = COMMAND
) -> Done:
    """Put numbers on record within a scope. Raises NotAllowed."""
    return await _set(connection, known, (scope,), entries, by, active=True, source=source)


async def lift(connection: Connection, known: Marks, scopes: Sequence[Scope], number: str, by: By) -> Done:
    """Take a number off the record, in these scopes. Raises NotAllowed."""
    return await _set(connection, known, scopes, [Entry(number)], by, active=False, source=COMMAND)


async def all_opt_outs(connection: Connection, known: Marks, account: str, number: str) -> list[Scope]:
    """Return every scope in which a number has refused an account. Raises NotFound."""
    of = await find(connection, "account", account)
    rows = await marks.of_number(connection, OPT_OUT, known.hash_of(number))
    return [Scope(OPT_OUT, row["level"], of.id, row["key"]) for row in rows if row["account"] == account and row["active"]]


async def _set(
    connection: Connection, known: Marks, scopes: Sequence[Scope], entries: Sequence[Entry], by: By, *, active: bool, source: str
) -> Done:
    by.check()
    moment = await standings.now(connection)
    changed = 0
    for chunk in _chunks(entries):
        async with turn(connection, dry_run=by.dry_run):
            codes = await marks.codes_of(connection, scopes)
            settings = [
                _setting(value, entry, codes[scope], moment, by, active=active, source=source)
                for value, entry in {known.hash_of(entry.number): entry for entry in chunk}.items()
                for scope in scopes
            ]
            now = await marks.put(connection, settings)
            if now:
                await _audit(connection, known, scopes, chunk, by, active=active, changed=now)
        changed += now
    return Done(len(entries), changed)


@asynccontextmanager
async def turn(connection: Connection, *, dry_run: bool) -> AsyncIterator[None]:
    """One transaction in which marks may be set; a dry run's is taken back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await marks.lock(connection)
        yield
    except BaseException:
        await transaction.rollback()
        raise
    await (transaction.rollback() if dry_run else transaction.commit())


def _setting(value: int, entry: Entry, code: int, moment: datetime, by: By, *, active: bool, source: str) -> marks.Setting:
    return marks.Setting(
        number=value,
        scope=code,
        active=active,
        at=entry.at or moment,
        source=entry.source or source,
        actor=by.actor,
        reference=entry.proof,
        reason=by.reason,
        make=active,
        masked=mask_of(canonical(entry.number)),
    )


async def _audit(
    connection: Connection, known: Marks, scopes: Sequence[Scope], chunk: Sequence[Entry], by: By, *, active: bool, changed: int
) -> None:
    """Write who did it: of one number its hash, of a list how many."""
    for scope in scopes:
        said: dict[str, Any] = {"level": scope.level, "key": scope.key, "changed": changed}
        said |= {"number": hex_of(known.hash_of(chunk[0].number))} if len(chunk) == 1 else {"numbers": len(chunk)}
        name = await _name(connection, scope)
        await provisioning.audit(
            connection, by.actor, (scope.kind, name), {"active": not active}, {"active": active, **said}, by.reason
        )


async def _name(connection: Connection, scope: Scope) -> str:
    """Return how people know the owner of a scope."""
    if scope.level == "platform":
        return "platform"
    return await marks.owner_name(connection, "tenant" if scope.level == "tenant" else "account", scope.owner)


def hex_of(number: int) -> str:
    """Return a hash as people see it."""
    return f"{number & (1 << 64) - 1:016x}"


def _chunks(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    for at in range(0, len(entries), CHUNK):
        yield entries[at : at + CHUNK]


# ---- consents ----------------------------------------------------------------------------------------------------------


async def consent(connection: Connection, known: Marks, account: str, entries: Sequence[Entry], by: By) -> Done:
    """Keep consents with their proof; those given since their last withdrawal count. Raises NotFound, NotAllowed."""
    by.check()
    of = await find(connection, "account", account)
    moment = await standings.now(connection)
    if any(entry.at is not None and entry.at > moment for entry in entries):
        raise NotAllowed("a consent was not given in the future")
    new = 0
    scope = Scope(CONSENT, "account", of.id)
    for chunk in _chunks(entries):
        async with turn(connection, dry_run=by.dry_run):
            numbers = [known.hash_of(entry.number) for entry in chunk]
            given = [entry.at or moment for entry in chunk]
            sources, proofs = [entry.source for entry in chunk], [entry.proof for entry in chunk]
            added = await consents.add(connection, of.id, numbers, sources, given, proofs, by.actor)
            codes = await marks.codes_of(connection, [scope])
            standing = await consents.standing(connection, of.id, numbers)
            settings = [
                _setting(value, entry, codes[scope], moment, by, active=True, source=COMMAND)
                for value, entry in dict(zip(numbers, chunk, strict=True)).items()
                if value in standing
            ]
            await marks.put(connection, settings)
            if added:
                await _audit(connection, known, (scope,), chunk, by, active=True, changed=added)
        new += added
    return Done(len(entries), new)


async def withdraw(connection: Connection, known: Marks, account: str, number: str, by: By) -> Done:
    """Note that a recipient consents no more; his rows stay, with when and why. Raises NotFound, NotAllowed."""
    by.check()
    of = await find(connection, "account", account)
    value, scope = known.hash_of(number), Scope(CONSENT, "account", of.id)
    moment = await standings.now(connection)
    async with turn(connection, dry_run=by.dry_run):
        ended = await consents.withdraw(connection, of.id, value, by.actor, by.reason)
        if not ended:
            raise NotFound(f"this number has consented to nothing of {account!r}, or has withdrawn it already")
        codes = await marks.codes_of(connection, [scope])
        await marks.put(connection, [_setting(value, Entry(number), codes[scope], moment, by, active=False, source=COMMAND)])
        await _audit(connection, known, (scope,), [Entry(number)], by, active=False, changed=ended)
    return Done(1, ended)
