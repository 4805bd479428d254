from __future__ import annotations

import pytest

from smsgw.policy.file import PolicyFault
from smsgw.policy.keywords import wish_of
from smsgw.policy.replies import Reply, reply_of
from smsgw.policy.ruleset import compile_set, make_bundle
from smsgw.smpp import const
from smsgw.smpp.pdu import encode, sm_body
from tests.policy.sets import KEY, compiled
from tests.policy.test_packs import PACKS


def test_a_text_is_ready_in_the_alphabet_that_it_needs():
    """GSM where that has every character, with its extension as two; else UCS-2."""
    assert reply_of("You are out @ ACME. €1") == (Reply(0, b"You are out \x00 ACME. \x1be1", "You are out @ ACME. €1"), "")
    assert reply_of("您已退订") == (Reply(8, "您已退订".encode("utf-16-be"), "您已退订"), "")
    assert reply_of("") == (None, "")


@pytest.mark.parametrize(("most", "kind"), [("x" * 160, "GSM"), ("€" * 80, "GSM"), ("好" * 70, "UCS-2"), ("😀" * 35, "UCS-2")])
def test_a_text_is_one_part(most: str, kind: str):
    """What fills a part is taken; one character more is a fault that says how many there are."""
    assert reply_of(most)[1] == ""
    made, fault = reply_of(most + most[0])
    assert made is None
    assert kind in fault
    assert "more than the" in fault


@pytest.mark.parametrize(
    ("keyword", "what"),
    [
        ('means = "help"\nwords = ["HELP"]', "wants a reply"),
        (f'words = ["STOP"]\nreply = "{"x" * 161}"', "161 GSM characters, more than the 160 of one part"),
        ('words = ["STOP"]\nreply = "  "', "reply is empty"),
        ('words = ["STOP"]\nreply = "Stop!"', "its reply is itself a keyword"),
        ('words = ["STOP"]\n[[keyword]]\nmeans = "help"\nwords = ["stop"]\nreply = "no"', "is to refuse and to help"),
    ],
)
def test_a_text_that_cannot_be_sent_is_a_fault_of_the_file(keyword: str, what: str):
    """The set is refused at load, with the keyword and what is wrong."""
    with pytest.raises(PolicyFault, match=what):
        compiled(f"[[keyword]]\n{keyword}\n")


def test_each_list_of_words_has_its_own_text():
    """What a handset says decides what it is answered; of a word that stands twice the first text counts."""
    policy = compiled(
        '[[keyword]]\nwords = ["STOP"]\nreply = "Out."\n[[keyword]]\nwords = ["ARRET", "STOP"]\nreply = "Fini."\n'
        '[[keyword]]\nmeans = "help"\nwords = ["HELP"]\nreply = "Call us."\n[[keyword]]\nwords = ["TD"]\n'
    )

    def answered(said: bytes) -> tuple[str, str | None]:
        pdu = encode(const.DELIVER_SM, 0, 1, sm_body(source=b"1", dest=b"2", short_message=said))
        wish = wish_of(policy.keywords, pdu, const.DELIVER_SM)
        assert wish is not None
        return wish.means, wish.reply.text if wish.reply is not None else None

    assert answered(b"stop") == ("refuse", "Out.")
    assert answered(b"Arret.") == ("refuse", "Fini.")
    assert answered(b"help") == ("help", "Call us.")
    assert answered(b"TD") == ("refuse", None)


def test_north_america_answers_and_a_tenants_own_texts_come_first():
    """HELP and INFO are answered by the pack, as STOP and START are; a file before it says its own for the words that it has."""
    own = '[[keyword]]\nmeans = "help"\nwords = ["HELP"]\nreply = "ACME 800-555-0199"\n'
    names = ["own.toml", "north-america.toml"]
    bundle = make_bundle(names, lambda name, _: own if name == "own.toml" else (PACKS / name).read_text(encoding="utf-8"), KEY)
    answers = {word: compile_set("us", bundle, KEY).keywords[word] for word in ("help", "info", "stop", "start")}
    assert [wish.means for wish in answers.values()] == ["help", "help", "refuse", "resume"]
    assert [wish.reply is not None and "ACME" in wish.reply.text for wish in answers.values()] == [True, False, False, False]
    assert all(wish.reply is not None and wish.reply.data_coding == 0 for wish in answers.values())
