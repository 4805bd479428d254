"""A bundle for an authority: files in one archive that anybody can check, with this module or by hand.

    manifest.json     what it is of, where the audit's chain had come to, each file with its rows, octets and SHA-256
    manifest.sha256   the SHA-256 of that
    messages.csv      verdicts.csv      profiles.jsonl      audit.jsonl      chain.txt

chain.txt proves that the rows in audit.jsonl belong to the chain: a head, then the hash of the content of every row after it, in
their order; who follows them comes to the head in the manifest. Other rows' contents do not stand in it.

Promises: the same files make the same archive, octet for octet, so that whoever changes a single one is found out.
Must never: compress (a library's version would show), read the store.
"""

from __future__ import annotations

import hashlib
import json
import struct
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from smsgw.store.chain import AuditRow, Head, follow

MANIFEST: Final = "manifest.json"
DIGEST: Final = "manifest.sha256"
AUDIT: Final = "audit.jsonl"
CHAIN: Final = "chain.txt"
FILES: Final = ("messages.csv", "verdicts.csv", "profiles.jsonl", AUDIT, CHAIN)
VERSION: Final = 1
_CHUNK: Final = 1 << 20


_NONSENSE: Final = (
    *(zipfile.BadZipFile, LookupError, ValueError, TypeError, AttributeError, StopIteration, RuntimeError, EOFError, struct.error),
    OSError,  # of seeking to where nothing is
)
"""What reading octets that are no bundle may end in."""


class Broken(Exception):
    """A bundle is not what was made; the text says what does not fit."""


class Writer:
    """An archive as it grows."""

    def __init__(self, target: IO[bytes]) -> None:
        """Write to an open file."""
        self._archive = zipfile.ZipFile(target, "w", zipfile.ZIP_STORED)
        self.entries: list[dict[str, Any]] = []

    def add(self, name: str, chunks: Iterable[bytes], rows: int | None = None) -> str:
        """Add a file; returns its SHA-256."""
        member = self.open(name)
        for chunk in chunks:
            member.write(chunk)
        return member.close(rows)

    def open(self, name: str) -> Member:
        """Begin a file."""
        return Member(self, name)

    def close(self) -> None:
        """End the archive."""
        self._archive.close()

    def abandon(self) -> None:
        """Leave it as it is, with no end: nobody will read it."""
        self._archive.fp = None


class Member:
    """A file of an archive, while it is written."""

    def __init__(self, writer: Writer, name: str) -> None:
        self._writer = writer
        self._name = name
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.external_attr = 0o600 << 16
        info.create_system = 3
        self._file = writer._archive.open(info, "w", force_zip64=True)
        self._hash = hashlib.sha256()
        self._octets = 0

    def write(self, octets: bytes) -> None:
        """Add octets."""
        self._file.write(octets)
        self._hash.update(octets)
        self._octets += len(octets)

    def close(self, rows: int | None) -> str:
        """End the file; returns its SHA-256. `rows`: None for what stands in no manifest."""
        self._file.close()
        if rows is not None:
            entry = {"file": self._name, "rows": rows, "octets": self._octets, "sha256": self._hash.hexdigest()}
            self._writer.entries.append(entry)
        return self._hash.hexdigest()


def seal(writer: Writer, manifest: Mapping[str, Any]) -> str:
    """Add the manifest with all files so far, and its hash, and end the archive; returns the hash."""
    text = json.dumps({"version": VERSION, **manifest, "files": writer.entries}, ensure_ascii=False, indent=1).encode() + b"\n"
    digest = writer.add(MANIFEST, [text])
    writer.add(DIGEST, [f"{digest}  {MANIFEST}\n".encode()])
    writer.close()
    return digest


# ---- audit rows and the proof that they belong to the chain --------------------------------------------------------------------


def audit_line(row: AuditRow) -> bytes:
    """Return a row as a line of audit.jsonl: all that its hash is made of, as it stands."""
    said = {
        "number": row.number, "id": row.id, "at": row.at.isoformat(), "actor": row.actor, "kind": row.kind, "name": row.name,
        "old": row.old, "new": row.new, "reason": row.reason, "previous": _hex(row.previous), "hash": _hex(row.hash),
    }  # fmt: skip
    return json.dumps(said, ensure_ascii=False).encode() + b"\n"


def _read_line(line: bytes) -> AuditRow:
    said = json.loads(line)
    previous, digest = bytes.fromhex(said.pop("previous")), bytes.fromhex(said.pop("hash"))
    return AuditRow(**{**said, "at": datetime.fromisoformat(said["at"])}, previous=previous, hash=digest)


def _hex(octets: bytes | None) -> str:
    return octets.hex() if octets is not None else ""


def check_chain(rows: Iterable[AuditRow], chain: Iterator[str], end: Head) -> int:
    """Follow the chain to its end; each row must be a part of it. Returns how many there are. Raises Broken, ValueError."""
    head = Head.parse(next(chain))
    waiting = iter(rows)
    row = next(waiting, None)
    count = 0
    for line in chain:
        before, head = head, follow(head, bytes.fromhex(line.strip()))
        if row is not None and row.number == head.number:
            if row.content().hex() != line.strip() or row.previous != before.hash or row.hash != head.hash:
                raise Broken(f"{AUDIT}: row {row.id} is not what the chain has at {head.number}")
            row, count = next(waiting, None), count + 1
    if row is not None:
        raise Broken(f"{AUDIT}: row {row.id} is not in the chain")
    if head != end:
        raise Broken(f"{CHAIN} leads to {head}, and not to the head in the manifest")
    return count


# ---- looking at one that somebody has -----------------------------------------------------------------------------------------


def verify(path: Path) -> dict[str, Any]:
    """Check a bundle by itself; returns its manifest, with its own hash as `sha256`. Raises Broken, OSError."""
    with path.open("rb") as file:  # what cannot be opened is another fault than what cannot be read
        try:
            return _checked(file)
        except _NONSENSE as error:
            raise Broken(f"{path.name} is no bundle, or was changed: {type(error).__name__}") from None


def _checked(file: IO[bytes]) -> dict[str, Any]:
    with zipfile.ZipFile(file) as archive:
        digest = _check_files(archive)
        manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
        with archive.open(AUDIT) as lines, archive.open(CHAIN) as chain:
            rows = (_read_line(line) for line in lines)
            check_chain(rows, (line.decode("ascii") for line in chain), Head.parse(manifest["chain"]))
        _check_shape(file, archive)
    return {**manifest, "sha256": digest}


def _check_files(archive: zipfile.ZipFile) -> str:
    names = archive.namelist()
    if names != [*FILES, MANIFEST, DIGEST]:
        raise Broken(f"it holds {', '.join(names)}, and should hold {', '.join([*FILES, MANIFEST, DIGEST])}")
    if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits for info in archive.infolist()):
        raise Broken("its files are not stored as they are")
    digest = hashlib.sha256(archive.read(MANIFEST)).hexdigest()
    if archive.read(DIGEST) != f"{digest}  {MANIFEST}\n".encode():
        raise Broken(f"{MANIFEST} does not have the hash that {DIGEST} names")
    told = {entry["file"]: (entry["octets"], entry["sha256"]) for entry in json.loads(archive.read(MANIFEST))["files"]}
    for name in FILES:
        hashed, octets = hashlib.sha256(), 0
        with archive.open(name) as member:
            while chunk := member.read(_CHUNK):
                hashed.update(chunk)
                octets += len(chunk)
        if told.get(name) != (octets, hashed.hexdigest()):
            raise Broken(f"{name} does not have the octets and the hash that {MANIFEST} names")
    return digest


def _check_shape(file: IO[bytes], archive: zipfile.ZipFile) -> None:
    """The archive itself is what these files make: nothing stands beside, before or between them."""
    with tempfile.TemporaryFile() as again:
        writer = Writer(again)
        for name in archive.namelist():
            with archive.open(name) as member:
                writer.add(name, iter(lambda: member.read(_CHUNK), b""))
        writer.close()
        file.seek(0)
        again.seek(0)
        while True:
            chunk = again.read(_CHUNK)
            if chunk != file.read(_CHUNK):
                raise Broken("the archive holds something beside its files, or says something else of them")
            if not chunk:
                return
