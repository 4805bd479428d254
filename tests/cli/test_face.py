from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import typer
from rich.console import Console

from smsgw.admin.control import ControlError
from smsgw.cli import face

ROWS = [
    {"link": "alpha-1", "state": "bound", "sent": 12, "rate": 9.5, "tls": True, "last_error": None},
    {"link": "beta", "state": "down", "sent": 3400, "rate": 100.0, "tls": False, "extra": ["a", "b"]},
]


def test_columns_are_those_of_all_rows():
    """Without a wish, all columns are shown, in the order in which rows bring them."""
    assert face.columns_of(ROWS) == ["link", "state", "sent", "rate", "tls", "last_error", "extra"]


def test_columns_can_be_chosen():
    """A wish is a list of names, in its own order; a name that is not there is said, with those that are."""
    assert face.columns_of(ROWS, "sent, link") == ["sent", "link"]
    with pytest.raises(KeyError, match=r"there is no column 'bind'.*known: link"):
        face.columns_of(ROWS, "bind")


def test_without_rows_any_column_will_do():
    """Nothing to show is no reason to refuse a column that would be there."""
    assert face.columns_of([], "sent") == ["sent"]


def test_json_is_one_object_a_line():
    """The list can be read whole by jq, or line by line by grep; values keep their kind."""
    text = face.as_json(ROWS, ["link", "sent", "tls", "last_error"])
    assert json.loads(text)[0] == {"link": "alpha-1", "sent": 12, "tls": True, "last_error": None}
    assert len(text.splitlines()) == len(ROWS)
    assert json.loads(face.as_json([], [])) == []


def test_csv_can_be_read_back():
    """A cell with a comma or a quote survives."""
    rows = [{"what": 'a, "b"', "n": 1}]
    assert list(csv.reader(io.StringIO(face.as_csv(rows, ["what", "n"])))) == [["what", "n"], ['a, "b"', "1"]]


def test_text_is_aligned_and_plain():
    """In a pipe, columns are aligned for awk: numbers to the right, no colour, nothing at the end of lines."""
    assert face.as_text(ROWS, ["link", "state", "sent", "rate", "tls", "extra"]).splitlines() == [
        "link     state  sent  rate  tls  extra",
        "alpha-1  bound    12   9.5  yes",
        "beta     down   3400   100  no   a, b",
    ]


def test_amounts_stand_by_their_points():
    """Money is read down its column: the points stand below each other, however many decimals there are; ids are no money."""
    rows = [{"kind": "opening", "amount": "1000.00", "at": "1"}, {"kind": "debit", "amount": "-0.038", "at": "2"}, {"kind": "none"}]
    assert face.as_text(rows, ["kind", "amount", "at"]).splitlines() == [
        "kind       amount  at",
        "opening  1000.00   1",
        "debit      -0.038  2",
        "none",
    ]


def test_a_table_colours_what_is_down():
    """On a terminal the state is seen by its colour."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=120, _environ={})
    console.print(face.as_table(ROWS, ["link", "state", "sent"], "links"))
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[32mbound" in drawn
    assert "\x1b[1;31mdown" in drawn
    assert "links" in drawn


def drawn_by(rows: list[dict[str, object]], width: int) -> list[str]:
    """What a terminal so wide shows of them."""
    console = Console(file=io.StringIO(), width=width)
    console.print(face.as_fits(rows, face.columns_of(rows), width))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def test_a_terminal_too_narrow_for_a_table_gets_no_broken_words():
    """Empty columns go and sentences take several lines; where that is not enough each value has a line of its own."""
    rows: list[dict[str, object]] = [
        {"what": "database", "empty": None, "found": "it does not answer at this moment", "at": "2026-11-26T07:05:14Z"},
        {"what": "disk", "empty": None, "found": "full", "at": "2026-11-26T07:05:14Z"},
    ]
    wide, tight, narrow = drawn_by(rows, 100), drawn_by(rows, 60), drawn_by(rows, 40)
    assert any("it does not answer at this moment" in line for line in wide)
    assert "empty" in "".join(wide)
    assert "empty" not in "".join(tight)
    assert sum("2026-11-26T07:05:14Z" in line for line in tight) == 2
    assert max(map(len, tight)) <= 60
    assert [line.rstrip() for line in narrow] == [
        "what   database",
        "found  it does not answer at this moment",
        "at     2026-11-26T07:05:14Z",
        "",
        "what   disk",
        "found  full",
        "at     2026-11-26T07:05:14Z",
    ]


def test_a_cell_of_names_and_values_is_json():
    """What has keys is written as JSON, in tables and for programs alike."""
    assert face.as_text([{"params": {"day": "2026-11-26", "n": 1}}], ["params"]).splitlines()[1] == '{"day": "2026-11-26", "n": 1}'


def test_markup_in_a_value_is_only_text():
    """A value with square brackets is shown as it is: nobody draws on the operator's terminal."""
    console = Console(file=io.StringIO(), width=80)
    console.print(face.as_table([{"reason": "[red]no[/red]"}], ["reason"]))
    assert "[red]no[/red]" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_failure_speaks_to_standard_error(capsys: pytest.CaptureFixture[str]):
    """Reasons go where they do not disturb the answer, and the code is the one given."""
    with pytest.raises(typer.Exit) as ended:
        face.fail(face.NOT_FOUND, "no such thing", "look elsewhere")
    assert ended.value.exit_code == 3
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "no such thing\nlook elsewhere\n")


@pytest.mark.parametrize(("status", "code"), [(404, 3), (403, 77), (500, 1), (0, 1)])
def test_what_a_gateway_refuses_has_its_code(status: int, code: int, capsys: pytest.CaptureFixture[str]):
    """Not there is 3, not yours 77, all else 1; what it said goes to standard error."""
    with pytest.raises(typer.Exit) as ended:
        face.fail_as(ControlError("it says no", status))
    assert (ended.value.exit_code, capsys.readouterr().err) == (code, "it says no\n")


def test_bad_settings_are_told_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Every error of the file is said, and the exit code is EX_CONFIG."""
    path = tmp_path / "smsgw.toml"
    path.write_text("[node]\nid = 5000\n[smpp]\nlissten = []\n")
    with pytest.raises(typer.Exit) as ended:
        face.settings(path)
    assert ended.value.exit_code == 78
    said = capsys.readouterr().err
    assert "lissten" in said
    assert "node.id" in said
