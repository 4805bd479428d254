from __future__ import annotations

import pytest

from smsgw.model import State
from smsgw.reports.reconcile import BadFile, Difference, Ours, compare, read_file


def ours(number: int, upstream: str, *, parts: int = 1, state: State = State.DELIVERED, within: bool = True) -> Ours:
    """A message that the link took."""
    return Ours(number, "acme", upstream, parts, state, within)


def same(raw: str) -> tuple[str, ...]:
    """Ids as they are, or in lower case."""
    return (raw, raw.lower())


def differences(text: str, *messages: Ours) -> list[tuple[str, str, str]]:
    """What differs: (what, the carrier's id, our message)."""
    return [(one.what, one.carrier_id, one.message) for one in compare(read_file(text), messages, same).differences]


def test_files_that_agree_have_no_differences():
    """Every line finds its message; parts and states are the same in other words."""
    text = "Message_ID,Status,Parts\nA1,DELIVRD,1\na2,UNDELIV,2\n"
    result = compare(read_file(text), [ours(1, "a1"), ours(2, "a2", parts=2, state=State.FAILED)], same)
    assert (result.differences, result.matched, result.theirs, result.ours) == ((), 2, 2, 2)


def test_each_kind_of_difference_is_listed():
    """Only theirs, only ours, charged twice, other parts, another state, with both sides' words."""
    text = "id;state;parts\na1;DELIVRD;3\na2;EXPIRED;1\na3;DELIVRD;1\na1;DELIVRD;1\n"
    messages = [ours(1, "a1"), ours(2, "a2"), ours(4, "a4", state=State.SENT), ours(5, "a5", within=False)]
    result = compare(read_file(text), messages, same)
    assert result.differences == (
        Difference("parts", "a1", 2, "1", "acme", "1", "3"),
        Difference("state", "a2", 3, "2", "acme", "DELIVERED", "EXPIRED"),
        Difference("only_carrier", "a3", 4, theirs="DELIVRD"),
        Difference("twice", "a1", 5, ours="line 2", theirs="DELIVRD"),
        Difference("only_ours", "a4", 0, "4", "acme", "SENT"),
    )
    assert (result.matched, result.ours) == (2, 3)


def test_an_id_that_was_given_again_means_one_message_each():
    """Two messages with one id are two lines of the file; the newest is taken first."""
    assert differences("id\nx\nx\n", ours(1, "x"), ours(2, "x")) == []
    assert differences("id\nx\n", ours(1, "x"), ours(2, "x")) == [("only_ours", "x", "1")]


def test_columns_are_found_or_named():
    """By usual names in any case, in Chinese too; else by the option; an apostrophe before a number is a spreadsheet's."""
    assert [line.raw_id for line in read_file("消息ID\t状态\n'0012\tDELIVRD\n")] == ["0012"]
    assert [line.parts for line in read_file("ref,n\nx,2\n\n", id_column="REF", parts_column="n")] == [2]
    with pytest.raises(BadFile, match="--id-column names it"):
        read_file("ref,n\nx,2\n")
    with pytest.raises(BadFile, match="no column 'nope'"):
        read_file("id\nx\n", state_column="nope")
    with pytest.raises(BadFile, match="line 2: 'two' is no number"):
        read_file("id,parts\nx,two\n")
