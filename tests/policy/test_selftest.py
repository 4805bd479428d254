from __future__ import annotations

import pytest

from smsgw.policy.file import PolicyFault
from smsgw.policy.handset import content_of, shown
from smsgw.policy.selftest import pdu_of, submission_of
from tests.policy.sets import compiled


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[terms]]\nid = "a"\nwords = ["甲乙"]\nmust = ["甲乙", "丙"]', "set.toml:1: terms 'a' does not find '丙', which it must"),
        (
            '[[pattern]]\nid = "a"\nexpression = "ab+"\nmust = ["ac"]',
            "set.toml:1: pattern 'a' does not find 'ac', which it must",
        ),
        (
            '[[template]]\nid = "a"\nsignature = "某某"\ntext = "码{c:digits:4-6}"\nmust = ["【某某】码12"]',
            "set.toml:1: template 'a' does not fit '【某某】码12', which it must",
        ),
        (
            'harmless = ["ok"]\n[[terms]]\nid = "a"\nwords = ["今天"]\nmust = ["今天"]',
            "ok: terms.a would stop the harmless '今天开会'",
        ),
    ],
)
def test_a_set_is_proved_on_its_own_texts(text: str, told: str):
    """A rule that misses its text, and a harmless text that would be stopped, make the set nothing."""
    with pytest.raises(PolicyFault) as fault:
        compiled(text, {"ok": "明天开会\n今天开会\n"})
    assert fault.value.errors == [told]


def test_flags_and_shadows_stop_no_harmless_text():
    """They stop nothing, so they are no fault."""
    for word in ('action = "flag"', 'mode = "shadow"'):
        text = f'harmless = ["ok"]\n[[terms]]\nid = "a"\nwords = ["今天"]\nmust = ["今天"]\n{word}'
        assert compiled(text, {"ok": "今天开会\n"}).size["terms"] == 1


def test_many_faults_are_cut_short():
    """Five are shown, the rest is counted."""
    with pytest.raises(PolicyFault) as fault:
        compiled('harmless = ["ok"]\n[[terms]]\nid = "a"\nwords = ["今天"]\nmust = ["今天"]', {"ok": "今天\n" * 9})
    assert len(fault.value.errors) == 6
    assert fault.value.errors[-1] == "… and 4 more"


@pytest.mark.parametrize("text", ["短", "长" * 500, "emoji 😀"])
def test_a_text_becomes_a_message_that_says_it(text: str):
    """Short in short_message, long in message_payload."""
    assert shown((content_of(pdu_of(text)),)).text == text
    assert submission_of(compiled(""), text).shown.text == text
