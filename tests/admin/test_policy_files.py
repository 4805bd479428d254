from __future__ import annotations

from pathlib import Path

import pytest

from smsgw.admin.policy_files import NO_KEY, contents, with_policies
from smsgw.admin.provisioning_file import parse_provisioning
from smsgw.config import ConfigError
from smsgw.policy.ruleset import decode_bundle

KEY = b"k" * 32
PACKS = Path(__file__).resolve().parents[2] / "config" / "policy"


def provisioning_of(directory: Path, *files: str) -> str:
    """Return a provisioning file with one set, and where it lies."""
    return f'[[policy]]\nname = "set"\nfiles = {list(files)!r}\n'.replace("'", '"'), str(directory / "provisioning.toml")  # type: ignore[return-value]


def test_files_are_found_beside_the_one_that_names_them(tmp_path: Path):
    """A set from the provisioning file, its lists from the set's own directory; the version is that of what is stored."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "a.toml").write_text('[recipient]\nblock = "b.txt"\n')
    (tmp_path / "policy" / "b.txt").write_text("8613800138000\n")
    file = with_policies(parse_provisioning(*provisioning_of(tmp_path, "policy/a.toml")), KEY)
    version = file.entities["policy", "set"]["version"]
    assert decode_bundle(contents(file)[version]).version == version
    assert file.entities["policy", "set"]["files"] == ["policy/a.toml"]
    assert "8613800138000" not in repr(file)


def test_every_fault_of_every_set_is_told(tmp_path: Path):
    """A set that is not there, and one that is wrong."""
    (tmp_path / "a.toml").write_text('[[pattern]]\nid = "p"\nexpression = "("\nmust = ["x"]\n')
    text, name = provisioning_of(tmp_path, "a.toml")
    with pytest.raises(ConfigError) as error:
        with_policies(parse_provisioning(f'{text}[[policy]]\nname = "two"\nfiles = ["none.toml"]\n', name), NO_KEY)
    assert len(error.value.errors) == 2
    assert error.value.errors[0].startswith("a.toml:1: pattern 'p': RE2 refuses it")
    assert error.value.errors[1] == f"{name}: policy.two: none.toml: cannot be read: No such file or directory"


@pytest.mark.parametrize("pack", ["china", "india", "north-america"])
def test_the_packs_that_come_with_smsgw_compile(pack: str):
    """Each is a set by itself, and proves itself."""
    text, _ = provisioning_of(PACKS, f"{pack}.toml")
    file = with_policies(parse_provisioning(text, str(PACKS / "provisioning.toml")), NO_KEY)
    assert len(file.bundles) == 1


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ("[signature]\n", "it joins the parts of long messages"),
        ('[text]\nparts = "each"\n[links]\naction = "hold"\n', "links would hold messages"),
        ('[text]\nparts = "each"\n[[terms]]\nid = "x"\nwords = ["abc"]\nmust = ["abc"]\naction = "hold"\n', "terms.x would hold"),
        ('[text]\nparts = "each"\n[[terms]]\nid = "x"\nwords = ["abc"]\nmust = ["abc"]\n', ""),
    ],
)
def test_a_relay_account_can_wait_for_nothing(tmp_path: Path, policy: str, why: str):
    """A set that joins texts, or holds any for a person, is refused for an account in mode relay, which says what to do."""
    (tmp_path / "a.toml").write_text(policy)
    text, name = provisioning_of(tmp_path, "a.toml")
    account = '[[tenant]]\nname = "t"\ncurrency = "CNY"\n[[account]]\ntenant = "t"\nsystem_id = "a"\npolicy = "set"\n'
    with_policies(parse_provisioning(account + text, name), NO_KEY)
    file = parse_provisioning(account + 'mode = "relay"\n' + text, name)
    if not why:
        with_policies(file, NO_KEY)
        return
    with pytest.raises(ConfigError, match=f'account.a: policy "set" needs mode = "store": .*{why}'):
        with_policies(file, NO_KEY)
