from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from smsgw.admin.api import trying
from smsgw.admin.api.problems import Refused
from smsgw.admin.api.shapes import FileText
from smsgw.admin.api.trying import Trying, lists_of, outside, span_of
from smsgw.config.api import Api
from smsgw.policy.ruleset import Bundle
from smsgw.policy.turns import TURN_S
from tests.policy.sets import KEY

RULES = '[recipient]\nblock = "block.txt"\n[[terms]]\nid = "a"\nfile = "words.txt"\nmust = ["one"]\n'
LISTS = {"block.txt": "8613800138000\n", "words.txt": "one\n"}


def made() -> Trying:
    """What tries, with the settings' defaults."""
    return Trying(Api(), KEY, Counter())


async def keys_of(files: Sequence[FileText], lists: dict[str, str]) -> list[str]:
    """Return the keys of the faults that the names of files have."""
    with pytest.raises(Refused) as error:
        await made().check("set", files, lists)
    return [fault.key for fault in error.value.problem.faults]


async def test_a_set_is_made_of_what_was_sent():
    """Rules and lists; with the line ends of files, so that the same text is the same version wherever it was written."""
    plain = await made().check("set", [FileText("a.toml", RULES)], LISTS)
    assert plain.faults == ()
    other = await made().check("set", [FileText("a.toml", RULES.replace("\n", "\r\n"))], LISTS)
    assert other.bundle.version == plain.bundle.version


async def test_what_is_answered_can_be_sent_again():
    """Lists of numbers come as keyed hashes, which make the same version."""
    first = await made().check("set", [FileText("a.toml", RULES)], LISTS)
    lists = lists_of(first.bundle)
    assert "86138" not in "".join(lists.values())
    again = await made().check("set", [FileText(*source) for source in first.bundle.sources], lists)
    assert again.bundle == first.bundle
    assert (await made().check_bundle("set", first.bundle)).bundle == first.bundle


async def test_a_list_that_is_missing_or_named_by_nobody_is_a_fault():
    """Either is told by its name."""
    missing = await made().check("set", [FileText("a.toml", RULES)], {"words.txt": "one\n"})
    assert [(fault.line, fault.key) for fault in missing.faults] == [(1, "block.txt")]
    unused = await made().check("set", [FileText("a.toml", RULES)], {**LISTS, "more.txt": ""})
    assert [(fault.file, fault.message) for fault in unused.faults] == [("more.txt", "no rule file names this list")]
    assert unused.made is None


async def test_a_key_of_very_many_parts_is_a_fault_like_any_other():
    """It is refused before it is read, with its place; reading it would take half a minute."""
    text = "[sender]\n" + ".".join(["a"] * 20_000) + " = 1"
    checked = await made().check("content", [FileText("a.toml", text)], {})
    assert [(one.file, one.line, one.message) for one in checked.faults] == [
        ("a.toml", 2, "a key has more than 32 parts (a.b.c…)"),
    ]  # fmt: skip


async def test_names_of_files_are_checked():
    """None at all, out of the directory, unprintable, too long, twice."""
    assert await keys_of([], {}) == ["files"]
    wrong = ["../a.toml", "/a.toml", "", "a\nb", "a" * 201]
    assert await keys_of([FileText(name, "") for name in wrong], {}) == [f"files[{at}].name" for at in range(5)]
    assert await keys_of([FileText("a", ""), FileText("a", "")], {"../x": "", "a": ""}) == [
        "files[1].name",
        "lists.../x",
        "lists.a",
    ]
    assert await keys_of([FileText(f"{at}.toml", "") for at in range(trying.MOST_FILES + 1)], {}) == ["files"]
    assert not outside("a/b.toml")


async def test_the_loop_goes_on_while_a_set_is_compiled():
    """Thousands of terms are compiled in a thread: the loop has its turns meanwhile, and the interpreter's are as before."""
    words = "\n".join(f"word{number}" for number in range(20_000))
    text = '[[terms]]\nid = "a"\nfile = "w"\nmust = ["word1"]\n'
    task = asyncio.get_running_loop().create_task(made().check("set", [FileText("a.toml", text)], {"w": words}))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert (await task).made is not None
    assert turns > 20
    assert sys.getswitchinterval() == pytest.approx(TURN_S)


def test_spans_are_read():
    """A number with its unit; anything else is a fault that says how they are written."""
    assert span_of("90m") == timedelta(minutes=90)
    for text in ("", "7", "d", "7w", "-1d", "1.5h"):
        with pytest.raises(Refused) as error:
            span_of(text)
        assert error.value.problem.faults[0].key == "since"


def test_lists_are_those_that_are_stored():
    """Words as they were sent."""
    assert lists_of(Bundle([], {"w": "one # a comment\n"})) == {"w": "one # a comment\n"}
