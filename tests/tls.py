"""A certificate that signs itself, and its key, as TLS listeners and carriers of tests have one."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(folder: Path, name: str = "localhost", *, of: str = "DNS:localhost") -> tuple[str, str]:
    """Make a certificate for a subject and what it is of (an alternative name); returns the paths of it and of its key, in PEM."""
    certificate, key = str(folder / "crt.pem"), str(folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName={of}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key
