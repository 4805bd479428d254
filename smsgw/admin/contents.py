"""Reading what a message said, having it purged, holding it for a court: by people, each time with who and why in the audit.

A read is audited before anything is shown. A purge leaves a tombstone with the SHA-256 of the PDU's body that was there; its audit
row has the filter and the count, never a number or a text. How many were sent is told: what left cannot be recalled.

Must never: let content into an audit row, a log or an error; purge what an open message needs or a legal hold means.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from smsgw.admin.evidence import Digests, digests, unmodified
from smsgw.admin.standing import NotAllowed, NotFound
from smsgw.model import State
from smsgw.policy.handset import content_of, shown
from smsgw.smpp.const import V50
from smsgw.smpp.pdu import BadPdu, encode
from smsgw.store import contents, legal_holds, provisioning, retentions
from smsgw.store.contents import Filter
from smsgw.store.database import Connection
from smsgw.store.legal_holds import HeldMeanwhile, heeding
from smsgw.store.sealed import Opener, Unreadable
from smsgw.store.standing import Subject

MAX_PURGED: Final = 1_000_000
"""So many messages one purge takes at most: the next one takes the rest."""


@dataclass(frozen=True, slots=True, repr=False)
class Read:
    """A message as it was read. `body`: the PDU's, after its header; b"" when it is not there any more, and `gone` says why.

    `transform`: words for what was changed in it; `unmodified` and `digests`: see admin.evidence.
    """

    id: int
    tenant: str
    account: str
    source: str
    destination: str
    state: State
    text: str
    body: bytes
    transform: str
    unmodified: str
    digests: Digests
    gone: str = ""


def text_of(command: int, body: bytes) -> tuple[str, bytes]:
    """Return what a handset shows of a body, and the octets of its content; nothing of one that is no PDU."""
    try:
        content = content_of(encode(command, 0, 1, body), command, V50)
    except BadPdu:
        return "", b""
    return shown([content]).text, content.octets


async def read(connection: Connection, number: int, opened: Opener, *, actor: str, reason: str) -> Read:
    """Read a message, audited. Raises NotFound; NotAllowed where it cannot be opened."""
    if not reason.strip():
        raise ValueError("say why: --reason")
    found = await contents.find(connection, number)
    if found is None:
        raise NotFound(f"there is no message {number}")
    row = dict(found)
    try:
        body = b"" if row["body"] is None else opened(number, row["body"])
    except Unreadable as error:
        raise NotAllowed(f"the content of {number} does not open: {error}") from None
    gone = ""
    if row["body"] is None:
        gone = f"purged: {row['octets']} octets, SHA-256 {row['sha256'].hex()}" if row["sha256"] else "its retention is over"
    said = {"tenant": row["tenant"], "account": row["system_id"], "octets": len(body)}
    await provisioning.audit(connection, actor, ("content", str(number)), None, said, reason)
    text = text_of(row["command"], body)[0] if body else ""
    return Read(
        number,
        row["tenant"],
        row["system_id"],
        row["source"],
        row["destination"],
        State(row["state"]),
        text,
        body,
        row["transform"],
        unmodified(row),
        digests(row, body),
        gone,
    )


def meant_of(of: Subject, **more: Any) -> Filter:
    """Return the filter of a tenant or an account."""
    return Filter(of.tenant, of.account, **more)


def _said(of: Subject, **more: Any) -> dict[str, Any]:
    """Return what the audit says of something done to a tenant's or an account's messages: always whose they are."""
    return {"tenant": of.tenant_name, **({"account": of.name} if of.kind == "account" else {}), **more}


async def preview(connection: Connection, meant: Filter) -> dict[str, int]:
    """Count what a purge would do: content, open, held, sent."""
    return await contents.counted(connection, meant)


async def purge(connection: Connection, of: Subject, meant: Filter, opened: Opener, *, actor: str, reason: str) -> dict[str, int]:
    """Purge content, all or nothing; returns the counts. Raises NotAllowed for too many at once, or a legal hold meanwhile."""
    try:
        return await _purge(connection, of, meant, opened, actor=actor, reason=reason)
    except HeldMeanwhile:
        raise NotAllowed(f"a legal hold on {of.tenant_name} was set meanwhile: nothing was purged; ask again") from None


async def _purge(connection: Connection, of: Subject, meant: Filter, opened: Opener, *, actor: str, reason: str) -> dict[str, int]:
    async with heeding(connection, of.tenant):
        counts = await contents.counted(connection, meant)
        if counts["content"] > MAX_PURGED:
            raise NotAllowed(f"{counts['content']} are more than the {MAX_PURGED} that one purge takes: give it days")
        after = purged = 0
        while page := await contents.purgeable(connection, meant, after):
            rows = [(row["id"], row["class"], *tomb(row["id"], row["body"], opened)) for row in page]
            await contents.bury(connection, rows, actor, reason)
            after, purged = page[-1]["id"], purged + len(page)
        span = {"from_id": meant.from_id, "until_id": meant.until_id, "one_number": bool(meant.destination)}
        await provisioning.audit(connection, actor, ("content", of.name), None, _said(of, purged=purged, **span), reason)
    return {**counts, "content": purged}


def tomb(number: int, stored: bytes, opened: Opener) -> tuple[int, bytes]:
    """Return octets and hash of what was there; of what does not open any more, those of what is stored."""
    try:
        body = opened(number, stored)
    except Unreadable:
        body = stored
    return len(body), sha256(body).digest()


# ---- legal holds --------------------------------------------------------------------------------------------------------------


async def hold(connection: Connection, of: Subject, meant: Filter, *, actor: str, reason: str) -> int:
    """Let nothing of these messages go until somebody releases them; returns the hold's number."""
    async with connection.transaction():
        number = await legal_holds.hold(connection, meant, reason, actor)
        said = _said(of, hold=number, from_id=meant.from_id, until_id=meant.until_id)
        await provisioning.audit(connection, actor, ("legal_hold", of.name), None, said, reason)
    return number


async def release(connection: Connection, number: int, *, actor: str, reason: str) -> None:
    """End a legal hold. Raises NotFound."""
    async with connection.transaction():
        tenant = await legal_holds.release(connection, number)
        if tenant is None:
            raise NotFound(f"there is no legal hold {number} that still holds")
        await retentions.look_again(connection)
        await provisioning.audit(connection, actor, ("legal_hold", str(number)), {"tenant": tenant, "hold": number}, None, reason)
