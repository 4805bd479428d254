"""298 PDUs from the tests of other SMPP libraries, read, compared and built again.

The file is no part of this repository; where it is absent the tests are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smsgw.smpp import bodies, const, multi, pdu, tlv
from smsgw.smpp.pdu import BadPdu
from smsgw.smpp.session import Role, Session, SessionSettings

FILE = Path(__file__).resolve().parents[2] / ".." / "shared" / "vectors" / "pdu_vectors.jsonl"
COUNT = 298

READERS: dict[int, Callable[[bytes], Any]] = {
    const.SUBMIT_SM: pdu.read_sm,
    const.DELIVER_SM: pdu.read_sm,
    const.DATA_SM: pdu.read_data_sm,
    const.QUERY_SM: bodies.read_query_sm,
    const.QUERY_SM_RESP: bodies.read_query_sm_resp,
    const.CANCEL_SM: bodies.read_cancel_sm,
    const.REPLACE_SM: bodies.read_replace_sm,
    const.SUBMIT_MULTI: multi.read_submit_multi,
    const.SUBMIT_MULTI_RESP: multi.read_submit_multi_resp,
    const.ALERT_NOTIFICATION: bodies.read_alert_notification,
    const.OUTBIND: bodies.read_outbind,
    **dict.fromkeys((const.BIND_RECEIVER, const.BIND_TRANSMITTER, const.BIND_TRANSCEIVER), bodies.read_bind),
    **dict.fromkeys((const.BIND_RECEIVER_RESP, const.BIND_TRANSMITTER_RESP, const.BIND_TRANSCEIVER_RESP), bodies.read_bind_resp),
    **dict.fromkeys((const.SUBMIT_SM_RESP, const.DELIVER_SM_RESP, const.DATA_SM_RESP), bodies.read_response),
}

# Called valid by their sources, refused here: number of the vector, status, why.
REFUSED = {
    11: (const.ESME_RINVPASWD, "a password of 9 octets"),
    15: (const.ESME_RINVCMDLEN, "a query_sm_resp without its error_code"),
    52: (const.ESME_RINVMSGLEN, "a sm_length of 16 before 8 octets"),
    133: (const.ESME_RINVEXPIRY, "a final_date in words"),
    140: (const.ESME_RINVDSTADR, "a line feed in the place of a NUL: an address of 28 octets"),
}
# Called invalid by their sources, read here: number of the vector, why.
READ = {
    61: "a message_id without its NUL (item 152)",
    145: "a bind_resp with loose octets (item 92)",
    153: "a bind_resp with loose octets (item 92)",
    155: "a bind_resp with loose octets (item 92)",
    226: "a bind_resp with half a TLV (item 92)",
    280: "a data_sm_resp that its source wants refused for its status (item 167)",
    281: "a numbering plan that is reserved (item 78)",
    282: "a numbering plan that is reserved (item 78)",
}
# Whole by their sources, but with octets behind the mandatory fields that are no TLVs: number of the vector, status, why.
BROKEN_TLVS = {
    66: (0xC0, "a receipted_message_id that says 65 octets and has 5; the lenient walk finds message_state before it"),
    137: (0xC0, "a loose NUL behind short_message, as some providers send (item 92)"),
    160: (0xC0, "a loose NUL behind short_message, as some providers send (item 92)"),
}
# Whole by their sources, with octets behind fields that nothing may follow: number of the vector, why.
TRAILING = {
    130: "a NUL behind short_message",
    141: "a count of 0 and the octets of one more destination",
}
# Names that the sources give to fields, and what they are here.
FIELDS = {
    "source_addr": "source",
    "source_address": "source",
    "source_address.address": "source",
    "source_address.ton": "source_ton",
    "source_address.npi": "source_npi",
    "destination_addr": "dest",
    "destination_address": "dest",
    "dest_address": "dest",
    "dest_address.address": "dest",
    "dest_address.ton": "dest_ton",
    "dest_address.npi": "dest_npi",
    "esme_addr": "esme",
    "schedule_delivery_time": "schedule",
    "validity_period": "validity",
    "replace_if_present": "replace",
    "short_message_length": "sm_length",
}
HEADER_FIELDS = {"command_length", "command_id", "command_status", "sequence_number"}


@pytest.fixture(scope="module")
def vectors() -> list[dict[str, Any]]:
    """The vectors, in the order of the file."""
    if not FILE.exists():
        pytest.skip("the vectors of other libraries are not there")
    with FILE.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def whole(vectors: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any], bytes]]:
    """Those whose command_length is true: what a session would hand to a reader."""
    for number, vector in enumerate(vectors):
        octets = bytes.fromhex(vector["hex"])
        if vector["header"]["command_length"] == len(octets):
            yield number, vector, octets


def test_headers(vectors: list[dict[str, Any]]):
    """Each header is read as its source reads it."""
    names = ("command_length", "command_id", "command_status", "sequence_number")
    for vector in vectors:
        assert dict(zip(names, pdu.HEADER.unpack_from(bytes.fromhex(vector["hex"])), strict=True)) == vector["header"]
    assert len(vectors) == COUNT


def test_names(vectors: list[dict[str, Any]]):
    """Each command has the name that its source gives it, and no other has one."""
    for vector in vectors:
        command = vector["header"]["command_id"]
        name = const.command_name(command)
        assert name == (f"0x{command:08x}" if vector["command"] == "unknown" else vector["command"])


def test_no_octets_raise_anything_but_bad_pdu(vectors: list[dict[str, Any]]):
    """Each vector, and each of its beginnings, given to each reader, is a value or a BadPdu."""
    readers = set(READERS.values())
    read = refused = 0
    for vector in vectors:
        octets = bytes.fromhex(vector["hex"])
        for reader in readers:
            for end in {*range(16, len(octets), 7), len(octets)}:
                try:
                    reader(octets[:end])
                    read += 1
                except BadPdu as error:
                    assert error.status in const.STATUS_NAMES  # noqa: PT017 - counted, not expected
                    refused += 1
    assert read > COUNT
    assert refused > COUNT


def test_no_octets_raise_in_a_session(vectors: list[dict[str, Any]]):
    """A session of either role takes each vector as its first octets, and answers or ends; it never raises."""
    for vector in vectors:
        for role in Role:
            session = Session(role, SessionSettings(), 0.0)
            assert isinstance(session.receive(bytes.fromhex(vector["hex"]), 1.0), list)


def test_verdicts(vectors: list[dict[str, Any]]):
    """What its source calls valid is read, the rest is refused; the exceptions are listed above, each with its reason."""
    wrong = []
    for number, vector, octets in whole(vectors):
        reader = READERS.get(vector["header"]["command_id"])
        if reader is None:
            continue
        try:
            reader(octets)
            status = None
        except BadPdu as error:
            status = error.status
        expected = REFUSED[number][0] if number in REFUSED else None
        if number not in READ and not vector["valid"]:
            expected = status or -1
        if status != expected:
            wrong.append((number, vector["command"], status))
    assert wrong == []


def test_expected_fields(vectors: list[dict[str, Any]]):
    """The fields that the sources expect, and those on which four decoders agree, have these values here."""
    compared = 0
    for number, vector, octets in whole(vectors):
        reader = READERS.get(vector["header"]["command_id"])
        if reader is None or number in REFUSED or not (vector["valid"] or number in READ):
            continue
        read = reader(octets)
        expected = {**vector["expected"], **(vector.get("consensus") or {})}
        for name, value in expected.items():
            found = _found(read, octets, name, value)
            if found is not None:
                compared += 1
                assert found == value, (number, name)
    assert compared > 300


def _found(read: Any, octets: bytes, name: str, value: object) -> object:
    """The value of a field under its source's name, in its source's form; None where it is no field, or only a name."""
    if name in HEADER_FIELDS or (isinstance(value, str) and "." in value and not value.isdigit()):
        return None
    if name == "receipted_message_id":
        return (tlv.find(octets, read.tlv_at, const.TAG_RECEIPTED_MESSAGE_ID) or b"").rstrip(b"\0").decode()
    if name == "optional_parameter_count":
        return len(list(tlv.iterate(octets, read.tlv_at)))
    if name == "short_message":
        return octets[read.sm_at : read.tlv_at].decode("latin-1")
    if name == "no":  # what the source calls the first address in the list
        return (read.destinations if hasattr(read, "destinations") else read.unsuccessful)[0].address.decode()
    found = getattr(read, FIELDS.get(name, name), None)
    return found.decode() if isinstance(found, bytes) else found


def test_tlvs_walk_to_the_end(vectors: list[dict[str, Any]]):
    """Behind the mandatory fields of each valid PDU stands nothing, or whole TLVs of known lengths; exceptions are above."""
    walked, broken = 0, set()
    for number, vector, octets in whole(vectors):
        reader = READERS.get(vector["header"]["command_id"])
        if reader is None or not vector["valid"] or number in REFUSED:
            continue
        at = getattr(reader(octets), "tlv_at", len(octets))
        try:
            tlv.check_known(octets, at)
        except BadPdu as error:
            broken.add((number, error.status))
        walked += at < len(octets)
    assert broken == {(number, status) for number, (status, _) in BROKEN_TLVS.items()}
    assert walked > 20


def test_built_again(vectors: list[dict[str, Any]]):
    """Each valid PDU is built again, octet by octet, from the fields that were read; the exceptions are listed above."""
    built, different = 0, set()
    for number, vector, octets in whole(vectors):
        header = vector["header"]
        reader = READERS.get(header["command_id"])
        if reader is None or not vector["valid"] or number in REFUSED:
            continue
        body = _body(header["command_id"], reader(octets), octets)
        if body is not None:
            built += 1
            if pdu.encode(header["command_id"], header["command_status"], header["sequence_number"], body) != octets:
                different.add(number)
    assert different == set(TRAILING)
    assert built > 80


def _body(command: int, read: Any, octets: bytes) -> bytes | None:
    """The body that the builder of this command makes of the fields; None for responses, which may lack theirs."""
    fields = {name: value for name, value in read._asdict().items() if not name.endswith("_at") and name != "sm_length"}
    if command in {const.SUBMIT_SM, const.DELIVER_SM}:
        return pdu.sm_body(**fields, short_message=octets[read.sm_at : read.tlv_at], tlvs=octets[read.tlv_at :])
    if hasattr(read, "tlv_at"):
        fields["tlvs"] = octets[read.tlv_at :]
    builders: dict[int, Callable[..., bytes]] = {
        const.DATA_SM: pdu.data_sm_body,
        const.BIND_RECEIVER: bodies.bind_body,
        const.BIND_TRANSMITTER: bodies.bind_body,
        const.BIND_TRANSCEIVER: bodies.bind_body,
        const.OUTBIND: bodies.outbind_body,
        const.QUERY_SM: bodies.query_sm_body,
        const.QUERY_SM_RESP: bodies.query_sm_resp_body,
        const.CANCEL_SM: bodies.cancel_sm_body,
        const.REPLACE_SM: bodies.replace_sm_body,
        const.SUBMIT_MULTI: multi.submit_multi_body,
        const.SUBMIT_MULTI_RESP: multi.submit_multi_resp_body,
        const.ALERT_NOTIFICATION: bodies.alert_notification_body,
    }
    return builders[command](**fields) if command in builders else None
