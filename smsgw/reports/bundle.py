"""A bundle for an authority: files in one archive that anybody can check, with this module or by hand.

    manifest.json     what it is of, where the audit's chain had come to, each file with its rows, octets and SHA-256
    manifest.sha256   the SHA-256 of that
    manifest.sig      its Ed25519 signature, with the key that the manifest names
    messages.csv      verdicts.csv      complaints.csv      profiles.jsonl      audit.jsonl      chain.txt

chain.txt proves that the rows in audit.jsonl belong to the chain: a head, then the hash of the content of every row after it, in
their order; who follows them comes to the head in the manifest. Other rows' contents do not stand in it.

Promises: the same files make the same archive, octet for octet, so that whoever changes a single one is found out, and what was
changed is named. A signature proves whose bundle it is only to who has the public key from elsewhere: the one in the manifest says
no more than that nobody changed it without signing anew. Bundles of version 1, without complaints and signature, still verify.
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
from typing import IO, Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from smsgw.store.chain import AuditRow, Head, follow

MANIFEST: Final = "manifest.json"
DIGEST: Final = "manifest.sha256"
SIGNATURE: Final = "manifest.sig"
AUDIT: Final = "audit.jsonl"
CHAIN: Final = "chain.txt"
COMPLAINTS: Final = "complaints.csv"
FILES: Final = ("messages.csv", "verdicts.csv", COMPLAINTS, "profiles.jsonl", AUDIT, CHAIN)
VERSION: Final = 2
_VERSIONS: Final = {
    1: (*(name for name in FILES if name != COMPLAINTS), MANIFEST, DIGEST),
    VERSION: (*FILES, MANIFEST, DIGEST, SIGNATURE),
}
"""What each version of a bundle holds, in this order."""
_CHUNK: Final = 1 << 20


_NONSENSE: Final = (
    *(zipfile.BadZipFile, LookupError, ValueError, TypeError, AttributeError, StopIteration, RuntimeError, EOFError, struct.error),
    OSError,  # of seeking to where nothing is
)
"""What reading octets that are no bundle may end in."""


class Broken(Exception):
    """A bundle is not what was made; the text says what does not fit."""


class Signs(Protocol):
    """Whoever signs a manifest."""

    @property
    def public(self) -> Ed25519PublicKey:
        """What verifies."""

    def sign(self, octets: bytes) -> bytes:
        """Return the signature, 64 octets."""


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


def seal(writer: Writer, manifest: Mapping[str, Any], signer: Signs) -> str:
    """Add the manifest with all files so far, its hash and its signature, and end the archive; returns the hash."""
    key = signer.public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    said = {"version": VERSION, **manifest, "key": key, "files": writer.entries}
    text = json.dumps(said, ensure_ascii=False, indent=1).encode() + b"\n"
    digest = writer.add(MANIFEST, [text])
    writer.add(DIGEST, [f"{digest}  {MANIFEST}\n".encode()])
    writer.add(SIGNATURE, [signer.sign(text)])
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


def verify(path: Path, key: Ed25519PublicKey | None = None) -> dict[str, Any]:
    """Check a bundle by itself; returns its manifest, with its own hash as `sha256`. Raises Broken, OSError.

    `key`: whose signature it must bear. `signed_by` of what is returned: the SHA-256 of the key that signed it, "" for none.
    """
    with path.open("rb") as file:  # what cannot be opened is another fault than what cannot be read
        try:
            return _checked(file, key)
        except _NONSENSE as error:
            raise Broken(f"{path.name} is no bundle, or was changed: {type(error).__name__}") from None


def _checked(file: IO[bytes], key: Ed25519PublicKey | None) -> dict[str, Any]:
    with zipfile.ZipFile(file) as archive:
        digest = _check_files(archive)
        manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
        signed_by = _check_signature(archive, manifest, key)
        with archive.open(AUDIT) as lines, archive.open(CHAIN) as chain:
            rows = (_read_line(line) for line in lines)
            check_chain(rows, (line.decode("ascii") for line in chain), Head.parse(manifest["chain"]))
        _check_shape(file, archive)
    return {**manifest, "sha256": digest, "signed_by": signed_by}


def _check_files(archive: zipfile.ZipFile) -> str:
    names = tuple(archive.namelist())
    if names not in _VERSIONS.values():
        raise Broken(f"it holds {', '.join(names)}, and should hold {', '.join(_VERSIONS[VERSION])}")
    if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits for info in archive.infolist()):
        raise Broken("its files are not stored as they are")
    found = {name: _hash_of(archive, name) for name in names}
    _, digest = found[MANIFEST]
    if archive.read(DIGEST) != f"{digest}  {MANIFEST}\n".encode():
        raise Broken(f"{MANIFEST} does not have the hash that {DIGEST} names")
    manifest = json.loads(archive.read(MANIFEST))
    if names != _VERSIONS.get(manifest["version"]):
        raise Broken(f"it does not hold what version {manifest['version']} does")
    told = {entry["file"]: (entry["octets"], entry["sha256"]) for entry in manifest["files"]}
    for name in names[: names.index(MANIFEST)]:
        if told.get(name) != found[name]:
            raise Broken(f"{name} does not have the octets and the hash that {MANIFEST} names")
    return digest


def _hash_of(archive: zipfile.ZipFile, name: str) -> tuple[int, str]:
    """Return octets and hash of a file; one that the archive's own checksum does not fit is named."""
    hashed, octets = hashlib.sha256(), 0
    try:
        with archive.open(name) as member:
            while chunk := member.read(_CHUNK):
                hashed.update(chunk)
                octets += len(chunk)
    except zipfile.BadZipFile:
        raise Broken(f"{name} was changed: its octets are not those that were written") from None
    return octets, hashed.hexdigest()


def _check_signature(archive: zipfile.ZipFile, manifest: Mapping[str, Any], key: Ed25519PublicKey | None) -> str:
    """Return the SHA-256 of the key that signed the manifest; "" where nobody did, as in version 1."""
    if manifest["version"] < VERSION:
        if key is not None:
            raise Broken(f"nobody signed it: bundles of version {manifest['version']} bear no signature")
        return ""
    raw = bytes.fromhex(manifest["key"])
    wanted = key if key is not None else Ed25519PublicKey.from_public_bytes(raw)
    try:
        wanted.verify(archive.read(SIGNATURE), archive.read(MANIFEST))
    except InvalidSignature:
        raise Broken(
            f"{SIGNATURE} is no signature of {MANIFEST} with {'the key given' if key else 'the key that it names'}"
        ) from None
    return hashlib.sha256(raw).hexdigest()


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
