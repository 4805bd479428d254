from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import aiosmpplib
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smsgw.smpp import bodies, const, multi, pdu, tlv
from smsgw.smpp.multi import DISTRIBUTION_LIST, SME, Destination, Unsuccessful
from smsgw.smpp.pdu import BadPdu, Sm, encode
from smsgw.smpp.session import SessionState
from tests.mutants import good_pdus, mutated, open_session, read_whole

MUTATIONS = 1_000_000 if os.environ.get("SMSGW_FUZZ") == "full" else 10_000

READERS: dict[str, Callable[[bytes], Any]] = {
    "read_sm": pdu.read_sm,
    "read_sm of 5.0": lambda octets: pdu.read_sm(octets, const.V50),
    "read_data_sm": pdu.read_data_sm,
    "read_message_id": pdu.read_message_id,
    "read_bind": bodies.read_bind,
    "read_bind_resp": bodies.read_bind_resp,
    "read_outbind": bodies.read_outbind,
    "read_response": bodies.read_response,
    "read_query_sm": bodies.read_query_sm,
    "read_query_sm_resp": bodies.read_query_sm_resp,
    "read_cancel_sm": bodies.read_cancel_sm,
    "read_replace_sm": bodies.read_replace_sm,
    "read_submit_multi": multi.read_submit_multi,
    "read_submit_multi_resp": multi.read_submit_multi_resp,
    "read_alert_notification": bodies.read_alert_notification,
    "check_known": lambda octets: tlv.check_known(octets, 16),
}
NEVER_REFUSING = {"read_message_id", "read_bind_resp", "read_response"}

OCTET = st.integers(0, 255)


def string(longest: int) -> st.SearchStrategy[bytes]:
    """A C-octet string without its NUL: any octets but NUL."""
    return st.binary(max_size=longest).map(lambda octets: octets.replace(b"\0", b"\xff"))


TIME = st.sampled_from([b"", b"241125023000000+", b"000002000000000R", b"\xff" * 16])
TLVS = st.lists(st.builds(tlv.append, st.integers(0, 0xFFFF), st.binary(max_size=12)), max_size=4).map(b"".join)
MESSAGE_FIELDS = {
    "service_type": string(5),
    **dict.fromkeys(("source_ton", "source_npi", "dest_ton", "dest_npi"), OCTET),
    **dict.fromkeys(("source", "dest"), string(20)),
    **dict.fromkeys(("esm_class", "protocol_id", "priority", "registered_delivery", "replace", "data_coding"), OCTET),
    "default_msg_id": OCTET,
    **dict.fromkeys(("schedule", "validity"), TIME),
}
MESSAGE = st.fixed_dictionaries(MESSAGE_FIELDS)
ANY_BODY = st.one_of(
    st.binary(max_size=120),
    st.binary(max_size=60).map(lambda octets: bytes(octet if octet & 1 else 0 for octet in octets)),
    st.builds(lambda fields, end: pdu.sm_body(**fields, short_message=b"hello")[:end], MESSAGE, st.integers(0, 90)),
)


@pytest.mark.parametrize("name", READERS)
@given(body=ANY_BODY, command=st.sampled_from([const.SUBMIT_SM, const.DELIVER_SM]))
def test_any_octets_are_a_value_or_a_bad_pdu(name: str, body: bytes, command: int):
    """Each reader gives a value or BadPdu with a status that has a name, and no other exception."""
    try:
        READERS[name](encode(command, 0, 1, body))
    except BadPdu as error:
        assert error.status in const.STATUS_NAMES  # noqa: PT017 - either outcome is right
        assert name not in NEVER_REFUSING


@given(fields=MESSAGE, message=st.binary(max_size=254), tlvs=TLVS, command=st.sampled_from([const.SUBMIT_SM, const.DELIVER_SM]))
def test_messages_round_trip(fields: dict[str, Any], message: bytes, tlvs: bytes, command: int):
    """Whatever legal fields are built are read again, and the offsets part the octets where the fields stand."""
    octets = encode(command, 0, 1, pdu.sm_body(**fields, short_message=message, tlvs=tlvs))
    sm = pdu.read_sm(octets)
    assert {name: getattr(sm, name) for name in fields} == fields
    assert (sm.sm_length, octets[sm.sm_at : sm.tlv_at], octets[sm.tlv_at :]) == (len(message), message, tlvs)
    assert octets[sm.source_at : sm.source_at + 2] == bytes((sm.source_ton, sm.source_npi))
    assert octets[sm.esm_at : sm.esm_at + 3] == bytes((sm.esm_class, sm.protocol_id, sm.priority))
    assert octets[sm.registered_at : sm.registered_at + 2] == bytes((sm.registered_delivery, sm.replace))


@given(body=ANY_BODY, command=st.sampled_from([const.SUBMIT_SM, const.DELIVER_SM]), version=st.sampled_from([0x34, 0x50]))
def test_what_is_read_loses_nothing(body: bytes, command: int, version: int):
    """Whatever octets are accepted, their fields build the same octets again: nothing is guessed, nothing dropped."""
    octets = encode(command, 0, 1, body)
    try:
        sm = pdu.read_sm(octets, version)
    except BadPdu:
        return
    fields = {name: getattr(sm, name) for name in Sm._fields[:16]}
    built = pdu.sm_body(**fields, short_message=octets[sm.sm_at : sm.tlv_at], tlvs=octets[sm.tlv_at :])
    assert built == body


DATA = {name: MESSAGE_FIELDS[name] for name in MESSAGE_FIELDS if name in pdu.DataSm._fields}
ADDRESS = {"source_ton": OCTET, "source_npi": OCTET, "source": string(20)}
DEST = {"dest_ton": OCTET, "dest_npi": OCTET, "dest": string(20)}
NUMBER = st.tuples(OCTET, OCTET, string(20))
PAIRS: dict[str, tuple[Callable[..., bytes], Callable[[bytes], Any], dict[str, st.SearchStrategy[Any]]]] = {
    "data_sm": (pdu.data_sm_body, pdu.read_data_sm, {**DATA, "source": string(64), "dest": string(64)}),
    "bind": (
        bodies.bind_body,
        bodies.read_bind,
        {
            "system_id": string(15),
            "password": string(8),
            "system_type": string(12),
            "address_range": string(40),
            **dict.fromkeys(("interface_version", "addr_ton", "addr_npi"), OCTET),
        },
    ),
    "outbind": (bodies.outbind_body, bodies.read_outbind, {"system_id": string(15), "password": string(8)}),
    "query_sm": (bodies.query_sm_body, bodies.read_query_sm, {"message_id": string(64), **ADDRESS}),
    "query_sm_resp": (
        bodies.query_sm_resp_body,
        bodies.read_query_sm_resp,
        {"message_id": string(64), "final_date": TIME, "message_state": OCTET, "error_code": OCTET},
    ),
    "cancel_sm": (
        bodies.cancel_sm_body,
        bodies.read_cancel_sm,
        {"service_type": string(5), "message_id": string(64), **ADDRESS, **DEST},
    ),
    "replace_sm": (
        bodies.replace_sm_body,
        bodies.read_replace_sm,
        {
            "message_id": string(64),
            **ADDRESS,
            "schedule": TIME,
            "validity": TIME,
            "registered_delivery": OCTET,
            "default_msg_id": OCTET,
            "short_message": st.binary(max_size=254),
        },
    ),
    "submit_multi": (
        multi.submit_multi_body,
        multi.read_submit_multi,
        {
            **{name: how for name, how in MESSAGE_FIELDS.items() if not name.startswith("dest")},
            "short_message": st.binary(max_size=254),
            "destinations": st.lists(
                st.one_of(
                    NUMBER.map(lambda number: Destination(SME, *number)),
                    string(20).map(lambda name: Destination(DISTRIBUTION_LIST, 0, 0, name)),
                ),
                min_size=1,
                max_size=6,
            ).map(tuple),
        },
    ),
    "submit_multi_resp": (
        multi.submit_multi_resp_body,
        multi.read_submit_multi_resp,
        {
            "message_id": string(64),
            "unsuccessful": st.lists(
                st.builds(lambda number, error: Unsuccessful(*number, error), NUMBER, st.integers(0, 0xFFFFFFFF)), max_size=4
            ).map(tuple),
        },
    ),
    "alert_notification": (
        bodies.alert_notification_body,
        bodies.read_alert_notification,
        {"source": string(64), "esme": string(64), **dict.fromkeys(("source_ton", "source_npi", "esme_ton", "esme_npi"), OCTET)},
    ),
}


@pytest.mark.parametrize("name", PAIRS)
@given(data=st.data())
def test_cold_bodies_round_trip(name: str, data: st.DataObject):
    """Whatever legal fields are built are read again."""
    build, read, strategies = PAIRS[name]
    fields = data.draw(st.fixed_dictionaries(strategies))
    found = read(encode(const.QUERY_SM, 0, 1, build(**fields)))._asdict()
    assert {field: found[field] for field in fields} == fields


@given(octets=st.binary(max_size=80), at=st.integers(0, 10))
@example(octets=tlv.append(1, b"") * 3, at=0)
def test_a_stream_of_tlvs_loses_nothing(octets: bytes, at: int):
    """The lenient walk meets what the strict one meets, and what it meets is what stands there, in its order."""
    lenient = list(tlv.iterate_lenient(octets, at))
    again = b"".join(tlv.append(tag, octets[value_at : value_at + length]) for tag, value_at, length in lenient)
    assert octets[at:].startswith(again)
    try:
        strict = list(tlv.iterate(octets, at))
    except BadPdu:
        assert len(again) < len(octets[at:])
        return
    assert strict == lenient
    assert again == octets[at:]


@given(tlvs=TLVS, loose=st.binary(max_size=3), tag=st.integers(0, 0xFFFF), value=st.binary(max_size=9), data=st.data())
def test_replacing_changes_nothing_else(tlvs: bytes, loose: bytes, tag: int, value: bytes, data: st.DataObject):
    """After a replacement the same tags stand in the same order, those of the tag with the new value, loose octets kept."""
    octets = tlvs + loose
    before = [(found, octets[at : at + length]) for found, at, length in tlv.iterate_lenient(octets)]
    if before:
        tag = data.draw(st.sampled_from([found for found, _ in before] + [tag]))
    after = tlv.replace(octets, 0, tag, value)
    expected = b"".join(tlv.append(found, value if found == tag else old) for found, old in before)
    assert after == expected + octets[len(b"".join(tlv.append(*one) for one in before)) :]
    assert tlv.find(after, 0, tag) == (value if any(found == tag for found, _ in before) else None)


# ---- an independent library as the judge, in the part of SMPP that it speaks -------------------------------------------------
ASCII = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
PEER_MESSAGE = st.fixed_dictionaries(
    {
        "short_message": st.text("abc ABC 0189 @£$¥èéùì€[]{}", min_size=1, max_size=100),
        "source": st.builds(
            aiosmpplib.PhoneNumber, st.text(ASCII, max_size=20), st.sampled_from(aiosmpplib.TON), st.sampled_from(aiosmpplib.NPI)
        ),
        "destination": st.builds(
            aiosmpplib.PhoneNumber, st.text(ASCII, max_size=20), st.sampled_from(aiosmpplib.TON), st.sampled_from(aiosmpplib.NPI)
        ),
        "service_type": st.text(ASCII, max_size=5),
        "esm_class": st.sampled_from([0, 1, 2, 3, 4, 0x20, 0x80]),
        "protocol_id": OCTET,
        "priority_flag": st.integers(0, 3),
        "validity_period": st.none() | st.timedeltas(timedelta(0), timedelta(days=29)),
        "registered_delivery": OCTET,
        "replace_if_present_flag": st.integers(0, 1),
        "sm_default_msg_id": OCTET,
        "optional_params": st.lists(
            st.builds(aiosmpplib.OptionalParam, st.sampled_from([0x0204, 0x020A, 0x020B]), st.integers(0, 0xFFFF)), max_size=3
        ),
    }
)


@given(fields=PEER_MESSAGE, kind=st.sampled_from([aiosmpplib.SubmitSm, aiosmpplib.DeliverSm]))
def test_what_another_library_builds_is_read(fields: dict[str, Any], kind: type[aiosmpplib.SubmitSm]):
    """aiosmpplib's PDU is read with the fields it was made of."""
    made = kind(sequence_num=7, **fields)
    octets = made.pdu()
    sm = pdu.read_sm(octets)
    for address, ton, npi, number in (
        (made.source, sm.source_ton, sm.source_npi, sm.source),
        (made.destination, sm.dest_ton, sm.dest_npi, sm.dest),
    ):
        assert (int(address.ton), int(address.npi), address.number) == (ton, npi, number.decode())
    assert sm.service_type.decode() == made.service_type
    assert (sm.esm_class, sm.protocol_id, sm.priority) == (made.esm_class, made.protocol_id, made.priority_flag)
    assert (sm.registered_delivery, sm.replace) == (made.registered_delivery, made.replace_if_present_flag)
    assert (sm.schedule, sm.validity.decode()) == (b"", made.datetime_to_smpp_time(made.validity_period))
    assert (sm.default_msg_id, sm.data_coding) == (made.sm_default_msg_id, 0)
    assert octets[sm.sm_at : sm.tlv_at] == made.smpp_encode(made.short_message)
    tags = [(tag, int.from_bytes(octets[at : at + length], "big")) for tag, at, length in tlv.iterate(octets, sm.tlv_at)]
    assert tags == [(one.tag, one.value) for one in made.optional_params or []]


@given(fields=PEER_MESSAGE)
def test_what_we_build_another_library_reads(fields: dict[str, Any]):
    """A submit_sm built here is read by aiosmpplib as its own."""
    theirs = aiosmpplib.SubmitSm(sequence_num=7, **fields)
    octets = theirs.pdu()
    sm = pdu.read_sm(octets)
    kept = {name: getattr(sm, name) for name in Sm._fields[:16]}
    body = pdu.sm_body(**kept, short_message=octets[sm.sm_at : sm.tlv_at], tlvs=octets[sm.tlv_at :])
    ours = encode(const.SUBMIT_SM, 0, 7, body)
    assert ours == octets
    read = aiosmpplib.SubmitSm.from_pdu(ours, aiosmpplib.SubmitSm.parse_header(ours[:16]), "gsm0338")
    assert isinstance(read, aiosmpplib.SubmitSm)
    assert (read.short_message, read.source, read.destination) == (theirs.short_message, theirs.source, theirs.destination)


@given(
    system_id=st.text(ASCII, max_size=15),
    password=st.text(ASCII, max_size=8),
    system_type=st.text(ASCII, max_size=12),
    address_range=st.text(ASCII, max_size=40),
    version=OCTET,
)
def test_binds_are_those_of_another_library(system_id: str, password: str, system_type: str, address_range: str, version: int):
    """A bind built here has the octets that aiosmpplib gives the same fields."""
    theirs = aiosmpplib.BindTransceiver(
        sequence_num=3,
        system_id=system_id,
        password=password,
        system_type=system_type,
        interface_version=version,
        address_range=address_range,
    )
    body = bodies.bind_body(
        system_id=system_id.encode(),
        password=password.encode(),
        system_type=system_type.encode(),
        interface_version=version,
        address_range=address_range.encode(),
    )
    assert encode(const.BIND_TRANSCEIVER, 0, 3, body) == theirs.pdu()


# ---- mutated PDUs ------------------------------------------------------------------------------------------------------------
def test_mutated_pdus_are_read_or_refused():
    """Each mutated PDU, read by the reader of its command, is a value or a BadPdu, its TLVs and its receipt included."""
    dice = random.Random(1999)
    good = 0
    for octets, _ in zip(mutated(dice, good_pdus()), range(MUTATIONS), strict=False):
        good += read_whole(octets, int.from_bytes(octets[4:8], "big"))
    assert MUTATIONS // 5 < good < MUTATIONS * 4 // 5


def test_mutated_pdus_harm_nothing():
    """Mutated PDUs, many to a session, are read, answered or end their session; no exception escapes, no answer is owed twice."""
    dice = random.Random(2026)
    stream = mutated(dice, good_pdus())
    session = open_session(dice)
    good = bad = ended = answers = 0
    for count in range(MUTATIONS):
        for request in session.receive(next(stream), float(count)):
            whole = read_whole(request.octets, request.command)
            if request.context is not None:
                answers += 1
                continue
            good, bad = good + whole, bad + 1 - whole
            if request.command in {const.ALERT_NOTIFICATION, const.OUTBIND}:
                session.unanswerable()
            else:
                session.respond(request, 0 if whole else const.ESME_RSYSERR)
        assert session.unanswered == 0
        session.out.clear()
        waiting = session.timers.partial_since and not dice.randrange(3)
        if session.closing or session.state is SessionState.CLOSED or waiting or not dice.randrange(200):
            ended += 1
            session = open_session(dice)
    assert min(good, bad, ended, answers) > MUTATIONS // 100
