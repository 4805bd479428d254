from __future__ import annotations

from dataclasses import replace

from smsgw.sim.carrier import Carrier
from smsgw.sim.settings import CarrierSettings
from smsgw.sim.tenant import Tenant
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import read_sm, sm_body
from tests.sim.ends import exchange, settled

KEEP = CarrierSettings(keep_bodies=10, verify=True, keep=True)


async def test_the_last_bodies_are_kept_octet_for_octet() -> None:
    """`ledger.bodies` holds the last submit_sm as they came."""
    body = sm_body(source=b"1000", dest=b"8613800000000", short_message=b"\x05\x00\x03\x07\x02\x01\0\xff", esm_class=0x40)
    body += tlv.append(0x1400, b"\xff\0\x01")
    carrier = Carrier(KEEP)
    async with carrier.listening() as (_, port):
        await Tenant(settled(port, sessions=1, count=12, linger_s=0.05), compose=lambda _: body).run()
    assert [octets[16:] for octets in carrier.ledger.bodies] == [body] * 10


async def test_texts_are_found_behind_headers_and_in_payloads() -> None:
    """A UDH before the text and a message_payload instead of it are seen through."""
    texts = (b"#0000000000 mnop", b"#0000000001 nopq")
    bodies = (
        sm_body(source=b"1", dest=b"2", short_message=b"\x05\x00\x03\x07\x01\x01" + texts[0], esm_class=0x40),
        sm_body(source=b"1", dest=b"2", tlvs=tlv.append(const.TAG_MESSAGE_PAYLOAD, texts[1])),
    )
    carrier = Carrier(KEEP)
    async with carrier.listening() as (_, port):
        tenant = Tenant(settled(port, sessions=1, count=2, linger_s=0.05), compose=lambda index: bodies[index])
        await tenant.run()
    assert (carrier.ledger.seen.good, carrier.ledger.seen.bad) == (2, 0)


async def test_a_malformed_message_is_answered_and_not_taken() -> None:
    """A submit_sm whose text is cut short gets an error status; the session goes on."""
    good = sm_body(source=b"1", dest=b"2", short_message=b"#0000000001 nopq", registered_delivery=0)
    carrier = Carrier(KEEP)
    async with carrier.listening() as (_, port):
        settings = settled(port, sessions=1, window=1, count=2, registered_delivery=0)
        report = await Tenant(settings, compose=lambda index: good if index else good[:-3]).run()
    assert (carrier.ledger.malformed, report["ok"], carrier.ledger.seen.good) == (1, 1, 1)


async def test_the_addresses_of_a_receipt_change_places() -> None:
    """The receipt comes from the destination, to the source, TON and NPI included."""
    seen = []
    carrier = Carrier(replace(KEEP, receipt_delay_ms=1))
    body = sm_body(
        source=b"ACME", source_ton=5, dest=b"8613800000000", dest_ton=1, dest_npi=1, short_message=b"hi", registered_delivery=1
    )
    async with carrier.listening() as (_, port):
        tenant = Tenant(settled(port, sessions=1, count=1), compose=lambda _: body)
        original = tenant.on_receipt
        tenant.on_receipt = lambda found, sm: (seen.append(sm), original(found, sm))[1]  # type: ignore[method-assign]
        await tenant.run()
    sm = seen[0]
    assert (sm.source, sm.source_ton, sm.source_npi, sm.dest, sm.dest_ton) == (b"8613800000000", 1, 1, b"ACME", 5)


async def test_an_old_peer_is_not_told_a_version() -> None:
    """A bind with SMPP 3.3 is answered without sc_interface_version and served."""
    carrier, _, report = await exchange(KEEP, version=const.V33, count=5)
    assert report["matched"] == 5
    assert carrier.ledger.ok == 5


async def test_a_receipt_quotes_text_only_where_it_can() -> None:
    """The receipt of a UCS-2 message quotes nothing, for its own text is of one octet a character."""
    quoted = []
    carrier = Carrier(KEEP)
    body = sm_body(source=b"1", dest=b"2", short_message="你好".encode("utf-16-be"), data_coding=8, registered_delivery=1)
    async with carrier.listening() as (_, port):
        tenant = Tenant(settled(port, sessions=1, count=1), compose=lambda _: body)
        original = tenant.on_receipt
        tenant.on_receipt = lambda found, sm: (quoted.append(found.text), original(found, sm))[1]  # type: ignore[method-assign]
        await tenant.run()
    assert quoted == [b""]
    assert read_sm(carrier.ledger.bodies[0]).data_coding == 8
