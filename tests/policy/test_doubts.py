from __future__ import annotations

import pytest

from smsgw.policy.check import check_set
from smsgw.policy.ruleset import compile_set, make_bundle
from tests.policy.sets import KEY

PATTERN = '[[pattern]]\nid = "p"\nmust = ["x"]\nexpression = '


def faults(text: str) -> list[str]:
    """What a check says of a file, without its hints."""
    return [f"{fault.file}:{fault.line}: {fault.message}" for fault in check_set("set", ["s.toml"], lambda *_: text, KEY).faults]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f'{PATTERN}"x*"', "s.toml:1: pattern 'p' matches an empty text"),
        (f'{PATTERN}"x|"', "s.toml:1: pattern 'p' matches an empty text"),
        ('[category.words]\nmarketing = ["sale", " "]', "category.words: marketing has an empty word"),
        ("[[opt_out]]\nwords = []", "s.toml:1: opt_out has no words"),
        ('[[opt_out]]\nwords = ["【】"]', "s.toml:1: opt_out has a word without a letter or digit"),
        ('[[hours]]\nbegin = "08:00"\nend = "21:00"\ncountries = ["UK"]', "s.toml:1: 'UK' is no country"),
        ('[recipient]\ncountries = ["china"]', "s.toml:1: 'china' is no country"),
        ('[recipient]\nprefixes = ["+86"]', "s.toml:1: prefix '+86' is none"),
        ('[links]\nallowed = ["https://example.com"]', "s.toml:1: 'https://example.com' is no domain"),
        ('[links]\nallowed = ["Example.com"]', "s.toml:1: 'Example.com' is no domain"),
        ("[signature]\nlengths = [18, 2]", "s.toml:1: signature lengths 18 to 2 are none"),
        ('[signature]\n[[signature.filed]]\nsignature = "【某某】"', "s.toml:1: signature.filed '【某某】': write the name"),
        ('[signature]\n[[signature.filed]]\nsignature = "某"\n[[signature.filed]]\nsignature = "某"', "'某' is given twice"),
        ('[sender]\n[[sender.country]]\ncountry = "CN"\n[[sender.country]]\ncountry = "CN"', "sender.country CN is given twice"),
    ],
)
def test_what_can_hardly_be_meant_is_told(text: str, told: str):
    """It compiles, and would stop everything or nothing: whoever sends it hears so, and what is stored goes on."""
    (found,) = faults(text)
    assert told in found
    bundle = make_bundle(["s.toml"], lambda *_: text, KEY)
    assert compile_set("set", bundle, KEY).version == bundle.version


def test_all_doubts_are_told_with_all_faults():
    """Those of one file at once, beside what cannot be compiled."""
    found = faults(f'{PATTERN}"x*"\n[[pattern]]\nid = "q"\nmust = ["y"]\nexpression = "("\n[[opt_out]]\nwords = []')
    assert len(found) == 3


def test_ordinary_sets_raise_no_doubt():
    """Patterns that need a letter, domains, countries and prefixes as they are written."""
    recipient = '[recipient]\ncountries = ["CN", "GB"]\nprefixes = ["86"]\n'
    words = '[[opt_out]]\nwords = ["退订"]\n[category.words]\nmarketing = ["sale"]\n'
    assert faults(f'{PATTERN}"x+"\n{recipient}{words}[links]\nallowed = ["example.com", "localhost"]') == []
