from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smsgw.compliance.lists import BadList, Entry, consents_of, moment_of, number_of, numbers_of

HEADER = "number,at,source,proof\n"


def test_a_plain_list_of_numbers():
    """One a line, with or without + and blanks; comments and empty lines are left out."""
    entries = numbers_of("# asked us\n+8613800138000\n\n86 138-0013-8001 # twice\n", "out.txt")
    assert entries == [Entry("+8613800138000"), Entry("8613800138001")]
    assert numbers_of("", "out.txt") == []


def test_a_list_with_a_header():
    """Columns in any order; a byte order mark, as spreadsheets write it, does no harm."""
    entries = numbers_of('\ufeffproof,number,at\n"ticket 7, mail",8613800138000,2026-11-01\n', "out.csv")
    assert entries == [Entry("8613800138000", datetime(2026, 11, 1, tzinfo=UTC), "", "ticket 7, mail")]


def test_bad_rows_are_named_by_file_and_line_and_not_repeated():
    """Every one of them; what stands in a row may be a phone number, and is not said."""
    rows = [
        "8613800138000,2026-11-01,web,form 1",
        "12,2026-11-01,web,form 2",
        "8613800138001,soon,web,form 3",
        "8613800138002,2026-11-01,web",
    ]
    text = HEADER + "\n".join(rows) + "\n"
    with pytest.raises(BadList) as caught:
        consents_of(text + "8613800138003,2026-11-01,web,form 4,more\n", "consents.csv")
    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [f"consents.csv:{number}" for number in (3, 4, 5, 6)]
    assert "no number" in lines[0]
    assert "'soon' is no time" in lines[1]
    assert "proof is missing" in lines[2]
    assert "more cells" in lines[3]
    assert "138" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("number,at\n", "lacks the column source and lacks the column proof"), ("number,at,source,proof,x\n", "nobody knows")],
)
def test_a_wrong_header_is_told(text: str, said: str):
    """A column that is missing, or that nobody knows."""
    with pytest.raises(BadList, match=said):
        consents_of(text, "consents.csv")


def test_many_faults_are_cut_short():
    """The first twenty are named, the rest counted."""
    with pytest.raises(BadList, match="and 10 more"):
        numbers_of("\n".join(["x"] * 30), "out.txt")


def test_numbers_and_moments_of_people():
    """A number without blanks; a time with its offset, or UTC; what is neither is refused without being repeated."""
    assert number_of("+86 138 0013 8000") == "+8613800138000"
    assert number_of("\uff18\uff1613800138000") == "8613800138000"
    with pytest.raises(BadList, match=r"out\.csv:2: is no CSV"):
        numbers_of(f"number,proof\n{'x' * 200_000},1\n", "out.csv")
    assert moment_of("2026-11-01T08:30:00+08:00") == datetime(2026, 11, 1, 0, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="no number") as caught:
        number_of("1380013800013800138000")
    assert "138" not in str(caught.value)
    with pytest.raises(ValueError, match="more than 500"):
        numbers_of(f"number,proof\n8613800138000,{'x' * 501}\n", "out.csv")
