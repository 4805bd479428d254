"""The end of a contract: what is left of a tenant goes, as far as nothing holds it, and a certificate says so (C35).

A person asks, after the contract was closed and the tenant's data given back (`smsgw export`). Each page goes in a transaction with
its count; the certificate is made last, of these counts, in the transaction that puts its hash into the audit. So a kill in between
certifies nothing, and whoever asks again goes on where it ended. What is held is named with its reason and until when; once that is
over, asking again takes it, and a new certificate follows the old one. Books stay: ledger, refunds, statements, and messages
without numbers and words. What was given back is certified too: each export with its span, and how much was in none of them.

Must never: certify what was not deleted, or given back; delete what is held; say a number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from smsgw.admin.contents import tomb
from smsgw.admin.signing import Signer
from smsgw.admin.standing import NotAllowed, find
from smsgw.model import Standing
from smsgw.store import audits, contents, mark_chain, provisioning, purges, returns
from smsgw.store import standing as standings
from smsgw.store.contents import Filter
from smsgw.store.database import Connection
from smsgw.store.ids import seconds_of
from smsgw.store.legal_holds import HeldMeanwhile, heeding
from smsgw.store.purges import Certified, Found
from smsgw.store.returns import Export
from smsgw.store.sealed import Opener
from smsgw.store.standing import Subject

VERSION: Final = 2
ROUNDS: Final = 3
"""So often it is looked again whether something came meanwhile: a late receipt, an export's last message."""
KEPT: Final[Mapping[str, str]] = {
    "books": "ledger, refunds, statements, and messages without numbers and words: what was billed can be added up",
    "audit": "who did what, as a chain of hashes; tombstones with the hash of what was purged",
    "complaints": "the register of complaints, numbers with their middle hidden",
    "contract": "its name, profile, term, notices: whom the books are about",
}
DETAILS: Final = "detail files of closed cycles, in which numbers stand: documents of the books, kept as they were closed"
_MISSED: Final = {"messages": "messages", "mo": "messages of handsets", "content": "what messages say"}
NOT_REACHED: Final = "backups of the database, the gateway's logs, what carriers, handsets and the tenant have"


@dataclass(frozen=True, slots=True)
class Asked:
    """Who wants it and why; `unreturned`: though not all of it was exported since the contract ended."""

    actor: str
    reason: str
    unreturned: bool = False


async def preview(connection: Connection, name: str) -> list[Found]:
    """Return what there is of a tenant whose contract is closed: what may go, what is held. Raises NotFound, NotAllowed."""
    of, ended = await _ended(connection, name)
    return await purges.survey(connection, of.tenant, ended)


async def purge(connection: Connection, name: str, opened: Opener, signer: Signer, asked: Asked) -> Certified:
    """Delete what may go, and certify it; where there was nothing more to delete, the last certificate still says it all.

    Raises NotFound, NotAllowed.
    """
    if not asked.reason.strip():
        raise ValueError("say why: --reason")
    of, ended = await _ended(connection, name)
    returned = await _returned(connection, of, ended)
    if not (returned.whole or asked.unreturned):
        raise NotAllowed(returned.told(name))
    if not await purges.alone(connection, of.tenant):
        raise NotAllowed(f"somebody else is purging {name}")
    for _ in range(ROUNDS):
        await _take_all(connection, of, ended, opened, asked)
        left = await purges.survey(connection, of.tenant, ended)
        if not any(found.free for found in left):
            return await _certify(connection, of, signer, asked, (ended, returned, left))
    raise NotAllowed(f"something of {name} still comes in: ask again once its last receipts are there")


@dataclass(frozen=True, slots=True)
class _Returned:
    """What a tenant was given back: by which exports, and how much, by kind, that was there had been in none of them."""

    made: list[Export]
    missed: Mapping[str, int]

    @property
    def whole(self) -> bool:
        return bool(self.made) and not any(self.missed.values())

    def told(self, name: str) -> str:
        """Say what is still to be given back."""
        again = f"smsgw export {name} --content --out DIR, or --unreturned where it is not wanted"
        if not self.made:
            return f"nothing of {name} was exported since it was closed: {again}"
        rest = ", ".join(f"{_MISSED[kind]} ({count})" for kind, count in self.missed.items() if count)
        return f"some of {name} was in no export since it was closed, {rest}: {again}"

    @property
    def said(self) -> dict[str, Any] | None:
        """What the certificate says of it."""
        if not self.made:
            return None
        exports = [
            {
                "audit": one.number,
                "at": _at(one.at),
                "from": _at(one.span[0]) if one.span is not None else "",
                "until": _at(one.span[1]) if one.span is not None else "",
                "content": one.content,
            }
            for one in self.made
        ]
        return {"whole": self.whole, "exports": exports, "in_none": dict(self.missed)}


async def _returned(connection: Connection, of: Subject, ended: datetime) -> _Returned:
    made = await returns.exported(connection, of.name, ended)
    return _Returned(made, await returns.missed(connection, of.tenant, made))


async def _ended(connection: Connection, name: str) -> tuple[Subject, datetime]:
    of = await find(connection, "tenant", name)
    held = await standings.present(connection, of)
    if held is None or held.standing is not Standing.CLOSED:
        raise NotAllowed(f"{name} is not closed: its contract has to end first (smsgw state close, terminate)")
    return of, held.since


async def _take_all(connection: Connection, of: Subject, ended: datetime, opened: Opener, asked: Asked) -> None:
    for kind in purges.KINDS:
        after = 0
        while after >= 0:
            with suppress(HeldMeanwhile):  # the page is taken again, without what is held now
                async with heeding(connection, of.tenant):
                    if kind == "content":
                        last = await _bury(connection, of, after, opened, asked)
                    else:
                        last = await _take(connection, kind, of, ended, after, asked)
                after = last


async def _take(  # noqa: PLR0917 - whose, what and from where on
    connection: Connection, kind: str, of: Subject, ended: datetime, after: int, asked: Asked
) -> int:
    """Delete a page of a kind; returns the last id of it, -1 after the last page."""
    ids = await purges.page_of(connection, kind, of.tenant, ended, after)
    if not ids:
        return -1
    if kind == "marks":
        page, digest = await purges.let_go(connection, ids)
        said = {"tenant": of.tenant_name, "page": page, "rows": len(ids), "digest": digest}
        await provisioning.audit(connection, asked.actor, (mark_chain.PURGED, of.name), None, said, asked.reason)
    await purges.take(connection, kind, of.tenant, ids)
    return ids[-1]


async def _bury(connection: Connection, of: Subject, after: int, opened: Opener, asked: Asked) -> int:
    """Bury a page of content; returns the last id of it, -1 after the last page."""
    page = await contents.purgeable(connection, Filter(of.tenant), after)
    if not page:
        return -1
    rows = [(row["id"], row["class"], *tomb(row["id"], row["body"], opened)) for row in page]
    await contents.bury(connection, rows, asked.actor, asked.reason)
    moments = [datetime.fromtimestamp(seconds_of(row["id"]), UTC) for row in page]
    await purges.count(connection, of.tenant, "content", moments)
    return int(page[-1]["id"])


# ---- the certificate ----------------------------------------------------------------------------------------------------------


_Seen = tuple[datetime, _Returned, list[Found]]


async def _certify(connection: Connection, of: Subject, signer: Signer, asked: Asked, seen: _Seen) -> Certified:
    """Make a certificate, unless the last one says the same."""
    async with connection.transaction():
        last = await purges.certificate(connection, of.name)
        body = await _body(connection, of, seen)
        if last is not None and all(last.said[key] == body[key] for key in ("deleted", "held")):
            return last
        said = {
            "version": VERSION,
            "what": "certificate of deletion",
            **body,
            "asked_by": asked.actor,
            "reason": asked.reason,
            "made": _at(datetime.now(UTC)),
            "after": last.sha256 if last is not None else "",
            "audit": str(await audits.head(connection)),
        }
        made = _signed(said, signer)
        await purges.keep(connection, of.tenant, of.name, made)
        noted = {"tenant": of.name, "sha256": made.sha256, "complete": body["complete"]}
        await provisioning.audit(connection, asked.actor, ("tenant_purge", of.name), None, noted, asked.reason)
    return made


async def _body(connection: Connection, of: Subject, seen: _Seen) -> dict[str, Any]:
    ended, returned, left = seen
    gone = await purges.gone(connection, of.tenant)
    details = await purges.details(connection, of.name)
    held = [
        {"kind": found.kind, "rows": one.rows, "why": one.why, "held_until": _at(one.until) if one.until else ""}
        for found in left
        for one in found.held
    ]
    return {
        "tenant": of.name,
        "closed": _at(ended),
        "returned": returned.said,
        "deleted": [{"kind": one.kind, "rows": one.rows, "from": _at(one.first_at), "until": _at(one.last_at)} for one in gone],
        "held": held,
        "complete": not held,
        "kept": {**KEPT, **({"details": f"{details} {DETAILS}"} if details else {})},
        "not_reached": NOT_REACHED,
    }


def _signed(said: Mapping[str, Any], signer: Signer) -> Certified:
    text = _canonical(said)
    octets = text.encode()
    public = signer.public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Certified(text, sha256(octets).hexdigest(), signer.sign(octets), public)


def _canonical(said: Mapping[str, Any]) -> str:
    """One way to write it: what is signed are these octets, however a file is laid out."""
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def shown(made: Certified) -> str:
    """Return a certificate as it is handed on: JSON, with its hash, signature and public key beside it."""
    told = {"certificate": made.said, "sha256": made.sha256, "signature": made.signature.hex(), "key": made.public.hex()}
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"


_NAMED: Final = ("tenant", "closed", "made", "asked_by")
"""What whoever reads a certificate is told of it."""


def read(text: str, key: Ed25519PublicKey | None = None) -> tuple[dict[str, Any], list[str]]:
    """Return what a certificate says, with its `sha256` and `signed_by`, and what is wrong with it. Raises ValueError for none.

    `key`: whose signature it must bear; without it that of the key that it names.
    """
    try:
        told = json.loads(text)
        said, signature, raw = told["certificate"], bytes.fromhex(told["signature"]), bytes.fromhex(told["key"])
        if not all(isinstance(said[word], str) for word in _NAMED):
            raise TypeError
        octets = _canonical(said).encode()
        wanted = key if key is not None else Ed25519PublicKey.from_public_bytes(raw)
        digest = sha256(octets).hexdigest()
        faults = [] if told["sha256"] == digest else ["its hash is not that of what it says: it was changed"]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ValueError("is no certificate of deletion: smsgw tenant certificate prints one") from None
    try:
        wanted.verify(signature, octets)
    except InvalidSignature:
        whose = "the key given" if key is not None else "the key that it names"
        faults.append(f"it was not signed as it is with {whose}")
    return {**said, "sha256": digest, "signed_by": sha256(raw).hexdigest()}, faults


async def check_made_here(connection: Connection, digest: str) -> list[str]:
    """Return what is wrong with a certificate of this hash: it was not made here, or the audit does not fit."""
    if not await purges.was_certified(connection, digest):
        return ["no certificate of this hash was ever made here"]
    found = [await audits.verify(connection), await mark_chain.verify(connection)]
    return [f"the audit does not fit: number {one.fault.number} {one.fault.why}" for one in found if one.fault is not None]


def _at(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
