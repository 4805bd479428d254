from __future__ import annotations

import random
import re

import pytest

from smsgw.policy import matcher
from smsgw.policy.engines import pattern_fault
from smsgw.policy.matcher import EngineFailed, Patterns, Term, Terms


def test_many_terms_are_found_where_they_stand():
    """Over several shards the hits are exactly those that a search for each word finds."""
    chance = random.Random(4)
    han = [chr(0x4E00 + chance.randrange(6000)) for _ in range(80)]
    words = list({"".join(chance.choices(han, k=chance.randint(2, 3))) for _ in range(6_000)})
    terms = Terms([Term(word, at) for at, word in enumerate(words)])
    assert len(terms._shards) > 1
    for _ in range(50):
        text = "".join(chance.choices(han, k=60))
        expected = {at for at, word in enumerate(words) if word in text}
        assert {hit.owner for hit in terms.find(text)} == expected
        assert all(text[start:end] == words[owner] for owner, start, end in terms.find(text))


def test_one_word_more_changes_one_shard():
    """Terms are dealt out by their letters, evenly: what is added or taken away leaves the other shards as they are."""
    words = [f"w{number}x" for number in range(9_000)]
    before, after = (
        matcher._dealt([Term(word, 0) for word in listed], matcher._count_of(9_000))
        for listed in (words, ["new", *words[1:], "more"])
    )
    assert len(before) == len(after) == 3
    assert all(2_500 < len(shard) < 3_500 for shard in before)
    changed = (("w0x", before), ("new", after), ("more", after))
    expected = {at for word, shards in changed for at, shard in enumerate(shards) if Term(word, 0) in shard}
    assert {at for at in range(3) if before[at] != after[at]} == expected


def test_spellings_make_no_shard_more():
    """They are found like words, and covered by the same exceptions; how many terms there are does not count them."""
    words = [Term(f"w{number}x", 0) for number in range(matcher.TERMS_A_SHARD)]
    terms = Terms(words, [Term("zhaky", 1)], spellings=[Term("zhak", 1), Term("扎k", 1)])
    assert (len(terms._shards), len(terms)) == (1, matcher.TERMS_A_SHARD)
    assert {hit.owner for hit in terms.find("扎k w7x zhak")} == {0, 1}
    assert {hit.owner for hit in terms.find("zhak")} == {1}
    assert {hit.owner for hit in terms.find("zhaky")} == set()
    assert {hit.owner for hit in Terms([Term("扎", 0)], spellings=[Term("zha", 0)]).find("zha")} == {0}


def test_a_whole_word_is_no_piece_of_another():
    """Latin words stand alone; Chinese ones need no spaces around them."""
    terms = Terms([Term("sex", 0, whole=True), Term("sex", 1), Term("赌博", 2)])
    assert {hit.owner for hit in terms.find("essex")} == {1}
    assert {hit.owner for hit in terms.find("free sex!")} == {0, 1}
    assert {hit.owner for hit in terms.find("sex交友去赌博吧")} == {0, 1, 2}


def test_exceptions_cover_their_hits():
    """A word inside an allowed phrase is none; the same word elsewhere is."""
    terms = Terms([Term("代开", 0)], [Term("代开车", 0)])
    assert list(terms.find("请人代开车")) == []
    assert [hit.start for hit in terms.find("代开车 代开")] == [4]


def test_an_exception_covers_the_words_of_its_own_rule_alone():
    """What one rule allows hides no word of another: of the same text the other's is found."""
    terms = Terms([Term("套现", 0), Term("诈骗", 1)], [Term("禁止套现诈骗", 0)])
    assert [hit.owner for hit in terms.find("禁止套现诈骗")] == [1]
    assert [hit.owner for hit in terms.find("套现诈骗")] == [0, 1]


def test_patterns_are_found_over_all_sets():
    """As many as fill several sets: the hits are those of each pattern alone."""
    expressions = [f"{chr(97 + at % 26)}{at}x+" for at in range(450)]
    patterns = Patterns(expressions)
    assert [count for _, count, _ in patterns._shards] == [150, 150, 150]
    text = "a0x b1xx d133x z25 t149x"
    assert patterns.find(text) == [at for at, one in enumerate(expressions) if re.search(one, text)]
    assert patterns.span(1, text) == (4, 8)
    assert patterns.find("") == []


def test_a_pattern_that_explodes_elsewhere_is_harmless():
    """The engine's time is linear: a pattern that stops `re` for years ends at once."""
    assert Patterns(["(a+)+$"]).find("a" * 5_000 + "b") == []


def test_the_engine_itself_says_what_is_no_pattern():
    """Its own dialect decides, and its words are told."""
    assert pattern_fault("a|b") == ""
    assert "missing )" in pattern_fault("(a")
    assert "escape" in pattern_fault(r"\uFF1A")
    assert pattern_fault("(?=a)b") != ""
    assert pattern_fault("") == "it is empty"


def test_an_engine_that_finds_nothing_is_not_believed():
    """Each shard is asked for its own words, each set for its canary: silence is a failure."""
    terms, patterns = Terms([Term("百家乐", 0), Term("casino", 1)]), Patterns(["x"])
    terms._shards = [(shard, Terms([Term("other", 0)])._shards[0][1]) for shard, _ in terms._shards]
    with pytest.raises(EngineFailed):
        terms.check()
    patterns._shards = [(0, 7, patterns._shards[0][2])]
    with pytest.raises(EngineFailed):
        patterns.check()
