"""Carriers' own codes: kept as they came, explained by tables that are data."""

from __future__ import annotations

from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.admin import provisioning_file
from smsgw.model import STATE_OF_RECEIPT, State
from smsgw.receipts.codes import CODED, TABLES, TOLD_BY_CARRIER, WORDS, error_text, is_code, look_up, number_of, text_of
from smsgw.smpp.const import ESME_RDELIVERYFAILURE
from smsgw.smpp.receipt import STATE_OF_STAT

CLASSES = set("blacklist_optout carrier_internal config content expired perm_number ported temp_handset throttle".split())
FAULTS = set("tenant policy platform carrier handset".split())
CODE = st.from_regex(rb"[A-Z]{2}:[0-9]{4}", fullmatch=True) | st.sampled_from([word.encode() for word in WORDS])


def rows(table: str) -> list[list[str]]:
    """The rows of a table as they stand in its file."""
    text = resources.files("smsgw.receipts").joinpath("data", f"{table}.csv").read_text(encoding="utf-8")
    return [line.split(",", 5) for line in text.splitlines() if not line.startswith("#")]


@given(CODE)
def test_a_code_is_kept_as_it_came(code: bytes):
    """As an integer that a row can hold, no plain error can be, and that is read back to the octet."""
    kept = number_of(code)
    assert is_code(code)
    assert CODED <= kept < 2**31
    assert text_of(kept).encode() == code
    assert error_text(State.FAILED, kept).encode() == code


@given(st.binary(max_size=12))
def test_any_octets_are_an_error(octets: bytes):
    """Whatever stands in err is a code, a number of up to nine digits, or ESME_RDELIVERYFAILURE."""
    kept = number_of(octets)
    if is_code(octets):
        assert kept >= CODED
    elif octets.isdigit() and len(octets) <= 9:
        assert kept == int(octets)
    else:
        assert kept == ESME_RDELIVERYFAILURE


def test_a_status_is_no_code():
    """The carrier's answer to a submit may be any 32 bits: it stays the number that it is."""
    assert error_text(State.REFUSED, number_of(b"MK:0001")) == str(number_of(b"MK:0001"))
    assert text_of(2**32 - 1) == "4294967295"


@pytest.mark.parametrize(
    ("table", "code", "kind"),
    [
        ("china", b"MK:0001", "perm_number"),
        ("china", b"MI:0024", "temp_handset"),
        ("china", b"MI:9999", "temp_handset"),  # of a family
        ("china", b"DB:0144", "blacklist_optout"),
        ("china", b"NP:0007", "ported"),
        ("china", b"KEYWORD", "content"),
        ("sgip", b"010", "temp_handset"),
        ("sgip", b"88", "throttle"),
    ],
)
def test_a_table_says_what_a_code_means(table: str, code: bytes, kind: str):
    """A code itself, else its family."""
    found = look_up(table, number_of(code))
    assert found is not None
    assert found.kind == kind


def test_what_no_table_has_means_nothing():
    """An unknown family, a number in the table of codes, and any code where there is no table."""
    assert look_up("china", number_of(b"ZZ:0001")) is None
    assert look_up("china", number_of(b"001")) is None
    assert look_up("sgip", number_of(b"MK:0001")) is None
    assert look_up("", number_of(b"MK:0001")) is None


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_whole(table: str):
    """Each row has a class, a fault and a state of the lists, a meaning, a code that can be kept, and stands once."""
    found = rows(table)
    assert len({row[0] for row in found}) == len(found)
    for code, kind, again, fault, stat, meaning in found:
        whole = f"{code}0000" if code.endswith(":") else code
        assert is_code(whole.encode()) or whole.isdigit(), code
        assert (kind in CLASSES, again in {"yes", "no"}, fault in FAULTS, bool(meaning)) == (True, True, True, True), code
        assert STATE_OF_RECEIPT[STATE_OF_STAT[stat.encode()]] in TOLD_BY_CARRIER - {State.UNKNOWN}, code


def test_a_link_may_name_each_table():
    """What a provisioning file may say is what there is."""
    assert provisioning_file._CHOICES["codes"] == ("", *TABLES)
