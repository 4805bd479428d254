"""What leaves in bulk: a tenant's export with its manifest, and the comparison of a carrier's file with what its link took.

An export is one snapshot: its files agree with each other and with the balance in the manifest, which has a hash of each and is
signed. It is audited. Must never: write over what is there; leave a manifest for files that are not whole.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from smsgw.admin.evidence import digests, unmodified
from smsgw.admin.recipients import hex_of
from smsgw.admin.signing import MANIFEST, SIGNATURE, Signer, fingerprint
from smsgw.billing.tariff import format_money
from smsgw.carriers.dialect import receipt_key, submit_key
from smsgw.model import State
from smsgw.provisioned import stored_dialect
from smsgw.receipts.codes import error_text
from smsgw.reports.reconcile import Ours, Result, Theirs, compare
from smsgw.reports.table import neutral
from smsgw.store import books, exports, provisioning, statements
from smsgw.store.books import NoSuchTenant, Refused
from smsgw.store.database import Connection
from smsgw.store.ids import seconds_of
from smsgw.store.sealed import Opener, plain

__all__ = ["NoSuchLink", "NoSuchTenant", "Refused", "export", "reconcile"]

VERSION: Final = 1
EDGE_S: Final = 2 * 86_400.0
"""A carrier's day is not ours: messages so near to a span are looked at, too."""


class NoSuchLink(Exception):
    """There is no link of this name; the text is the name."""


class _Written:
    """A file as it grows: rows, octets and their hash."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = 0
        self.octets = 0
        self.hash = hashlib.sha256()

    def entry(self) -> dict[str, Any]:
        """Return its line of the manifest."""
        return {"file": self.name, "rows": self.rows, "octets": self.octets, "sha256": self.hash.hexdigest()}


async def export(
    connection: Connection,
    name: str,
    out: Path,
    signer: Signer,
    *,
    start: datetime,
    end: datetime,
    content: bool,
    actor: str,
    opened: Opener = plain,
) -> list[dict[str, Any]]:
    """Write a tenant's export into an empty directory; returns the manifest's lines. Raises NoSuchTenant, Refused, OSError.

    `opened` opens what is sealed at rest. Raises Unreadable.
    """
    tenant = await statements.contract(connection, name)
    _prepare(out)
    tables = [table for table in exports.TABLES if content or table != "content"]
    between = (start.timestamp(), end.timestamp())
    taken = datetime.now(UTC)
    async with connection.transaction(isolation="repeatable_read"):
        (of,) = await books.balances(connection, name)
        written = [await _write(connection, out, table, tenant.id, between, opened) for table in tables]
        entries = [one.entry() for one in written]
        manifest = {
            "version": VERSION,
            "tenant": name,
            "currency": tenant.currency,
            "balance": format_money(of.amount),
            "from": start.astimezone(UTC).isoformat(),
            "until": end.astimezone(UTC).isoformat(),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "key": fingerprint(signer.public),
            "files": entries,
        }
    # What was given back, when a contract ends (store.returns): nothing that came after the snapshot.
    span = {"from": start.astimezone(UTC).isoformat(), "until": min(end, taken).astimezone(UTC).isoformat()}
    said = {"files": {entry["file"]: entry["sha256"] for entry in entries}, "content": content, **span}
    # In a transaction of its own: one that has read an old snapshot may not add to the audit's chain.
    await provisioning.audit(connection, actor, ("export", name), None, said)
    text = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
    (out / MANIFEST).write_bytes(text)
    signed = signer.sign(text)
    (out / SIGNATURE).write_bytes(signed)
    return [*entries, _entry(MANIFEST, len(entries), text), _entry(SIGNATURE, 0, signed)]


def _entry(name: str, rows: int, octets: bytes) -> dict[str, Any]:
    return {"file": name, "rows": rows, "octets": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}


def _prepare(out: Path) -> None:
    """Make the directory; refuse one that holds something."""
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise Refused(f"{out} is not empty: an export is written into a directory of its own")


async def _write(  # noqa: PLR0917 - what is written, where, of whom
    connection: Connection, out: Path, table: str, tenant_id: int, span: tuple[float, float], opened: Opener
) -> _Written:
    written = _Written(f"{table}.csv")
    shape = _COLUMNS[table]
    with (out / written.name).open("w", encoding="utf-8", newline="") as file:

        class Hashed:
            def write(self, text: str) -> int:
                octets = text.encode()
                written.hash.update(octets)
                written.octets += len(octets)
                return file.write(text)

        writer = csv.writer(Hashed(), lineterminator="\r\n")
        writer.writerow(shape)
        async for page in exports.rows(connection, table, tenant_id, *span):
            writer.writerows([neutral(make(row)) for make in shape.values()] for row in (_opened(one, opened) for one in page))
            written.rows += len(page)
    return written


def _opened(row: Any, opened: Opener) -> dict[str, Any]:
    if "body" not in row:
        return dict(row)
    body = opened(row["id"], row["body"])
    return {**row, "body": body, "digests": digests(row, body) if "transform" in row else None}


def _at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds") if ms else ""


def _text(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: str(row[key])


def _when(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: row[key].astimezone(UTC).isoformat(timespec="milliseconds") if row[key] else ""


def _money(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: format_money(row[key])


_Shape = Mapping[str, Callable[[Mapping[str, Any]], str]]
_ACCEPTED: Final = {"accepted": lambda row: _at(round(seconds_of(row["id"]) * 1000))}
_ENDED: Final[_Shape] = {
    "state": lambda row: State(row["state"]).name, "error": lambda row: error_text(row["state"], row["error"]),
    "ended": lambda row: _at(row["done_ms"]),
}  # fmt: skip
_DAY: Final[_Shape] = {"day": lambda row: str((datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=row["day"])).date())}
_BOOKED: Final[_Shape] = {"at": _when("at")}
_NUMBER: Final[_Shape] = {"number": _text("masked"), "number_hash": lambda row: hex_of(row["number"])}
_MARK: Final[_Shape] = {
    "at": _when("at"), **_NUMBER, "set": lambda row: "yes" if row["active"] else "no",
    "in_force": lambda row: "yes" if row["in_force"] else "no", "level": _text("level"), "account": _text("account"),
    "key": _text("key"), "source": _text("source"), "word": _text("word"), "service": _text("service"),
    "reference": _text("reference"), "reason": _text("reason"),
}  # fmt: skip
"""`source` handset: the MO message of id `reference` said `word` to `service`; or command, `list NAME`, complaint."""
_COLUMNS: Final[Mapping[str, _Shape]] = {
    "messages": {
        "id": _text("id"), "text_id": lambda row: row["short_id"] or str(row["id"]), **_ACCEPTED, "account": _text("account"),
        "source": _text("source"), "destination": _text("destination"), "parts": _text("parts"), "price": _money("price"),
        "refund": _money("refund"), **_ENDED, "sent": lambda row: _at(row["sent_ms"]), "transform": _text("transform"),
        "unmodified": unmodified, "reply": _text("reply"),
    },
    "receipts": {"message": _text("message"), **_ENDED, "waiting": lambda row: "yes" if row["waiting"] else "no"},
    "mo": {
        "id": _text("id"), **_ACCEPTED, "account": _text("account"), "tries": _text("tries"),
        "body_hex": lambda row: row["body"].hex(),
    },
    "ledger": {
        "number": _text("id"), **_DAY, "kind": _text("kind"), "amount": _money("amount"), "messages": _text("messages"),
        "reason": _text("reason"), "reference": _text("reference"), **_BOOKED,
    },
    "refunds": {"message": _text("message"), **_DAY, "amount": _money("amount"), "reason": _text("reason"), **_BOOKED},
    "opt_outs": _MARK,
    "blocks": _MARK,
    "consents": {
        "account": _text("account"), **_NUMBER, "source": _text("source"), "given": _when("given"), "proof": _text("proof"),
        "registered": _when("at"), "withdrawn": _when("withdrawn"), "withdrawn_why": _text("withdrawn_why"),
    },
    "content": {
        "id": _text("id"), "sha256_in": lambda row: row["digests"].came, "sha256_out": lambda row: row["digests"].went,
        "body_hex": lambda row: row["body"].hex(),
    },
}  # fmt: skip
"""What each file of an export has: column → the cell of a row. Bodies are those of the PDUs as they were to go out, in hex."""


async def reconcile(connection: Connection, link: str, theirs: list[Theirs], *, start: datetime, end: datetime) -> Result:
    """Compare a carrier's file with what a link took in a span. Raises NoSuchLink."""
    found = await exports.link(connection, link)
    if found is None:
        raise NoSuchLink(link)
    link_id, settings = found
    dialect = stored_dialect(settings.get("dialect", {}))
    ours: list[Ours] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        span = (start.timestamp() - EDGE_S, end.timestamp() + EDGE_S)
        async for page in exports.of_link(connection, link_id, *span):
            ours += [_ours(dict(row), start.timestamp() * 1000, end.timestamp() * 1000) for row in page]

    def keys(raw: str) -> tuple[str, ...]:
        octets = raw.encode("latin-1", "replace")
        return (submit_key(dialect, octets), receipt_key(dialect, octets), raw)

    return compare(theirs, ours, keys)


def _ours(row: Mapping[str, Any], start_ms: float, end_ms: float) -> Ours:
    within = start_ms <= row["sent_ms"] < end_ms
    return Ours(row["id"], row["tenant"], row["upstream_id"], row["parts"], State(row["state"]), within)
