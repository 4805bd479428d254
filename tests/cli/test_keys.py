"""The keys of data_dir as commands use them."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from smsgw.admin.content_keys import content_keys
from smsgw.admin.sealing import load_key
from smsgw.cli import keys
from smsgw.policy.marks import Marks
from tests.cli.commands import Command


def test_numbers_are_hashed_as_the_gateway_does(command: Command, tmp_path: Path):
    """By the key of data_dir and the settings of this file."""
    text = command.config.read_text(encoding="utf-8")
    command.config.write_text(f'{text}[compliance]\ncountry_code = "86"\nnational_digits = 11\n', encoding="utf-8")
    known = keys.marks_of(command.config)
    key = load_key(tmp_path / "data").derived("numbers")
    assert known.hash_of("13800138000") == Marks(key).hash_of("8613800138000")


def test_the_printed_key_is_the_one_that_signs(command: Command, tmp_path: Path):
    """What signs here, and its public key, are of data_dir's key; a file with that public key gives the same one."""
    load_key(tmp_path / "data")
    signer = keys.signer_of(command.config)
    (tmp_path / "smsgw.pub").write_text(signer.pem, encoding="utf-8")
    assert keys.own_public(command.config) == signer.public == keys.read_public(tmp_path / "smsgw.pub")


def test_looking_for_a_public_key_makes_none(command: Command, tmp_path: Path):
    """A data_dir without a key, and a file without one, end the command with 2; no key is made."""
    for wrong in (lambda: keys.own_public(command.config), lambda: keys.read_public(tmp_path / "none.pub")):
        with pytest.raises(typer.Exit) as ended:
            wrong()
        assert ended.value.exit_code == 2
    assert not (tmp_path / "data").exists()


def test_who_needs_no_key_is_served_without(command: Command, tmp_path: Path):
    """What opens content where there are keys; None where there are none, and none are made, or they cannot be read."""
    assert keys.opener_if_any(command.config) is None
    assert not (tmp_path / "data").exists()
    sealed = content_keys(tmp_path / "data").seal(7, b"body")
    opened = keys.opener_if_any(command.config)
    assert opened is not None
    assert opened(7, sealed) == b"body"
    (tmp_path / "data" / "seal.key").write_bytes(b"x")
    assert keys.opener_if_any(command.config) is None


def test_a_key_that_is_broken_ends_the_command(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Keys that are none: each command that needs one says so and exits 78."""
    content_keys(tmp_path / "data")
    for name in ("seal.key", "content.keys"):
        (tmp_path / "data" / name).write_bytes(b"x")
    for needs in (keys.content_of, keys.marks_of, keys.signer_of):
        with pytest.raises(typer.Exit) as ended:
            needs(command.config)
        assert ended.value.exit_code == 78
        assert ".key" in capsys.readouterr().err
