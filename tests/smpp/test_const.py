from __future__ import annotations

import aiosmpplib
import pytest
from aiosmpplib import state

from smsgw.smpp import const
from smsgw.smpp.const import StatusClass

PEER_TAGS = {
    name: value
    for name, value in vars(state).items()
    if name.isupper() and isinstance(value, int) and not name.startswith("DLR_ERROR")
}


@pytest.mark.parametrize("command", list(aiosmpplib.SmppCommand))
def test_commands_have_the_numbers_others_know(command: aiosmpplib.SmppCommand):
    """Every command_id that aiosmpplib names has here the same name and number."""
    assert getattr(const, command.name) == command.value
    assert const.command_name(command.value) == command.name.lower()


@pytest.mark.parametrize("status", list(aiosmpplib.SmppCommandStatus))
def test_statuses_have_the_numbers_others_know(status: aiosmpplib.SmppCommandStatus):
    """Every command_status that aiosmpplib names has here the same name and number."""
    assert getattr(const, status.name) == status.value
    assert const.status_name(status.value) == status.name


@pytest.mark.parametrize(("name", "tag"), PEER_TAGS.items())
def test_tags_have_the_numbers_others_know(name: str, tag: int):
    """Every TLV tag that aiosmpplib names has here the same name and number."""
    assert getattr(const, f"TAG_{name}") == tag
    assert const.tag_name(tag) == name.lower()


@pytest.mark.parametrize("one", [*aiosmpplib.TON, *aiosmpplib.NPI], ids=repr)
def test_number_types_and_plans_have_the_numbers_others_know(one: aiosmpplib.TON | aiosmpplib.NPI):
    """Every TON and NPI that aiosmpplib names has here the same name and number."""
    assert getattr(const, f"{type(one).__name__}_{one.name}") == one.value


def test_responses_are_requests_with_the_response_bit():
    """Each *_resp is the command_id of its request with the highest bit (3.4 §5.1.2)."""
    names = {name: number for number, name in const.COMMAND_NAMES.items()}
    responses = {name: number for name, number in names.items() if name.endswith("_resp")}
    assert len(responses) == 15
    assert responses == {name: names[name.removesuffix("_resp")] | const.RESP for name in responses}


def test_commands_are_all_there():
    """32 commands and generic_nack are named: all of 3.4, and the broadcasts of 5.0."""
    assert len(const.COMMAND_NAMES) == 32 + 1
    assert const.command_name(0x111) == "broadcast_sm"
    assert const.command_name(0x80000000) == "generic_nack"


def test_statuses_are_all_there():
    """The whole table of 3.4 §5.1.3 is named, and what 5.0 adds (items 192, 193)."""
    table = (*range(0x09), *range(0x0A, 0x10), 0x11, 0x13, 0x14, 0x15, 0x33, 0x34, 0x40, *range(0x42, 0x46), 0x48, 0x49)
    table += (0x50, 0x51, *range(0x53, 0x56), 0x58, *range(0x61, 0x68), *range(0xC0, 0xC5), 0xFE, 0xFF)
    assert sorted(const.STATUS_NAMES) == sorted((*table, *range(0x100, 0x113)))


def test_the_unknown_shows_its_number():
    """What has no name is shown in hex, never raises: vendors use statuses 0x400 to 0x4FF and any 32 bits may come."""
    assert const.status_name(0x400) == "0x00000400"
    assert const.status_name(0xFFFFFFFF) == "0xffffffff"
    assert const.command_name(0x00010200) == "0x00010200"
    assert const.tag_name(0x1400) == "0x1400"
    assert const.state_name(17) == "17"


def test_states_have_the_names_of_the_specification():
    """message_state 0 to 9, as 5.0 §4.7.15 names them."""
    names = "SCHEDULED ENROUTE DELIVERED EXPIRED DELETED UNDELIVERABLE ACCEPTED UNKNOWN REJECTED SKIPPED"
    assert [const.state_name(number) for number in range(10)] == names.split()


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (const.ESME_ROK, StatusClass.OK),
        (const.ESME_RTHROTTLED, StatusClass.THROTTLE),
        (const.ESME_RMSGQFUL, StatusClass.THROTTLE),
        (const.ESME_RSYSERR, StatusClass.TEMPORARY),
        (const.ESME_RX_T_APPN, StatusClass.TEMPORARY),
        (const.ESME_RINVBNDSTS, StatusClass.SESSION),
        (const.ESME_RINVPASWD, StatusClass.SESSION),
        (const.ESME_RINVDSTADR, StatusClass.PERMANENT),
        (const.ESME_RSUBMITFAIL, StatusClass.PERMANENT),
        (0x400, StatusClass.PERMANENT),
        (0xFFFFFFFF, StatusClass.PERMANENT),
    ],
)
def test_a_status_tells_what_to_do(status: int, meaning: StatusClass):
    """Temporary, throttle and session statuses are known by number; every other one is final for the message (item 196)."""
    assert const.status_class(status) is meaning


@pytest.mark.parametrize(
    ("status", "version", "sent"),
    [
        (const.ESME_RSERTYPUNAUTH, const.V34, const.ESME_RINVSERTYP),
        (const.ESME_RPROHIBITED, const.V34, const.ESME_RSUBMITFAIL),
        (const.ESME_RSERTYPUNAVAIL, const.V34, const.ESME_RINVSERTYP),
        (const.ESME_RSERTYPDENIED, const.V34, const.ESME_RSUBMITFAIL),
        (const.ESME_RINVDCS, const.V34, const.ESME_RSUBMITFAIL),
        (const.ESME_RPROHIBITED, const.V50, const.ESME_RPROHIBITED),
        (const.ESME_RINVOPTPARSTREAM, const.V34, const.ESME_RINVOPTPARSTREAM),
        (const.ESME_RMISSINGOPTPARAM, const.V33, const.ESME_RSUBMITFAIL),
        (const.ESME_RTHROTTLED, const.V33, const.ESME_RTHROTTLED),
        (0x400, const.V33, 0x400),
        (0x4FF, const.V34, 0x4FF),
        (const.ESME_ROK, 0, const.ESME_ROK),
    ],
)
def test_a_session_gets_only_statuses_of_its_version(status: int, version: int, sent: int):
    """5.0's statuses become those of 3.4 on a 3.4 session, the TLV statuses go to none of 3.3, vendors' pass (item 194)."""
    assert const.status_for_version(status, version) == sent


@pytest.mark.parametrize("version", [0, const.V33, const.V34, const.V50])
def test_no_status_is_mapped_to_success(version: int):
    """No mapping turns a refusal into ESME_ROK, and mapping twice changes nothing more."""
    for status in const.STATUS_NAMES:
        sent = const.status_for_version(status, version)
        assert (sent == const.ESME_ROK) is (status == const.ESME_ROK)
        assert const.status_for_version(sent, version) == sent
