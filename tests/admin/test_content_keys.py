"""The keys of content in a data_dir."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from smsgw.admin.content_keys import KEYS_FILE, content_keys, rotate
from smsgw.admin.sealing import KEY_FILE
from smsgw.config import ConfigError
from smsgw.store.sealed import Unreadable


def test_nodes_with_one_sealing_key_read_each_other(tmp_path: Path):
    """The first key comes of it; a node with another one reads nothing."""
    (tmp_path / "b").mkdir()
    stored = content_keys(tmp_path / "a").seal(1, b"hello")
    shutil.copy(tmp_path / "a" / KEY_FILE, tmp_path / "b")
    assert content_keys(tmp_path / "b").open(1, stored) == b"hello"
    with pytest.raises(Unreadable):
        content_keys(tmp_path / "c").open(1, stored)


def test_a_rotated_key_seals_and_the_old_ones_open(tmp_path: Path):
    """The file is for its owner alone; a running gateway finds a new key when it needs it."""
    running = content_keys(tmp_path)
    old = running.seal(1, b"old")
    assert (rotate(tmp_path), rotate(tmp_path)) == (2, 3)
    assert (tmp_path / KEYS_FILE).stat().st_mode & 0o777 == 0o600
    restarted = content_keys(tmp_path)
    new = restarted.seal(1, b"new")
    assert (restarted.open(1, old), running.open(1, new)) == (b"old", b"new")


def test_a_spoilt_file_is_told_without_its_keys(tmp_path: Path):
    """Half a key is not taken for one."""
    rotate(tmp_path)
    half = (tmp_path / KEYS_FILE).read_text()[:30]
    (tmp_path / KEYS_FILE).write_text(half)
    with pytest.raises(ConfigError) as caught:
        content_keys(tmp_path)
    assert half not in str(caught.value)
