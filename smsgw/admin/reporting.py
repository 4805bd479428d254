"""A report to an authority: stop whom it is about where asked to, write the bundle, note to whom and under which reference.

smsgw prepares, a person sends. The bundle is one snapshot; its manifest's hash goes into the audit, whose chain had come to the
head that the manifest names: so the bundle proves the chain up to it, and the chain proves the bundle.

Must never: let anything of another tenant into a bundle; leave half of one; write over a file.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from smsgw.admin import standing
from smsgw.admin.contents import text_of
from smsgw.admin.evidence import digests, unmodified
from smsgw.admin.recipients import hex_of
from smsgw.admin.signing import Signer
from smsgw.admin.standing import NotAllowed
from smsgw.model import Standing, State
from smsgw.receipts.codes import error_text
from smsgw.reports import bundle
from smsgw.reports.bundle import Broken, Writer
from smsgw.store import audits, dossiers, provisioning, terms
from smsgw.store.chain import Head
from smsgw.store.contents import Filter
from smsgw.store.database import Connection
from smsgw.store.holds import Fate
from smsgw.store.ids import seconds_of
from smsgw.store.sealed import Opener, Unreadable
from smsgw.store.standing import Subject

STOPPED: Final = (Standing.FROZEN, Standing.CLOSED)

Rows = AsyncIterator[list[Any]]
_Shape = Mapping[str, Callable[[Mapping[str, Any]], str]]


@dataclass(frozen=True, slots=True)
class To:
    """To whom, under which of their references, by whom."""

    authority: str
    reference: str
    actor: str


async def report(  # noqa: PLR0917 - of whom, to whom, where
    connection: Connection,
    of: Subject,
    span: tuple[int, int],
    to: To,
    out: Path,
    opened: Opener,
    signer: Signer,
    *,
    freeze: bool = False,
) -> dict[str, Any]:
    """Write a signed bundle of a tenant or an account, of messages between two ids; returns what was noted.

    Raises NotAllowed where a file is there already or the state does not allow a freeze, OSError.
    """
    part = out.with_name(f"{out.name}.part")
    _not_there(out, part)
    if not to.authority.strip() or not to.reference.strip():
        raise ValueError("say to whom and under which reference: --to, --ref")
    frozen = freeze and await _stop(connection, of, to)
    meant = Filter(of.tenant, of.account, *span)
    begun = part.open("xb")  # not within: who finds another's leaves it alone
    try:
        with begun as file:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                digest, counts = await _write(connection, file, of, meant, to, opened, signer, frozen=frozen)
        async with connection.transaction():
            number = await dossiers.keep(connection, of, meant, to.authority, to.reference, digest, to.actor, frozen=frozen)
            said = {"tenant": of.tenant_name, "report": number, "to": to.authority, "ref": to.reference, "sha256": digest}
            said |= {"account": of.name} if of.kind == "account" else {}
            await provisioning.audit(connection, to.actor, ("report", of.name), None, said, f"report to {to.authority}")
        part.rename(out)
    finally:
        part.unlink(missing_ok=True)
    return {"report": number, "file": str(out), "sha256": digest, "frozen": frozen, **counts}


def _not_there(out: Path, part: Path) -> None:
    if out.exists():
        raise NotAllowed(f"{out} is there already: a bundle is never written over")
    if part.exists():
        raise NotAllowed(f"{part} is there: somebody is writing this bundle, or was cut off: remove it then")


async def _stop(connection: Connection, of: Subject, to: To) -> bool:
    """Freeze whom it is about, unless it is stopped already; returns whether it does not send."""
    _, held = await standing.present_of(connection, of.kind, of.name)
    if held.standing not in STOPPED:
        reason = f"report to {to.authority}, {to.reference}"
        await standing.change_state(connection, of.kind, of.name, Standing.FROZEN, actor=to.actor, reason=reason)
    return True


async def _write(  # noqa: PLR0917 - what of whom goes where
    connection: Connection, file: Any, of: Subject, meant: Filter, to: To, opened: Opener, signer: Signer, *, frozen: bool
) -> tuple[str, dict[str, int]]:
    writer = Writer(file)
    taken = datetime.now(UTC)
    head = await audits.head(connection)
    seen, whole = set[int](), set[int]()
    complained = _noted(dossiers.complaints(connection, meant), seen, whole)
    try:
        counts = {
            "messages": await _csv(writer, "messages.csv", _MESSAGE, _readable(dossiers.messages(connection, meant), opened)),
            "verdicts": await _csv(writer, "verdicts.csv", _VERDICT, dossiers.verdicts(connection, meant)),
            "messages_complained_of": await _csv(writer, bundle.COMPLAINTS, _COMPLAINT, complained),
            "complaints": len(seen),
            "profiles": _jsonl(writer, "profiles.jsonl", await terms.profiles(connection, of.tenant)),
            "audit": await _audit(writer, connection, of, head, whole),
        }
    except BaseException:
        writer.abandon()
        raise
    manifest = {
        "kind": of.kind,
        "name": of.name,
        "tenant": of.tenant_name,
        "from": _at(meant.from_id),
        "until": min(_at(meant.until_id), taken.isoformat(timespec="milliseconds")),
        "authority": to.authority,
        "reference": to.reference,
        "by": to.actor,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "frozen": frozen,
        "chain": str(head),
    }
    return bundle.seal(writer, manifest, signer), counts


async def _noted(pages: Rows, seen: set[int], whole: set[int]) -> Rows:
    """Pass complaints on, a row for each message that one means; note which they are, and which are about nobody else."""
    async for page in pages:
        seen.update(row["complaint"] for row in page)
        whole.update(row["complaint"] for row in page if not row["shared"])
        yield page


async def _audit(writer: Writer, connection: Connection, of: Subject, head: Head, complaints: set[int]) -> int:
    """Write the audit rows, and the chain from the first of them to its head; returns how many rows there are."""
    names = await dossiers.accounts(connection, of)
    rows, first = 0, None
    member = writer.open(bundle.AUDIT)
    async for page in dossiers.audit(connection, of, names, complaints):
        first = first or page[0]
        for row in page:
            member.write(bundle.audit_line(row))
        rows += len(page)
    member.close(rows)
    start = Head((first.number or 0) - 1, first.previous or b"") if first is not None else head
    member, links = writer.open(bundle.CHAIN), 0
    member.write(f"{start}\n".encode())
    if first is not None:
        async for chained in audits.pages(connection, start.number):
            member.write(b"".join(b"%b\n" % row.content().hex().encode() for row in chained))
            links += len(chained)
    member.close(links + 1)
    return rows


async def _readable(pages: Rows, opened: Opener) -> Rows:
    """Open what messages said, and say of what is not there why."""
    async for page in pages:
        yield [_read(row, opened) for row in page]


def _read(row: Any, opened: Opener) -> dict[str, Any]:
    body, said = b"", "kept"
    if row["body"] is None:
        said = f"purged, {row['octets']} octets, SHA-256 {row['sha256'].hex()}" if row["sha256"] else "retention is over"
    else:
        try:
            body = opened(row["id"], row["body"])
        except Unreadable as error:
            said = f"sealed, {len(row['body'])} octets, SHA-256 {sha256(row['body']).hexdigest()}: {error}"
    text = text_of(row["command"], body)[0] if body else ""
    told = digests(row, body)
    return {**row, "body": body, "content": said, "text": text, "sha256_in": told.came, "sha256_out": told.went}


async def _csv(writer: Writer, name: str, shape: _Shape, pages: Rows) -> int:
    """Write a file of rows, as they are: evidence is not altered for a spreadsheet's sake; returns how many there are."""
    rows = 0
    member = writer.open(name)
    member.write(_lines([list(shape)]))
    async for page in pages:
        member.write(_lines([[make(row) for make in shape.values()] for row in page]))
        rows += len(page)
    member.close(rows)
    return rows


def _lines(rows: Iterable[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _jsonl(writer: Writer, name: str, rows: list[dict[str, Any]]) -> int:
    lines = [json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n" for row in rows]
    writer.add(name, lines, len(rows))
    return len(rows)


def _at(number: int) -> str:
    return datetime.fromtimestamp(seconds_of(number), UTC).isoformat(timespec="milliseconds")


def _ms(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: datetime.fromtimestamp(row[key] / 1000, UTC).isoformat(timespec="milliseconds") if row[key] else ""


def _moment(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: row[key].astimezone(UTC).isoformat(timespec="milliseconds") if row[key] else ""


def _text(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: str(row[key])


_MESSAGE: Final[_Shape] = {
    "id": _text("id"), "text_id": lambda row: row["short_id"] or str(row["id"]), "accepted": lambda row: _at(row["id"]),
    "account": _text("account"), "source": _text("source"), "destination": _text("destination"), "parts": _text("parts"),
    "link": _text("link"), "carrier_id": _text("upstream_id"), "state": lambda row: State(row["state"]).name,
    "error": lambda row: error_text(row["state"], row["error"]),
    "sent": _ms("sent_ms"), "ended": _ms("done_ms"), "transform": _text("transform"),
    "unmodified": unmodified, "sha256_in": _text("sha256_in"), "sha256_out": _text("sha256_out"), "reply": _text("reply"),
    "content": _text("content"), "text": _text("text"), "body_hex": lambda row: row["body"].hex(),
}  # fmt: skip
_VERDICT: Final[_Shape] = {
    "message": _text("message"), "text": _text("text"), "part": _text("part"), "of": _text("total"),
    "verdict": lambda row: Fate(row["state"]).name.lower(), "rule": _text("rule"), "reason": _text("reason"),
    "status": _text("error"), "by": lambda row: row["actor"] or "rules",
}  # fmt: skip


_COMPLAINT: Final[_Shape] = {
    "complaint": _text("complaint"), "source": _text("source"), "reference": _text("reference"), "number": _text("masked"),
    "number_hash": lambda row: hex_of(row["number"]), "day": _text("day"), "received": _moment("received"), "due": _text("due"),
    "state": _text("state"), "message": _text("message"), "account": _text("account"), "sender": _text("sender"),
    "signature": _text("signature"), "consented_at": _moment("consented_at"), "refused_at": _moment("refused_at"),
    "told": _moment("told"), "blocked": _text("blocked"), "blocked_at": _moment("blocked_at"),
    "note": _text("note"), "outcome": _text("outcome"), "closed": _moment("closed"), "registered_by": _text("actor"),
    "closed_by": _text("closed_by"), "also_of_others": lambda row: "yes" if row["shared"] else "no",
}  # fmt: skip


async def verify_against(connection: Connection, manifest: Mapping[str, Any]) -> None:
    """Check a bundle that holds by itself against the store: it was written here, and the chain goes through it. Raises Broken."""
    if not await dossiers.was_reported(connection, manifest["sha256"]):
        raise Broken("no bundle with this manifest was ever written here")
    found = await audits.verify(connection, anchors=[Head.parse(manifest["chain"])])
    if found.fault is not None:
        raise Broken(f"the audit's chain does not fit it: number {found.fault.number} {found.fault.why}")
