"""Rule sets edited one at a time: a new version, an old one again, or none, with who and why, guarded against lost updates.

For the next `apply` it is what somebody else has done: a conflict there, unless the file says the same by then (`smsgw policy
export`). Versions are looked up in the set's own history, so that no other set's version can be named.

Promises: one transaction; whoever expected another version than the one in force changes nothing (Moved).
Never here: SQL, compiling; what cannot be compiled never gets here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

from smsgw.admin.standing import NotAllowed, NotFound
from smsgw.policy.ruleset import Bundle, decode_bundle
from smsgw.store import policies
from smsgw.store import provisioning as store
from smsgw.store.database import Connection

KIND: Final = "policy"
LEAST_PREFIX: Final = 8
"""So many characters of a version name it."""
HISTORY: Final = 1_000
SHOWN: Final = 5
"""Accounts that are named where many could be."""
NOT_KEPT: Final = "the files of that version are not kept any more (rules.keep_versions, rules.keep_days)"


class Moved(Exception):
    """Another version is in force than the one that was expected; `version` is it, "" where the set is not there."""

    def __init__(self, version: str) -> None:
        """Keep it."""
        super().__init__(f"version {version[:8]} is in force" if version else "there is no such rule set")
        self.version = version


@dataclass(frozen=True, slots=True)
class Expected:
    """What has to be in force for a change: one of these versions, any ("*"), or none at all (`absent`); () asks for nothing."""

    versions: tuple[str, ...] = ()
    absent: bool = False

    def check(self, version: str) -> None:
        """Raise Moved where it is otherwise. `version`: "" where the set is not there."""
        if self.absent and version:
            raise Moved(version)
        if self.versions and version not in self.versions and not ("*" in self.versions and version):
            raise Moved(version)


class Made(NamedTuple):
    """A version, and what it is made of as it is stored."""

    version: str
    content: bytes


def made_of(bundle: Bundle) -> Made:
    """Return a bundle as it is stored: some milliseconds of work for a large one."""
    content = bundle.encode()
    return Made(sha256(content).hexdigest(), content)


@dataclass(frozen=True, slots=True)
class Edit:
    """What a change did: from which version to which ("": there is none); the same one: nothing."""

    name: str
    old: str
    new: str

    @property
    def made(self) -> bool:
        """Whether there was anything to change."""
        return self.old != self.new


async def put(
    connection: Connection,
    name: str,
    files: Sequence[str],
    made: Made,
    *,
    actor: str,
    reason: str = "",
    expected: Expected = Expected(),
) -> Edit:
    """Put a version in force that was compiled and proved. Raises Moved."""
    async with connection.transaction():
        await store.lock(connection)
        old = await policies.entity(connection, name)
        expected.check(old["version"] if old is not None else "")
        await policies.keep_content(connection, made.version, made.content)
        return await _make(connection, name, old, {"files": list(files), "version": made.version}, actor, reason)


async def roll_back(
    connection: Connection,
    name: str,
    version: str = "",
    *,
    actor: str,
    reason: str = "",
    expected: Expected = Expected(),
) -> Edit:
    """Put a version in force again that the set had before; "": the one before the present. Raises NotFound, NotAllowed, Moved."""
    async with connection.transaction():
        await store.lock(connection)
        old, wanted = await _to_go_back(connection, name, version, expected)
        if await policies.lacking(connection, {wanted["version"]}):
            raise NotAllowed(f"{NOT_KEPT}: send them again")
        return await _make(connection, name, old, wanted, actor, reason)


async def earlier(connection: Connection, name: str, version: str = "") -> tuple[dict[str, Any], Bundle]:
    """Return what `roll_back` would put in force, with what it is made of. Raises NotFound, NotAllowed."""
    _, wanted = await _to_go_back(connection, name, version, Expected())
    content = await policies.content_of(connection, wanted["version"])
    if not content:
        raise NotAllowed(f"{NOT_KEPT}: send them again")
    return wanted, await asyncio.to_thread(decode_bundle, content)


async def _to_go_back(connection: Connection, name: str, version: str, expected: Expected) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the entity in force, and the one to go back to."""
    old = await policies.entity(connection, name)
    if old is None:
        raise NotFound(f"there is no rule set {name!r}")
    expected.check(old["version"])
    return old, await _entity_of(connection, name, version) if version else await _before(connection, name, old)


async def remove(connection: Connection, name: str, *, actor: str, reason: str = "", expected: Expected = Expected()) -> Edit:
    """Take a set away that judges nobody. Raises NotFound, NotAllowed where accounts name it, Moved."""
    async with connection.transaction():
        await store.lock(connection)
        old = await policies.entity(connection, name)
        if old is None:
            raise NotFound(f"there is no rule set {name!r}")
        expected.check(old["version"])
        accounts = await policies.accounts_of(connection, name)
        if accounts:
            more = f" and {len(accounts) - SHOWN} more" if len(accounts) > SHOWN else ""
            raise NotAllowed(f"it judges {', '.join(accounts[:SHOWN])}{more}: give them another policy first")
        await store.delete(connection, (KIND, name))
        await store.audit(connection, actor, (KIND, name), old, None, reason)
        await store.announce(connection)
    return Edit(name, old["version"], "")


async def _make(  # noqa: PLR0917 - a change, by whom and why
    connection: Connection, name: str, old: dict[str, Any] | None, new: dict[str, Any], actor: str, reason: str
) -> Edit:
    if old != new:
        await store.put(connection, (KIND, name), new)
        await store.audit(connection, actor, (KIND, name), old, new, reason)
        await store.announce(connection)
    return Edit(name, old["version"] if old is not None else "", new["version"])


async def _before(connection: Connection, name: str, present: dict[str, Any]) -> dict[str, Any]:
    """Return the entity that was in force before the present version."""
    for change in await policies.history(connection, name, HISTORY):
        if change["old"] is not None and change["old"]["version"] != present["version"]:
            return dict(change["old"])
    raise NotAllowed("there is no earlier version to go back to")


async def _entity_of(connection: Connection, name: str, version: str) -> dict[str, Any]:
    """Return the entity of a version that a set has, or had; a beginning of its name will do. Raises NotFound."""
    found: dict[str, dict[str, Any]] = {}
    if len(version) >= LEAST_PREFIX:
        for change in await policies.history(connection, name, HISTORY):
            for one in (change["new"], change["old"]):
                if one is not None and one["version"].startswith(version):
                    found.setdefault(one["version"], one)
    if len(found) != 1:
        raise NotFound(f"rule set {name!r} never had one version {version!r} (at least its first {LEAST_PREFIX} characters)")
    return next(iter(found.values()))


async def stored(connection: Connection, name: str, version: str = "") -> tuple[dict[str, Any], Bundle]:
    """Return a version of a set, the one in force or one that it had, with what it is made of. Raises NotFound, NotAllowed."""
    live = await policies.entity(connection, name)
    if version:
        wanted = await _entity_of(connection, name, version)
    elif live is None:
        raise NotFound(f"there is no rule set {name!r}")
    else:
        wanted = live
    content = await policies.content_of(connection, wanted["version"])
    if not content:
        raise NotAllowed(NOT_KEPT)
    return wanted, await asyncio.to_thread(decode_bundle, content)
