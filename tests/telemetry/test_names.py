from __future__ import annotations

from smsgw import model
from smsgw.smpp import const
from smsgw.telemetry import names


def test_statuses_are_named_as_in_the_specification():
    """Every command_status has the name that the language gives it, aiosmpplib's included, and no other has one."""
    assert dict(const.STATUS_NAMES) == names.STATUS_NAMES


def test_an_unknown_status_is_its_number():
    """A vendor's status is shown in hex and raises nothing, whatever its 32 bits are."""
    assert names.status_name(0x58) == "ESME_RTHROTTLED"
    assert names.status_name(0x0401) == const.status_name(0x0401) == "0x00000401"
    assert names.status_name(0xFFFFFFFF) == "0xffffffff"


def test_states_are_the_models():
    """The states of record lines and labels are the very words of `model.State`."""
    assert {state.value: state.name for state in model.State} == names.STATE_NAMES
    assert names.state_name(model.State.IN_DOUBT) == "IN_DOUBT"
    assert names.state_name(99) == "99"


def test_receipts_states_are_the_specifications():
    """message_state has the specification's names; one that it does not know shares a single label."""
    assert dict(const.STATE_NAMES) == names.RECEIPT_STATES
    assert names.receipt_state_name(5) == "UNDELIVERABLE"
    assert names.receipt_state_name(77) == "other"


def test_data_codings_have_names():
    """The codings that a reader meets have a name."""
    assert names.CODING_NAMES[8] == "ucs2"
    assert names.CODING_NAMES[0] == "gsm0338"
