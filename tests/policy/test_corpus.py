"""The corpus: disguises that must be seen through, those that are known not to be, and harmless texts that must pass."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from smsgw.bench.rules import made_set
from smsgw.policy.docket import Docket
from smsgw.policy.handset import content_of, shown
from smsgw.policy.ruleset import RuleSet, lines_of
from smsgw.policy.selftest import pdu_of
from smsgw.smpp import const
from smsgw.smpp.text import encode
from smsgw.smpp.udh import Concat, concat_element, write_udh
from tests.policy.corpus import asked, harmless, make
from tests.policy.sets import ACCOUNT, compiled, owner, raw, rule

HERE = Path(__file__).resolve().parent / "corpus"
ENTRIES: list[dict[str, Any]] = [json.loads(line) for line in (HERE / "evasion.jsonl").read_text(encoding="utf-8").splitlines()]
CLASSES = sorted({entry["class"] for entry in ENTRIES if entry["caught"]})
SET = """
[text]
unreadable = "{unreadable}"
parts = "{parts}"
[[terms]]
id = "plain"
pinyin = true
file = "words"
must = ["百家乐"]
[[terms]]
id = "apart"
form = "n2"
pinyin = true
action = "hold"
file = "words"
must = ["百 家 乐"]
[[pattern]]
id = "bait"
expression = '加.{{0,4}}(?:微信|扣扣|qq)'
must = ["加我微信"]
[[pattern]]
id = "short"
expression = '(?:t|bit)\\.(?:cn|ly)/[a-z0-9]{{4,}}'
must = ["t.cn/abcd"]
"""


@cache
def policy(unreadable: str = "pass", parts: str = "hold") -> RuleSet:
    """Return the set that the corpus is judged by; what cannot be read passes, so that only what is seen through counts."""
    return compiled(SET.format(unreadable=unreadable, parts=parts), {"words": (HERE / "words.txt").read_text(encoding="utf-8")})


@cache
def large() -> RuleSet:
    """Return the same set with 10,000 words more, of two to six ideographs and of six to twelve letters, and 200 patterns."""
    made, lists = made_set(10_000)
    words = {"words": (HERE / "words.txt").read_text(encoding="utf-8")}
    return compiled(f"{SET.format(unreadable='hold', parts='hold')}\n{made}", {**words, **lists})


@cache
def asking(name: str) -> RuleSet:
    """Return the set that has one rule alone: what other words, links and numbers are worth is not what is asked."""
    return compiled(asked.SETS[name])


def objection(entry: dict[str, Any]) -> str:
    """Return the rule that objects to an entry; "" for none."""
    if "asks" in entry:
        return _asked(entry)
    if "parts" in entry:
        return joined(policy(), *pdus_of(entry))
    if "octets" not in entry:
        return rule(policy(), entry["text"])
    pdu = raw(bytes.fromhex(entry["octets"]), entry["data_coding"], esm_class=entry["esm_class"])
    return rule(policy(), pdu=pdu)


def _asked(entry: dict[str, Any]) -> str:
    """Return the same of an entry that one rule is asked of: its text, or a short one with a header or TLVs."""
    rules = asking(entry["asks"])
    if "text" in entry:
        return rule(rules, entry["text"])
    octets = bytes.fromhex(entry.get("octets", b"Sale".hex()))
    return rule(rules, pdu=raw(octets, esm_class=0x40 if "octets" in entry else 0, tlvs=bytes.fromhex(entry.get("tlvs", ""))))


def pdus_of(entry: dict[str, Any]) -> list[bytes]:
    """Return the parts of an entry, in the order in which they come."""
    return [raw(bytes.fromhex(octets), entry["data_coding"], esm_class=entry["esm_class"]) for octets in entry["parts"]]


def joined(rules: RuleSet, *pdus: bytes) -> str:
    """Return the rule that objects to a long text whose parts come in this order, as journey/hold has it judged; "" for none."""
    docket = Docket({"set": rules})
    came = [docket(ACCOUNT, "10690001", "8613800138000", pdu, 0.0, owner, const.SUBMIT_SM, const.V34).part for pdu in pdus]
    assert None not in came, "a part was not held"
    numbered = dict(zip([part.number for part in came if part is not None], pdus, strict=True))
    parts = [(numbered[number], const.SUBMIT_SM) for number in sorted(numbered)]
    verdict = docket.held(ACCOUNT, "10690001", "8613800138000", parts, 0.0, owner, joined=True)
    return "" if verdict.objection is None else verdict.objection.rule


def test_the_corpus_is_what_its_maker_makes():
    """The file has at least 300 texts and follows its source."""
    assert len(ENTRIES) >= 300
    assert list(make.entries()) == ENTRIES


@pytest.mark.parametrize("kind", CLASSES)
def test_no_disguise_of_a_caught_class_is_missed(kind: str):
    """Zero missed in each class that is called caught."""
    of_class = [entry for entry in ENTRIES if entry["class"] == kind]
    assert len(of_class) >= 8
    assert [entry for entry in of_class if not (found := objection(entry)) or not found.startswith(entry.get("asks", ""))] == []


def test_no_disguise_is_missed_in_a_crowd():
    """Each caught entry is found by the large set as well: no other word or pattern gets in its way."""
    caught = [entry for entry in ENTRIES if entry["caught"] and "text" in entry and "asks" not in entry]
    assert len(caught) > 300
    assert [entry for entry in caught if not rule(large(), entry["text"])] == []


def test_what_is_missed_is_listed():
    """Pinyin of some syllables, homophones, ideographs between, digits for letters: one that is caught belongs among the caught."""
    listed = [entry for entry in ENTRIES if not entry["caught"]]
    assert Counter(entry["class"] for entry in listed if objection(entry)) == {}
    assert len(listed) >= 10


def test_what_is_near_a_disguise_passes():
    """Texts that differ from those of a class by what makes them harmless; none of them is stopped by the rule of that class."""
    near = asked.harmless()
    assert len(near) >= 20
    assert [entry for entry in near if objection(entry)] == []


def test_a_word_split_over_parts_is_held_and_seen_when_joined():
    """Two to five parts in any order: each part alone is held by default, and the joined text shows the word."""
    for at, word in enumerate(lines_of((HERE / "words.txt").read_text(encoding="utf-8"))):
        count = 2 + at % min(4, len(word) - 1)
        cuts = [len(word) * part // count for part in range(count + 1)]
        parts = [
            raw(
                write_udh([concat_element(Concat(at, 8, count, part + 1))]) + word[cuts[part] : cuts[part + 1]].encode("utf-16-be"),
                8,
                esm_class=0x40,
            )
            for part in range(count)
        ]
        assert {rule(policy(), pdu=part) for part in reversed(parts)} == {"text.parts"}
        assert rule(policy(), shown([content_of(part) for part in parts]).text)


def test_harmless_texts_pass_in_parts():
    """A harmless text that is cut into two to five parts anywhere passes as it does whole."""
    chance = random.Random(5)
    stopped = []
    for at, text in enumerate(harmless.texts()[::10]):
        octets = text.encode("utf-16-be")
        count = min(2 + at % 4, len(octets) - 1)
        cuts = [0, *sorted(chance.sample(range(1, len(octets)), count - 1)), len(octets)]
        pdus = [
            raw(
                write_udh([concat_element(Concat(at, 16, count, part + 1))]) + octets[cuts[part] : cuts[part + 1]],
                8,
                esm_class=0x40,
            )
            for part in range(count)
        ]
        chance.shuffle(pdus)
        if joined(policy("hold"), *pdus) != rule(policy("hold"), text):
            stopped.append(text)
    assert stopped == []


def _as_a_client(text: str) -> bytes:
    """Return a submit_sm in the alphabet that a client would choose: GSM where it can."""
    coding, octets = encode(text)
    return pdu_of(text) if coding or len(octets) > 160 else raw(octets)


@pytest.mark.parametrize("rules", [lambda: policy("hold"), large], ids=["small", "large"])
def test_harmless_texts_pass(rules: Callable[[], RuleSet], record_property: Callable[[str, object], None]):
    """Of at least 2,000 fewer than 0.5 % are stopped, in UCS-2 and as a client would choose, by a small set and a large one."""
    texts = harmless.texts(6_000)
    stopped = [text for text in texts if rule(rules(), text) or rule(rules(), pdu=_as_a_client(text))]
    record_property("harmless", len(texts))
    record_property("stopped", len(stopped))
    assert len(set(texts)) >= 2_000
    assert len(stopped) * 200 < len(texts), stopped[:5]
