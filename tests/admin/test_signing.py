from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from smsgw.admin.sealing import Key
from smsgw.admin.signing import Signer, fingerprint, read_public_key, verify

SIGNER = Signer(Key(bytes(range(32))))


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A directory with one file, its manifest and the signature."""
    (tmp_path / "ledger.csv").write_bytes(b"1,2,3\r\n")
    entry = {"file": "ledger.csv", "rows": 1, "octets": 7, "sha256": hashlib.sha256(b"1,2,3\r\n").hexdigest()}
    octets = json.dumps({"files": [entry]}).encode()
    (tmp_path / "manifest.json").write_bytes(octets)
    (tmp_path / "manifest.sig").write_bytes(SIGNER.sign(octets))
    return tmp_path


def faults(directory: Path, signer: Signer = SIGNER) -> list[str]:
    """What is wrong with it."""
    return verify(directory, signer.public)[1]


def test_what_was_signed_is_right(signed: Path):
    """With the key, and with the one that is read from its PEM; the same sealing key gives the same one, another another."""
    assert faults(signed) == []
    assert verify(signed, read_public_key(SIGNER.pem))[1] == []
    assert Signer(Key(bytes(range(32)))).pem == SIGNER.pem
    assert faults(signed, Signer(Key(bytes(32)))) == [
        f"manifest.json was not signed as it is with the key {fingerprint(Signer(Key(bytes(32))).public)}"
    ]


def test_everything_that_is_wrong_is_named(signed: Path):
    """A changed octet, a lost or an added file, a changed manifest, a lost signature."""
    (signed / "more.csv").write_bytes(b"x")
    (signed / "ledger.csv").write_bytes(b"1,2,4\r\n")
    assert faults(signed) == ["ledger.csv was changed: its hash is another", "more.csv is not in the manifest"]
    (signed / "more.csv").unlink()
    (signed / "ledger.csv").write_bytes(b"1,2,3")
    assert faults(signed) == ["ledger.csv has 5 octets, 7 in the manifest"]
    (signed / "ledger.csv").unlink()
    assert faults(signed) == ["ledger.csv cannot be read: No such file or directory"]
    (signed / "manifest.json").write_bytes((signed / "manifest.json").read_bytes() + b" ")
    assert "was not signed as it is" in faults(signed)[0]
    (signed / "manifest.sig").unlink()
    assert faults(signed) == ["manifest.sig is missing: nobody signed this"]


def test_only_an_ed25519_key_is_one():
    """A key of another kind, or no key, is refused with what to do."""
    other = X25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for text in (other, "", "-----BEGIN PUBLIC KEY-----"):
        with pytest.raises(ValueError, match="smsgw export key"):
            read_public_key(text)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_verifies_it_too(signed: Path, tmp_path: Path):
    """Whoever does not have smsgw verifies with openssl and the printed key."""
    public = tmp_path / "smsgw.pub"
    public.write_text(SIGNER.pem, encoding="utf-8")
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-rawin", "-inkey", str(public)]
    done = subprocess.run(
        [*command, "-in", str(signed / "manifest.json"), "-sigfile", str(signed / "manifest.sig")],
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, b"Verified Successfully" in done.stdout) == (0, True)
