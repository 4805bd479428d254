from __future__ import annotations

import pytest

from smsgw.policy import replay
from smsgw.policy.marks import Marks, Scope
from smsgw.policy.replay import Difference, Replay, Said
from smsgw.policy.selftest import pdu_of
from smsgw.smpp import const
from smsgw.smpp.udh import Concat, concat_element, write_udh
from tests.policy.sets import ACCOUNT, KEY, MORNING_IN_CHINA, compiled, owner, raw

TERM = '[[terms]]\nid = "{id}"\nwords = ["{word}"]\nmust = ["{word}"]\naction = "{action}"\n'
OLD = TERM.format(id="a", word="甲乙丙", action="reject") + TERM.format(id="b", word="子丑", action="flag")
NEW = TERM.format(id="b", word="子丑", action="hold") + TERM.format(id="c", word="戊己庚", action="reject")


def said(number: int, text: str = "", pdu: bytes = b"") -> Said:
    """Return a message of the account."""
    octets = pdu or pdu_of(text, source=b"10690001", destination=b"8613800138000")
    return Said(number, ACCOUNT, "10690001", "8613800138000", const.SUBMIT_SM, octets, MORNING_IN_CHINA)


def part(number: int, text: str, at: int, total: int = 2) -> Said:
    """Return one part of a long message."""
    header = write_udh([concat_element(Concat(7, 8, total, at))])
    return said(number, pdu=raw(header + text.encode("utf-16-be"), 8, esm_class=0x40))


def test_both_sets_judge_and_what_differs_is_kept():
    """Newly refused, newly held, newly passed, each with the rules; what both see alike is counted alone."""
    told = Replay(compiled(OLD), compiled(NEW), owner)
    for number, text in enumerate(("您好", "甲乙丙", "子丑", "戊己庚", "戊己庚")):
        told.take(said(number, text))
    told.end()
    assert told.differences == {
        Difference("pass", "reject", "", "terms.c"): 2,
        Difference("flag", "hold", "terms.b", "terms.b"): 1,
        Difference("reject", "pass", "terms.a", ""): 1,
    }
    assert (told.judged, told.verdicts["now", "reject"], told.verdicts["before", "reject"]) == (5, 2, 1)
    assert [(one.id, text) for one, text in told.examples[Difference("pass", "reject", "", "terms.c")]] == [
        (3, "戊己庚"),
        (4, "戊己庚"),
    ]


def test_long_messages_are_judged_whole():
    """In any order, once all parts are there; what never becomes whole is counted and not judged."""
    told = Replay(None, compiled(NEW), owner)
    for one in (part(2, "己庚好", 2), part(1, "您戊", 1), part(3, "戊", 1, total=3)):
        told.take(one)
    told.end()
    assert told.differences == {Difference("pass", "reject", "", "terms.c"): 1}
    assert (told.judged, told.incomplete) == (1, 1)


def test_what_is_looked_for_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """Over the bound the oldest text is given up, and counted."""
    monkeypatch.setattr(replay, "WAITING", 1)
    told = Replay(None, compiled(NEW), owner)
    told.take(part(1, "戊", 1))
    told.take(Said(2, ACCOUNT, "1069", "8613800138000", const.SUBMIT_SM, part(2, "戊", 1).pdu, 0.0))
    assert told.incomplete == 1


def test_trials_decide_nothing():
    """A rule in shadow mode makes no difference, and few examples are kept of many."""
    told = Replay(None, compiled(NEW.replace('id = "c"', 'id = "c"\nmode = "shadow"')), owner)
    told.take(said(1, "戊己庚"))
    assert not told.differences
    more = Replay(None, compiled(NEW), owner)
    for number in range(9):
        more.take(said(number, "戊己庚"))
    assert [len(kept) for kept in more.examples.values()] == [replay.EXAMPLES]


def test_what_recipients_said_is_asked():
    """A set that wants consent lets marketing go to who gave it: only whoever did not is newly refused."""
    marks = Marks(KEY)
    marks.know({1: Scope("consent", "account", ACCOUNT.id)})
    marks.learn(marks.hash_of("8613800138000"), 1, active=True)
    wants = compiled('[category.words]\nmarketing = ["优惠"]\n[consent]\nrequired = true\n')
    told = Replay(None, wants, owner, marks)
    told.take(said(1, "优惠"))
    told.take(said(2, "优惠")._replace(destination="8613800138001"))
    assert told.differences == {Difference("pass", "reject", "", "consent.required"): 1}
