"""Bundles by themselves: the same files make the same archive, and whatever is changed is found."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smsgw.admin.sealing import Key
from smsgw.admin.signing import Signer, fingerprint
from smsgw.reports import bundle
from smsgw.reports.bundle import Broken, Writer, verify
from smsgw.store.chain import FIRST, AuditRow, Head, follow

AT = datetime(2026, 11, 25, tzinfo=UTC)
SIGNER, OTHER = Signer(Key(bytes(32))), Signer(Key(bytes([1] * 32)))


def chain(count: int) -> list[AuditRow]:
    """A chain of so many rows."""
    rows: list[AuditRow] = []
    head = FIRST
    for number in range(1, count + 1):
        row = AuditRow(number, number, AT, "ann", "account", f"acme{number}", None, '{"a": "张"}', "", head.hash, None)
        head = follow(head, row.content())
        rows.append(replace(row, hash=head.hash))
    return rows


def made(path: Path, rows: list[AuditRow] | None = None, start: int = 0, version: int = 2, signer: bundle.Signs = SIGNER) -> bytes:
    """A bundle of a chain's rows 2 and 4, of six; returns its octets."""
    whole = chain(6)
    with path.open("w+b") as file:
        writer = Writer(file)
        writer.add("messages.csv", [b"id\r\n", b"1\r\n"], 1)
        writer.add("verdicts.csv", [b"message\r\n"], 0)
        if version == 2:
            writer.add("complaints.csv", [b"complaint\r\n"], 0)
        writer.add("profiles.jsonl", [b"{}\n"], 1)
        writer.add(bundle.AUDIT, map(bundle.audit_line, rows or [whole[1], whole[3]]), 2)
        links = [str(FIRST if not start else Head(start, whole[start - 1].hash or b""))]
        links += [row.content().hex() for row in whole[start:]]
        writer.add(bundle.CHAIN, [f"{link}\n".encode() for link in links], len(links))
        said = {"name": "acme", "chain": str(Head(6, whole[5].hash or b""))}
        if version == 2:
            bundle.seal(writer, said, signer)
        else:
            text = json.dumps({"version": 1, **said, "files": writer.entries}).encode()
            writer.add(bundle.DIGEST, [f"{writer.add(bundle.MANIFEST, [text])}  {bundle.MANIFEST}\n".encode()])
            writer.close()
    return path.read_bytes()


def test_a_bundle_holds_and_is_the_same_each_time(tmp_path: Path):
    """Its manifest is told, with its own hash; a part of the chain from the first row on is enough."""
    assert made(tmp_path / "a.zip") == made(tmp_path / "b.zip")
    assert verify(tmp_path / "a.zip")["name"] == "acme"
    made(tmp_path / "c.zip", start=1)
    digest = verify(tmp_path / "c.zip")["sha256"]
    assert zipfile.ZipFile(tmp_path / "c.zip").read(bundle.DIGEST) == f"{digest}  manifest.json\n".encode()


def test_a_flipped_byte_anywhere_is_found(tmp_path: Path):
    """Every octet of the archive, one by one, its own structure included."""
    path = tmp_path / "a.zip"
    octets = made(path)
    for at in range(len(octets)):
        path.write_bytes(octets[:at] + bytes((octets[at] ^ 1,)) + octets[at + 1 :])
        with pytest.raises(Broken):
            verify(path)
    path.write_bytes(octets)
    assert verify(path)


def test_what_was_changed_is_named(tmp_path: Path):
    """One octet of what a file says: the file, not only that something is wrong."""
    path = tmp_path / "a.zip"
    octets = made(path)
    for name, said in (
        ("messages.csv", b"id\r\n1"),
        ("complaints.csv", b"complaint\r\n"),
        ("audit.jsonl", b"acme4"),
        ("chain.txt", b"0:00000000"),
    ):
        at = octets.index(said)
        path.write_bytes(octets[:at] + bytes((octets[at] ^ 1,)) + octets[at + 1 :])
        with pytest.raises(Broken, match=name.replace(".", r"\.") + " was changed"):
            verify(path)


def test_whose_it_is_its_signature_says(tmp_path: Path):
    """To who has the public key from elsewhere: one that somebody else made and signed anew is not ours."""
    path = tmp_path / "a.zip"
    made(path)
    assert verify(path, SIGNER.public)["signed_by"] == verify(path)["signed_by"] == fingerprint(SIGNER.public)
    made(path, signer=OTHER)
    assert verify(path)["signed_by"] == fingerprint(OTHER.public)
    with pytest.raises(Broken, match=r"manifest\.sig is no signature of manifest\.json with the key given"):
        verify(path, SIGNER.public)


def test_an_older_bundle_still_holds(tmp_path: Path):
    """One of version 1 has neither complaints nor a signature, and passes for nobody's."""
    path = tmp_path / "a.zip"
    octets = made(path, version=1)
    assert verify(path)["signed_by"] == ""
    with pytest.raises(Broken, match="nobody signed it"):
        verify(path, SIGNER.public)
    at = octets.index(b'"version": 1') + len('"version": ')
    path.write_bytes(octets[:at] + b"2" + octets[at + 1 :])
    with pytest.raises(Broken):
        verify(path)


def test_a_flipped_byte_of_any_file_is_found_though_the_archive_is_made_anew(tmp_path: Path):
    """Checksums of the archive are no evidence: hashes are."""
    octets = made(tmp_path / "a.zip")
    files = {name: zipfile.ZipFile(io.BytesIO(octets)).read(name) for name in zipfile.ZipFile(io.BytesIO(octets)).namelist()}
    for name, content in files.items():
        path = tmp_path / "again.zip"
        with path.open("wb") as file:
            writer = Writer(file)
            for other, said in files.items():
                writer.add(other, [bytes((said[0] ^ 1,)) + said[1:] if other == name else said])
            writer.close()
        assert content
        with pytest.raises(Broken):
            verify(path)


@pytest.mark.parametrize("change", [{"actor": "bob"}, {"number": 3}, {"number": 9}, {"hash": bytes(32)}, {"previous": bytes(32)}])
def test_an_audit_row_that_was_altered_is_not_in_the_chain(tmp_path: Path, change: dict[str, object]):
    """Though all hashes of files and manifest were made to fit it."""
    rows = chain(6)
    made(tmp_path / "a.zip", [rows[1], replace(rows[3], **change)])  # type: ignore[arg-type]
    with pytest.raises(Broken):
        verify(tmp_path / "a.zip")


def test_what_is_no_bundle_is_said(tmp_path: Path):
    """Any other file, and an archive with one file more."""
    path = tmp_path / "a.zip"
    path.write_bytes(b"hello")
    with pytest.raises(Broken):
        verify(path)
    made(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.txt", json.dumps({}))
    with pytest.raises(Broken, match=r"more\.txt"):
        verify(path)
