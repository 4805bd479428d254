"""What one value of settings may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsgw import config
from smsgw.config.values import address_of, hint


def test_an_address_is_host_and_port():
    """Names, IPv4, IPv6 in brackets, and nothing for every address."""
    found = [address_of(text) for text in ("127.0.0.1:2775", "[::1]:0", ":80", "gw.example:65535")]
    assert found == [("127.0.0.1", 2775), ("::1", 0), ("", 80), ("gw.example", 65535)]


@pytest.mark.parametrize("text", ["x", "x:", "x:65536", "::1:2775", "[::1:80"])
def test_what_is_no_address_is_refused(text: str):
    """No port, one that is too large, IPv6 without its brackets."""
    with pytest.raises(ValueError, match="host:port"):
        address_of(text)


def test_a_hint_is_the_nearest_word():
    """A slip of the pen is put right; for what is like nothing, all known words are told."""
    assert hint("listn", ["listen", "pool"]) == ": did you mean listen?"
    assert hint("zzz", ["pool", "listen"]) == " (known: listen, pool)"


def test_a_reference_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A value may be kept in a file, in the environment or in systemd's credentials."""
    (tmp_path / "dsn").write_text("postgresql://a@b/c\n", encoding="utf-8")
    monkeypatch.setenv("SMSGW_DSN", "postgresql://a@b/c")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for reference in (f'{{file = "{tmp_path}/dsn"}}', '{env = "SMSGW_DSN"}', '{credential = "dsn"}'):
        assert config.parse(f"[database]\ndsn = {reference}").database.dsn == "postgresql://a@b/c"


def test_a_reference_that_leads_nowhere_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is missing is named, with the key that asks for it."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("SMSGW_DSN", raising=False)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for reference, said in (
        (f'{{file = "{tmp_path}/none"}}', "none cannot be read: No such file"),
        (f'{{file = "{tmp_path}/binary"}}', "binary is not text in UTF-8"),
        ('{env = "SMSGW_DSN"}', "SMSGW_DSN is not set in the environment"),
        ('{credential = "dsn"}', "CREDENTIALS_DIRECTORY is not set in the environment"),
    ):
        with pytest.raises(config.ConfigError) as refused:
            config.parse(f"[database]\ndsn = {reference}")
        (error,) = refused.value.errors
        assert error.startswith("smsgw.toml:2: database.dsn: ")
        assert said in error
