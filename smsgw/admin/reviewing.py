"""Held messages before people: what waits, what it says, what somebody decides. Each look at a text and each decision is audited.

A decision is one row changed; a running gateway finds it within a second and carries it out. Who comes second is told so, and
nothing happens.

Must never: show a whole number; show a text that nobody asked for; decide twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from smsgw.admin.standing import NotAllowed, NotFound
from smsgw.model import Account, Tenant
from smsgw.policy.file import Source, merged
from smsgw.policy.handset import content_of, shown
from smsgw.policy.ruleset import decode_bundle
from smsgw.policy.statuses import STATUSES
from smsgw.smpp.pdu import encode
from smsgw.store import holds, messages, policies, provisioning
from smsgw.store.database import Connection
from smsgw.store.holds import Fate
from smsgw.store.sealed import Opener, plain
from smsgw.telemetry import mask

KIND: Final = "review"


async def waiting(connection: Connection, account: str | None = None) -> list[dict[str, Any]]:
    """Return what waits for a decision, the most urgent first, with masked numbers."""
    return [_masked(row) for row in await holds.reviews(connection, account)]


async def look(connection: Connection, number: int, actor: str, opened: Opener = plain) -> dict[str, Any]:
    """Return one entry with its text, as the handset would join it; who looked is audited. Raises NotFound, NotAllowed.

    `opened` opens what is sealed at rest.
    """
    async with connection.transaction():
        row = await _entry(connection, number)
        (text,) = await holds.load(connection, [number])
        numbered: dict[int, int] = dict(reversed(text.parts))
        loaded = {one.id: one for one in await messages.load(connection, list(numbered.values()), _nobody, opened)}
        if len(loaded) < len(numbered):
            raise NotAllowed(f"the content of {number} does not open: its key is not in this data_dir")
        parts = [loaded[numbered[part]] for part in sorted(numbered)]
        contents = [content_of(encode(part.command, 0, 0, part.body), part.command) for part in parts]
        said = shown(contents, await _alphabet(connection, row["account"]))
        await provisioning.audit(connection, actor, (KIND, str(number)), None, {"looked_at": row["account"], "rule": row["rule"]})
    missing = [part for part in range(1, text.total + 1) if part not in numbered]
    return {**_masked(row), "missing": missing, "others": list(said.others), "certain": said.exact, "text": said.text}


async def decide(
    connection: Connection, numbers: Sequence[int], *, accept: bool, actor: str, reason: str, dry_run: bool = False
) -> list[dict[str, Any]]:
    """Accept or refuse entries, all or none; returns them. Raises NotFound, NotAllowed: nothing was changed then."""
    decided = []
    async with connection.transaction():
        for number in sorted(set(numbers)):  # so that two people never wait for each other
            row = await _entry(connection, number)
            if not dry_run:
                fate = Fate.RELEASED if accept else Fate.REFUSED
                error, word = (0, row["reason"]) if accept else (STATUSES["reviewed"][await _strict(connection, row)], "reviewed")
                if not await holds.settle(connection, number, fate, actor=actor, error=error, reason=word):
                    raise NotAllowed(f"review {number} was decided this very moment")
                said = {"decision": fate.name.lower(), "account": row["account"], "rule": row["rule"]}
                await provisioning.audit(connection, actor, (KIND, str(number)), {"decision": "review"}, said, reason)
            decided.append({**_masked(row), "decision": "accepted" if accept else "refused"})
    return decided


async def _entry(connection: Connection, number: int) -> dict[str, Any]:
    """Return an entry that waits. Raises NotFound, NotAllowed where it was decided."""
    row = await holds.review(connection, number)
    if row is not None:
        return row
    texts = await holds.load(connection, [number])
    if texts and texts[0].fate > Fate.REVIEW:
        by = texts[0].actor or "smsgw"
        raise NotAllowed(f"review {number} is over: {texts[0].fate.name.lower()} by {by}")
    raise NotFound(f"there is no review {number}")


async def _alphabet(connection: Connection, account: str | None) -> str:
    """Return what data_coding 0 means to an account, by its rule set."""
    version = await policies.version_for(connection, account or "")
    content = await policies.content_of(connection, version) if version else b""
    if not content:
        return "gsm7"
    return merged([Source(*source) for source in decode_bundle(content).sources])[0].text.alphabet


async def _strict(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Tell whether the account reads statuses of the specification."""
    return await policies.strict(connection, row["account"] or "")


def _masked(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], **{key: value for key, value in row.items() if key != "id"}, **_numbers(row)}


def _numbers(row: Mapping[str, Any]) -> dict[str, str]:
    return {"source": mask(row["source"]), "destination": mask(row["destination"])}


def _nobody(account_id: int, tenant_id: int) -> Account:
    return Account(id=account_id, system_id="", tenant=Tenant(id=tenant_id, name="", currency=""))
