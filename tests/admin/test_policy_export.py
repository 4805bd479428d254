from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from smsgw.admin.policy_export import export, table
from smsgw.admin.policy_files import reader
from smsgw.admin.standing import NotAllowed
from smsgw.policy.ruleset import Bundle, make_bundle
from tests.policy.sets import KEY

RULES = """\
harmless = ["fine.txt"]
[recipient]
block = "lists/block.txt"
[[terms]]
id = "a"
file = "words.txt"
must = ["one"]
[[cap]]
id = "c"
limit = 1
exempt = "lists/exempt.txt"
"""


def bundle_of(directory: Path, name: str = "policy/set.toml") -> Bundle:
    """Read a set from a directory, as an apply does."""
    return make_bundle([name], reader(directory), b"another key, which hashes do not need")


def test_an_export_reads_as_what_is_stored(tmp_path: Path):
    """Rules, words and harmless texts to the octet, numbers as their hashes, each list beside the file that names it."""
    files = {"": RULES, "fine.txt": "hello # a comment\n\n", "words.txt": "one\n二\n"}
    files |= {"lists/block.txt": "8613800138000\n8613800138001\n", "lists/exempt.txt": "8613800138002\n"}
    made = make_bundle(["policy/set.toml"], lambda _, listed: files[listed], KEY)
    paths = export(made, tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in paths} == {
        "policy/set.toml",
        "policy/fine.txt",
        "policy/words.txt",
        "policy/lists/block.txt",
        "policy/lists/exempt.txt",
    }
    assert "86138" not in "".join(path.read_text() for path in paths)
    assert bundle_of(tmp_path).encode() == made.encode()
    assert export(made, tmp_path) == paths  # the same again is nothing to mind


def test_nothing_is_written_over_or_astray(tmp_path: Path):
    """A file that says something else stays, unless it is forced; names that lead out of the directory are refused."""
    made = Bundle([("a.toml", "# one\n"), ("b.toml", "# two\n")])
    (tmp_path / "b.toml").write_text("# mine\n")
    with pytest.raises(NotAllowed, match=r"b\.toml: says something else already"):
        export(made, tmp_path)
    assert not (tmp_path / "a.toml").exists()
    export(made, tmp_path, force=True)
    assert (tmp_path / "b.toml").read_text() == "# two\n"
    for name in ("../a.toml", "/etc/a.toml", "x/../../a.toml"):
        with pytest.raises(NotAllowed, match="lead out of a directory"):
            export(Bundle([(name, "")]), tmp_path)


def test_two_files_that_would_lie_at_one_place_are_refused(tmp_path: Path):
    """One would be lost: two spellings of a path, a list by the name of the file that names it; the same text is one file."""
    listing = '[[terms]]\nid = "a"\nfile = "a.toml"\nmust = ["one"]\n'
    for bundle in (
        Bundle([("p/a.toml", "# one\n"), ("p/./a.toml", "# two\n")]),
        Bundle([("p/a.toml", listing)], {"a.toml": "one\n"}),
    ):
        with pytest.raises(NotAllowed, match=r"p/a\.toml: two files of the set would lie there"):
            export(bundle, tmp_path)
    assert len(export(Bundle([("p/a.toml", "# one\n"), ("p/./a.toml", "# one\n")]), tmp_path)) == 1


def test_the_table_that_names_the_files_is_told():
    """As a provisioning file has it."""
    assert table("set", {"files": ["a.toml", "b.toml"]}) == '[[policy]]\nname = "set"\nfiles = ["a.toml", "b.toml"]\n'
    odd = ['a", "b.toml', "c\\d.toml", "策略.toml"]
    assert tomllib.loads(table("set", {"files": odd}))["policy"][0]["files"] == odd
