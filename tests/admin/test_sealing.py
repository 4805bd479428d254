from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smsgw.admin.sealing import KEY_FILE, Key, load_key, opener
from smsgw.config import ConfigError


def test_a_password_is_sealed_and_opened_with_the_key_of_its_data_dir(tmp_path: Path):
    """What is stored does not hold the password; a later process opens it again."""
    stored = load_key(tmp_path).seal("geheim")
    assert "geheim" not in stored
    assert opener(tmp_path)(stored) == "geheim"


def test_the_same_password_never_looks_the_same():
    """Two sealings of one password differ, and both are recognised."""
    key = Key(bytes(32))
    first, second = key.seal("gw"), key.seal("gw")
    assert first != second
    assert key.same(first, "gw")
    assert not key.same(second, "wg")


def test_the_key_is_for_its_owner_alone(tmp_path: Path):
    """The key file has mode 0600 and is made in a data_dir that was not there yet."""
    load_key(tmp_path / "new")
    entry = (tmp_path / "new" / KEY_FILE).stat()
    assert (stat.S_IMODE(entry.st_mode), entry.st_size) == (0o600, 32)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [KEY_FILE]


def test_makers_at_the_same_time_get_one_key(tmp_path: Path):
    """Whoever starts first makes the key; the others read that one."""
    with ThreadPoolExecutor(4) as threads:
        keys = list(threads.map(lambda _: load_key(tmp_path), range(8)))
    stored = keys[0].seal("gw")
    assert {key.unseal(stored) for key in keys} == {"gw"}


@pytest.mark.parametrize("stored", [Key(b"x" * 32).seal("geheim"), "sealed:1:AAAA", "sealed:1:!", "geheim"], ids=range(4))
def test_what_another_key_sealed_is_refused_without_showing_it(stored: str):
    """A wrong key, cut octets or a password in clear end in an error that names none of it."""
    with pytest.raises(ConfigError, match=KEY_FILE) as refused:
        Key(bytes(32)).unseal(stored)
    assert "geheim" not in str(refused.value)
    assert not Key(bytes(32)).same(stored, "geheim")


def test_a_reference_is_followed_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """{file}, {env} and {credential} lead to the password at the time of use; none leads nowhere silently."""
    key = Key(bytes(32))
    (tmp_path / "alpha").write_text("kept\n", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("ALPHA", "said")
    assert key.unseal(key.seal({"file": f"{tmp_path}/alpha"})) == "kept"
    assert key.unseal(key.seal({"credential": "alpha"})) == "kept"
    assert key.unseal(key.seal({"env": "ALPHA"})) == "said"
    with pytest.raises(ConfigError):
        key.unseal(key.seal({"env": "BETA"}))


def test_a_reference_is_not_its_password():
    """Changing a password into a reference, or back, counts as a change even when both say the same."""
    key = Key(bytes(32))
    assert key.same(key.seal({"env": "ALPHA"}), {"env": "ALPHA"})
    assert not key.same(key.seal({"env": "ALPHA"}), "ALPHA")
    assert not key.same(key.seal("ALPHA"), {"env": "ALPHA"})


def test_no_password_stays_none():
    """A link without a password stores none."""
    assert Key(bytes(32)).seal("") == ""
    assert Key(bytes(32)).unseal("") == ""


def test_a_damaged_key_file_is_told(tmp_path: Path):
    """A key that lost octets is refused with what to do."""
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(ConfigError, match="5 octets instead of 32"):
        load_key(tmp_path)
