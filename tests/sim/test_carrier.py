from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from smsgw.sim.carrier import Carrier
from smsgw.sim.fates import Shares
from smsgw.sim.settings import CarrierSettings
from smsgw.sim.tenant import BindRefused, Tenant
from smsgw.smpp.pdu import sm_body
from tests.sim.ends import exchange, settled, until

VERIFY = CarrierSettings(verify=True, keep=True)


async def test_every_message_gets_an_id_and_one_receipt() -> None:
    """The plain case: all taken, each text seen once, each receipt answered for."""
    carrier, _, report = await exchange(VERIFY)
    ledger = carrier.ledger
    assert (report["ok"], report["matched"], report["integrity_errors"]) == (200, 200, 0)
    assert (ledger.seen.good, ledger.seen.bad, ledger.seen.duplicates, ledger.seen.missing()) == (200, 0, 0, 0)
    assert set(ledger.taken) == set(ledger.acknowledged) == set(range(1, 201))


async def test_delays_of_answers_and_receipts_are_kept() -> None:
    """An answer takes its delay, the receipt its own on top of it."""
    _, _, report = await exchange(replace(VERIFY, response_delay_ms=20, receipt_delay_ms=60), count=10)
    assert report["matched"] == 10
    assert 20 <= report["response_ms"]["p50"] < 80 <= report["receipt_ms"]["p50"]


async def test_errors_vendor_statuses_and_throttling_are_answered() -> None:
    """Shares of errors come back as their statuses and nothing of them is taken."""
    shares = Shares(errors={0x45: 0.2, 0x400: 0.2}, throttled=0.2)
    carrier, _, report = await exchange(replace(VERIFY, shares=shares))
    assert set(report["statuses"]) == {"0x45", "0x58", "0x400"}
    assert report["ok"] == carrier.ledger.ok == carrier.ledger.seen.good == 200 - sum(report["statuses"].values())
    assert carrier.ledger.throttled + sum(carrier.ledger.refused.values()) == 200 - report["ok"]


async def test_over_its_rate_the_carrier_throttles() -> None:
    """A burst over the rate is answered ESME_RTHROTTLED, and what is sent again later is taken."""
    carrier, _, report = await exchange(replace(VERIFY, rate=400), count=100, retry_throttled=True, throttle_pause_s=0.02)
    assert report["statuses"]["0x58"] == carrier.ledger.throttled > 0
    assert carrier.ledger.seen.good == 100
    assert carrier.ledger.seen.missing() == 0


async def test_over_its_window_the_carrier_throttles() -> None:
    """With more unanswered than its window, a bind is answered ESME_RTHROTTLED."""
    carrier, _, report = await exchange(replace(VERIFY, window=3, response_delay_ms=5), sessions=1, window=10, count=20)
    assert report["statuses"]["0x58"] > 0
    assert carrier.ledger.most_unanswered == 3


async def test_ids_differ_in_notation_between_answer_and_receipt() -> None:
    """Hexadecimal in submit_sm_resp, decimal in receipts: a tenant that compares octets matches none with a letter in it."""
    settings = replace(VERIFY, id_style="hex8", receipt_id_style="dec", id_start=10)
    _, end, _ = await exchange(settings, count=3, linger_s=0.1)
    assert set(end.ledger.acknowledged()) == {b"0000000a", b"0000000b", b"0000000c"}
    assert set(end.ledger.early) == {b"10", b"11", b"12"}


async def test_early_late_duplicate_and_stray_receipts() -> None:
    """Receipts may overtake the answer, come later, twice, or for an id that was never given."""
    shares = Shares(early=0.5, late=0.3, duplicate=0.2, stray=0.1)
    settings = replace(VERIFY, shares=shares, response_delay_ms=5, late_receipt_ms=100)
    carrier, end, report = await exchange(settings, linger_s=0.5)
    assert report["matched"] == 200
    assert report["duplicates"] > 10
    assert len(end.ledger.early) > 5
    assert carrier.ledger.receipts_sent == 200 + report["duplicates"] + report["unmatched"]


async def test_lost_receipts_never_come() -> None:
    """A share of lost receipts leaves that many messages without one."""
    carrier, _, report = await exchange(replace(VERIFY, shares=Shares(lost=0.3)), linger_s=0.1)
    assert 0 < report["without_receipt"] == 200 - carrier.ledger.receipts_sent


async def test_final_states_and_intermediate_notifications() -> None:
    """Receipts carry other states; an intermediate notification comes only where registered_delivery asks for one."""
    settings = replace(VERIFY, shares=Shares(stats={"UNDELIV": 0.3, "EXPIRED": 0.2}, intermediate=1.0), receipt_delay_ms=10)
    _, _, report = await exchange(settings, registered_delivery=0x11)
    assert set(report["states"]) == {"DELIVRD", "UNDELIV", "EXPIRED"}
    assert (report["intermediate"], report["matched"]) == (200, 200)
    _, _, plain = await exchange(settings)
    assert plain["intermediate"] == 0


@pytest.mark.parametrize(("registered", "stats"), [(0, set()), (2, {"UNDELIV"}), (3, {"DELIVRD"})])
async def test_registered_delivery_is_honoured(registered: int, stats: set[str]) -> None:
    """No receipt, one of failure only, one of success only."""
    settings = replace(VERIFY, shares=Shares(stats={"UNDELIV": 0.5}))
    _, _, report = await exchange(settings, registered_delivery=registered, linger_s=0.1)
    assert set(report["states"]) == stats


@pytest.mark.parametrize("absent", ["receipt_tlvs", "receipt_text"])
async def test_receipts_without_tlvs_or_without_text(absent: str) -> None:
    """A receipt may carry its id and state in text alone or in TLVs alone."""
    _, _, report = await exchange(replace(VERIFY, **{absent: False}), count=20)
    assert (report["matched"], report["states"]) == (20, {"DELIVRD": 20})


async def test_wrong_credentials_are_refused() -> None:
    """A carrier with credentials of its own answers others ESME_RBINDFAIL; a forced status goes to everyone."""
    for settings, status in (
        (CarrierSettings(system_id="gw", password="gw"), 0x0D),
        (CarrierSettings(bind_status=0x45), 0x45),
    ):
        with pytest.raises(BindRefused) as refused:
            await exchange(settings, sessions=1)
        assert refused.value.status == status


async def test_a_receiver_gets_the_receipts_of_a_transmitter() -> None:
    """With TX and RX binds apart, receipts go to the RX bind of the same system_id."""
    _, _, report = await exchange(VERIFY, bind="transmitter", receivers=1)
    assert (report["binds"], report["matched"]) == (3, 200)


async def test_receipts_wait_for_a_receiver() -> None:
    """Receipts for a system_id with no receiver are parked, and sent when one binds."""
    carrier = Carrier(VERIFY)
    async with carrier.listening() as (_, port):
        sender = Tenant(settled(port, bind="transmitter", registered_delivery=1, count=50, linger_s=0.05))
        await sender.run()
        assert carrier.owing == 50
        receiver = Tenant(settled(port, bind="receiver", sessions=1))
        async with receiver.bound():
            await until(lambda: receiver.ledger.receipts >= 50)
        assert set(receiver.ledger.early) == set(sender.ledger.waiting)


async def test_an_unanswered_receipt_is_sent_again() -> None:
    """A receipt answered with a temporary error is sent again until it is answered ESME_ROK."""
    carrier = Carrier(replace(VERIFY, receipt_retry_ms=20))
    async with carrier.listening() as (_, port):
        end = Tenant(settled(port, sessions=1, count=5, deliver_status=0x64, linger_s=0.05))
        await end.run()
        assert carrier.ledger.receipts_refused[0x64] >= 5
        again = Tenant(settled(port, sessions=1, bind="receiver"))
        async with again.bound():
            await until(lambda: again.ledger.receipts >= 5)
    assert set(carrier.ledger.acknowledged) == {1, 2, 3, 4, 5}


async def test_a_window_of_receipts_is_kept() -> None:
    """With a receipt window, no bind has more deliver_sm unanswered than that, and all of them come."""
    _, _, report = await exchange(replace(VERIFY, receipt_window=2))
    assert report["matched"] == 200


@pytest.mark.parametrize("unanswered", [False, True])
async def test_connections_are_dropped_after_some_messages(unanswered: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """After its n-th message a connection is closed, with the last one answered or left in doubt."""
    settings = replace(VERIFY, drop_after=20, drop_unanswered=unanswered)
    carrier, end, report = await exchange(settings, sessions=1, window=1, count=60, reconnect_s=0.01, seconds=3.0)
    assert carrier.ledger.drops >= 2
    assert (carrier.ledger.mute > 0) == unanswered
    assert len(end.ledger.unsure) >= carrier.ledger.mute
    assert carrier.ledger.seen.good == report["ok"] + carrier.ledger.mute


@pytest.mark.parametrize("takes", [False, True])
async def test_a_silent_connection_answers_no_more(takes: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """After its n-th message a connection is silent: what comes is swallowed, or taken with its receipt but no answer."""
    settings = replace(VERIFY, silent_after=5, silent_takes=takes)
    carrier, _, report = await exchange(settings, sessions=1, window=10, count=10, linger_s=0.1)
    assert report["ok"] == 5
    assert report["lost"] == 5
    assert (carrier.ledger.swallowed, carrier.ledger.mute) == ((0, 5) if takes else (5, 0))
    assert len(carrier.ledger.acknowledged) == (10 if takes else 5)


async def test_a_silent_spell_ends() -> None:
    """During a spell nothing is answered; after it the carrier answers again."""
    carrier = Carrier(replace(VERIFY, silent_takes=True))
    async with carrier.listening() as (_, port):
        end = Tenant(settled(port, sessions=1, window=50, rate=1_000, count=50))
        carrier.hush(0.03)
        report = await end.run()
    assert carrier.ledger.mute == report["sent"] - report["ok"]
    assert carrier.ledger.seen.good == report["sent"]


async def test_a_carrier_that_is_cut_comes_back() -> None:
    """Cut, it resets every connection and refuses new ones; restored, it is at the same address with what it owed."""
    carrier = Carrier(replace(VERIFY, receipt_delay_ms=100))
    await carrier.start()
    port = carrier.address[1]
    end = Tenant(settled(port, count=100, reconnect_s=0.01))
    async with end.bound():
        end.start()
        await end.sent()
        await carrier.cut()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await carrier.restore()
        assert await end.settled()
    await carrier.stop()
    assert end.ledger.matched == end.ledger.ok
    assert end.ledger.binds == 4


async def test_messages_to_the_peer_are_delivered() -> None:
    """`send_mo` brings a deliver_sm that is no receipt, octet for octet, and it is answered."""
    carrier = Carrier(VERIFY)
    got: list[bytes] = []
    body = sm_body(source=b"8613800000000", dest=b"10690001", short_message=b"\0\xff hello", data_coding=4)
    async with carrier.listening() as (_, port):
        end = Tenant(settled(port, sessions=1), on_mo=lambda octets, _: got.append(octets[16:]))
        async with end.bound():
            carrier.send_mo(body)
            await until(lambda: carrier.ledger.mo_acknowledged)
    assert got == [body]


async def test_fates_follow_the_seed() -> None:
    """The same seed refuses the same messages of one session."""
    taken = []
    for _ in range(2):
        settings = replace(VERIFY, shares=Shares(errors={0x45: 0.3}), seed=11)
        carrier, _, _ = await exchange(settings, sessions=1, window=1, count=50)
        taken.append(carrier.ledger.taken)
    assert taken[0] == taken[1]
    assert len(taken[0]) < 50
