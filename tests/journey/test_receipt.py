"""Carriers' receipts: every pitfall of the field finds its message, once, and the carrier is answered after COMMIT."""

from __future__ import annotations

import pytest

from smsgw.model import State
from smsgw.smpp import const, pdu, tlv
from smsgw.store import books
from tests.journey.scene import Scene, id_of, read_receipt
from tests.peers import Esme
from tests.smsc import Submit

PRICE = 38_000


async def _submitted(scene: Scene, tenant: Esme, **fields: object) -> tuple[bytes, Submit]:
    """Submit one message that asks for a receipt; returns our id and what the carrier got."""
    answer = await tenant.submit(**{"registered_delivery": 1, **fields})  # type: ignore[arg-type]
    return id_of(answer), await scene.smsc.submit()


async def _whole_way(scene: Scene, tenant: Esme, **receipt: object) -> None:
    """A message and its receipt, which finds it and closes it."""
    ours, submit = await _submitted(scene, tenant)
    answer = await scene.smsc.delivered(scene.smsc.receipt(submit, **receipt))  # type: ignore[arg-type]
    came = await scene.receipt(tenant)
    assert answer.status == const.ESME_ROK
    assert came.message_id == ours
    assert (await scene.row(ours))["state"] == State.DELIVERED


@pytest.mark.parametrize(
    ("dialect", "answered", "reported"),
    [
        ('submit_id = "hex-to-dec"', b"0000ABCD", b"43981"),
        ('submit_id = "dec-to-hex"', b"43981", b"ABCD"),
        ('receipt_id = "hex-to-dec"', b"43981", b"0000abcd"),
        ('receipt_id = "dec-to-hex"', b"abcd", b"0000043981"),
        ("strip_zeros = true", b"0000913121205", b"913121205"),
    ],
)
async def test_by_a_carriers_rule_ids_written_otherwise_mean_the_same_message(
    database: str, dialect: str, answered: bytes, reported: bytes
):
    """Hex and decimal on either side, zeros added: with the dialect of its link, the receipt finds its message."""
    async with Scene(database, link=f"dialect = {{ {dialect} }}").playing() as scene:
        scene.smsc.ids = lambda _: answered
        tenant = await scene.tenant()
        await _whole_way(scene, tenant, text_id=reported, tlv_id=reported)


async def test_ids_written_otherwise_get_a_second_chance(database: str):
    """Capitals, zeros added or lost, hex for decimal without any rule: found where only one message can be meant."""
    async with Scene(database, more="[receipts]\nguess_after_s = 0.0").playing() as scene:
        tenant = await scene.tenant()
        for answered, reported in (
            (b"1eedf843", b"1EEDF843"),
            (b"0e999f21", b"E999F21"),
            (b"913121205", b"0913121205"),
            (b"00ABCDEF", b"11259375"),
            (b"550E8400-e29b-41d4-a716-446655440000", b"550e8400-E29B-41D4-A716-446655440000"),
            (b"Rcpt-x/1.A", b"Rcpt-x/1.A"),
        ):
            scene.smsc.ids = lambda _, answered=answered: answered
            await _whole_way(scene, tenant, text_id=reported, tlv_id=reported)


async def test_a_second_chance_comes_only_when_the_first_is_over(database: str):
    """A receipt that came before its message was settled is none of the message whose id it would be in hexadecimal."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        scene.smsc.ids = lambda _: b"17"
        neighbour, submit = await _submitted(scene, tenant)
        await scene.in_state(neighbour, State.SENT)
        answer = await scene.smsc.delivered(scene.smsc.receipt(submit, text_id=b"11", tlv_id=b"11"))
        assert answer.status == const.ESME_ROK
        await scene.daemon.recover._sweep_parked()
        assert await scene.count("orphan") == 1
        scene.smsc.ids = lambda _: b"11"
        ours, _ = await _submitted(scene, tenant)
        assert (await scene.receipt(tenant)).message_id == ours
        scene.smsc.receipt(submit)
        assert (await scene.receipt(tenant)).message_id == neighbour


async def test_a_second_chance_is_none_where_two_may_be_meant(database: str):
    """An id that fits one message with zeros and another without is a guess: it is parked; so is one to another address."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        submits = []
        for answered in (b"0000000042", b"42", b"00000077"):
            scene.smsc.ids = lambda _, answered=answered: answered
            ours, submit = await _submitted(scene, tenant)
            await scene.in_state(ours, State.SENT)
            submits.append(submit)
        submits[2].sm = submits[2].sm._replace(dest=b"8613900000000")
        for submit, reported in ((submits[0], b"00042"), (submits[2], b"77")):
            answer = await scene.smsc.delivered(scene.smsc.receipt(submit, text_id=reported, tlv_id=reported))
            assert answer.status == const.ESME_ROK
        await scene.later(11)
        await scene.daemon.recover._sweep_parked()
        assert await scene.count("orphan") == 2
        assert not tenant.requests


async def test_one_id_is_enough(database: str):
    """A receipt may name its message in the TLV alone or in the text alone."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        await _whole_way(scene, tenant, text_id=b"")
        await _whole_way(scene, tenant, tlv_id=b"")


@pytest.mark.parametrize("where", [{"text_id": b""}, {"tlv_id": b""}], ids=["tlv", "text"])
async def test_an_id_ends_with_its_first_nul(database: str, where: dict[str, bytes]):
    """What stands behind a NUL in a receipt's id is no part of it: the receipt finds its message, and holds up no other one."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        scene.smsc.ids = lambda _: b"7f3a"
        await _whole_way(scene, tenant, **{"text_id": b"7f3a\0xyz", "tlv_id": b"7f3a\0xyz", **where})
        await _whole_way(scene, tenant)


@pytest.mark.parametrize("prefer", ["tlv", "text"])
async def test_of_two_ids_the_carriers_habit_decides(database: str, prefer: str):
    """Where TLV and text differ, the TLV counts, or the text for a carrier that puts something else into the TLV."""
    async with Scene(database, link=f'dialect = {{ prefer_id = "{prefer}" }}').playing() as scene:
        tenant = await scene.tenant()
        await _whole_way(scene, tenant, **{"text_id" if prefer == "tlv" else "tlv_id": b"something-else"})


async def test_a_receipt_without_any_id_is_matched_by_its_addresses(database: str):
    """A receipt that names no id means the one message that was sent between its addresses; where two may be meant, none."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        await _whole_way(scene, tenant, text_id=b"", tlv_id=b"")
        _, submit = await _submitted(scene, tenant, dest=b"8613900139000")
        await _submitted(scene, tenant, dest=b"8613900139000")
        answer = await scene.smsc.delivered(scene.smsc.receipt(submit, text_id=b"", tlv_id=b""))
        assert answer.status == const.ESME_ROK
        assert await scene.count("orphan") == 1


async def test_an_early_receipt_waits_for_the_answer_to_its_message(database: str):
    """A receipt before its submit_sm_resp is stored, then answered, and finds its message the moment the answer comes."""
    async with Scene(database).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        smsc.late = True
        ours, submit = await _submitted(scene, tenant)
        assert (await smsc.delivered(smsc.receipt(submit))).status == const.ESME_ROK
        assert await scene.count("orphan") == 1
        smsc.answer_late()
        assert (await scene.receipt(tenant)).message_id == ours
        await scene.emptied("orphan")
        assert (await scene.row(ours))["state"] == State.DELIVERED


async def test_a_receipt_in_the_same_segment_as_its_answer_is_none_too_early(database: str):
    """Whichever of the two stands first in the octets, the tenant gets one receipt, after its own answer."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        for scene.smsc.early, scene.smsc.receipts in (("DELIVRD", ""), ("", "DELIVRD")):
            ours, _ = await _submitted(scene, tenant)
            assert (await scene.receipt(tenant)).message_id == ours
        assert [request.command for request in tenant.requests] == [const.DELIVER_SM] * 2


async def test_the_carrier_is_answered_after_the_commit(database: str):
    """While PostgreSQL has not committed, neither the carrier has its ESME_ROK nor the tenant its receipt."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        ours, submit = await _submitted(scene, tenant)
        await scene.in_state(ours, State.SENT)
        async with scene.stalled():
            sent = scene.smsc.receipt(submit)
            unknown = scene.smsc.receipt(submit, text_id=b"unknown", tlv_id=b"unknown")
            for _ in range(50):
                await tenant.ask(const.ENQUIRE_LINK)
            assert not sent[0].responses[1:]
            assert not tenant.requests
        assert (await scene.smsc.delivered(sent)).status == const.ESME_ROK
        assert (await scene.smsc.delivered(unknown)).status == const.ESME_ROK
        assert (await scene.receipt(tenant)).message_id == ours


async def test_a_receipt_repeated_changes_nothing(database: str):
    """The second receipt of a message is answered with ESME_ROK and counted; neither the tenant nor the books hear of it."""
    async with Scene(database, tenant='basis = "delivered"').playing() as scene:
        tenant = await scene.tenant()
        ours, submit = await _submitted(scene, tenant)
        for stat in ("UNDELIV", "UNDELIV", "UNDELIV"):
            assert (await scene.smsc.delivered(scene.smsc.receipt(submit, stat))).status == const.ESME_ROK
            await scene.settled()
        row = await scene.row(ours)
        assert (row["state"], row["refund"]) == (State.FAILED, row["price"])
        assert await scene.count("refund") == 1
        assert len(tenant.requests) == 1
        process = scene.daemon.meters.process
        assert process.duplicate_receipts == 2
        assert process.final == {State.FAILED: 1}


async def test_a_receipt_of_nothing_known_is_kept_and_answered(database: str):
    """A receipt that matches nothing gets ESME_ROK, is counted, and is kept until its time is over."""
    async with Scene(database, more="[receipts]\nparked_ttl_s = 60.0").playing() as scene:
        tenant = await scene.tenant()
        _, submit = await _submitted(scene, tenant)
        assert (await scene.smsc.delivered(scene.smsc.receipt(submit, text_id=b"4711", tlv_id=b"4711"))).status == const.ESME_ROK
        assert (await scene.count("orphan"), scene.daemon.meters.process.parked_receipts) == (1, 1)
        await scene.later(61)
        await scene.emptied("orphan")
        assert scene.daemon.meters.process.parked_expired == 1
        assert scene.daemon.receipt.parked == {}


async def test_a_carrier_may_use_an_id_again(database: str):
    """Of messages that were given the same id, a receipt means the newest one to its address; a closed one takes no more."""
    async with Scene(database).playing() as scene:
        scene.smsc.ids = lambda _: b"7"
        tenant = await scene.tenant()
        first, to_first = await _submitted(scene, tenant, dest=b"8613800000001")
        await scene.in_state(first, State.SENT)
        second, to_second = await _submitted(scene, tenant, dest=b"8613800000002")
        await scene.in_state(second, State.SENT)
        third, to_third = await _submitted(scene, tenant, dest=b"8613800000001")
        await scene.in_state(third, State.SENT)
        came = []
        for submit in (to_second, to_third, to_first):
            scene.smsc.receipt(submit)
            came.append((await scene.receipt(tenant)).message_id)
        assert came == [second, third, first]


async def test_an_id_given_again_starts_anew(database: str):
    """A carrier that counts from one again: the same receipt, to the same address, is no repetition but the next message's."""
    async with Scene(database).playing() as scene:
        scene.smsc.ids = lambda _: b"7"
        tenant = await scene.tenant()
        for spilled in (False, True, False):
            ours, submit = await _submitted(scene, tenant)
            await scene.in_state(ours, State.SENT)
            if spilled:
                await scene.later(6)
                await scene.until(lambda ours=ours: scene.count("upstream_ref WHERE message = $1", int(ours)))
            scene.smsc.receipt(submit)
            assert (await scene.receipt(tenant)).message_id == ours
            await scene.settled()
        assert scene.daemon.meters.process.duplicate_receipts == 0


async def test_the_same_id_on_two_links_means_two_messages(database: str):
    """Ids belong to the link that gave them."""
    async with Scene(database, links=2, link="rate = 1").playing() as scene:
        for smsc in scene.smscs:
            smsc.ids = lambda _: b"7"
            smsc.late = True
        tenant = await scene.tenant()
        ours, submits = [], []
        for smsc in scene.smscs:
            ours.append(id_of(await tenant.submit(registered_delivery=1)))
            submits.append(await smsc.submit())
        for smsc in scene.smscs:
            smsc.answer_late()
        for message_id in ours:
            await scene.in_state(message_id, State.SENT)
        for at in (1, 0):
            scene.smscs[at].receipt(submits[at])
            assert (await scene.receipt(tenant)).message_id == ours[at]


async def test_each_part_of_a_long_message_has_its_own_receipt(database: str):
    """The parts that a tenant sends are messages of their own: each id gets its receipt, in any order."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        parts = [await _submitted(scene, tenant, text=b"\5\0\3\7\3%cpart" % n, esm_class=0x40) for n in (1, 2, 3)]
        for ours, submit in reversed(parts):
            scene.smsc.receipt(submit)
            assert (await scene.receipt(tenant)).message_id == ours


async def test_intermediate_notifications_close_nothing(database: str):
    """ENROUTE and ACCEPTD reach only who asked for them, and once the final receipt is there, nobody."""
    async with Scene(database).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        asked, to_asked = await _submitted(scene, tenant, registered_delivery=0x11)
        not_asked, to_not_asked = await _submitted(scene, tenant)
        for submit in (to_not_asked, to_asked):
            for stat, esm_class in (("ENROUTE", 0x20), ("ACCEPTD", 0x04)):
                assert (await smsc.delivered(smsc.receipt(submit, stat, esm_class=esm_class))).status == const.ESME_ROK
        came = [await scene.receipt(tenant) for _ in range(2)]
        assert [(one.message_id, one.stat) for one in came] == [(asked, b"ENROUTE"), (asked, b"ACCEPTD")]
        for ours, submit in ((asked, to_asked), (not_asked, to_not_asked)):
            assert (await scene.row(ours))["state"] == State.SENT
            for stat in ("DELIVRD", "ENROUTE"):
                assert (await smsc.delivered(smsc.receipt(submit, stat))).status == const.ESME_ROK
            assert (await scene.receipt(tenant)).message_id == ours
            assert (await scene.row(ours))["state"] == State.DELIVERED
        await scene.settled()
        assert len(tenant.requests) == 4


async def test_a_carrier_may_close_with_acceptd(database: str):
    """Where a carrier's habit says so, ACCEPTD is the last word: the message is delivered and done with."""
    async with Scene(database, link="dialect = { closing_accepted = true }").playing() as scene:
        tenant = await scene.tenant()
        await _whole_way(scene, tenant, stat="ACCEPTD")
        await scene.settled()
        assert scene.daemon.meters.process.final == {State.DELIVERED: 1}
        assert len(scene.daemon.transit) == 0


async def test_each_wish_for_receipts_is_honoured(database: str):
    """registered_delivery: none, both, failure only, success only on 5.0, with and without SME acks; nothing more, nothing less."""
    async with Scene(database).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant(version=const.V50)
        wanted = []
        for registered in (0, 1, 2, 3, 0x05, 0x0E, 0x10):
            for stat in ("DELIVRD", "UNDELIV"):
                ours, submit = await _submitted(scene, tenant, registered_delivery=registered)
                assert submit.sm.registered_delivery == registered
                assert (await smsc.delivered(smsc.receipt(submit, stat))).status == const.ESME_ROK
                if stat in {1: "DELIVRD UNDELIV", 2: "UNDELIV", 3: "DELIVRD"}.get(registered & 3, "").split():
                    wanted.append((ours, stat.encode()))
        await tenant.until(lambda: len(tenant.requests) >= len(wanted))
        await scene.settled()
        came = [read_receipt(request) for request in tenant.requests]
        assert [(one.message_id, one.stat) for one in came] == wanted


async def test_a_retry_keeps_the_wish_for_a_receipt(database: str):
    """A message that the carrier throttled and took at the second attempt still has its receipt."""
    async with Scene(database).playing() as scene:
        scene.smsc.statuses.append(const.ESME_RTHROTTLED)
        tenant = await scene.tenant()
        answer = await tenant.submit(registered_delivery=1)
        _, again = await scene.smsc.submitted(2)
        scene.smsc.receipt(again)
        assert (await scene.receipt(tenant)).message_id == id_of(answer)


@pytest.mark.parametrize("command", [const.DELIVER_SM, const.DATA_SM])
async def test_only_ids_and_addresses_of_a_receipt_change(database: str, command: int):
    """The tenant gets every other octet as the carrier sent it: foreign TLVs with NULs in their order, dates, error, class."""
    vendor = tlv.append(0x1403, b"\0vendor\0\xff") + tlv.append(0x1400, b"") + tlv.append(const.TAG_NETWORK_ERROR_CODE, b"\3\0\7")
    text = b"id:%b sub:001 dlvrd:001 submit date:261124030000 done date:261124030100 stat:DELIVRD err:A07 Text:%b"
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        ours, submit = await _submitted(scene, tenant, source=b"Shop", source_ton=5, dest_ton=1, dest_npi=1)
        named = {"theirs": submit.message_id, "ours": ours}
        bodies = {}
        for whose, name in named.items():
            tlvs = vendor + tlv.append(const.TAG_RECEIPTED_MESSAGE_ID, name + b"\0") + tlv.append(0x3FFF, b"\0")
            ends = {"source": b"8613800138000", "dest": b"Shop", "source_ton": 1, "source_npi": 1, "dest_ton": 5}
            if whose == "theirs":
                ends = {"source": b"+8613800138000", "dest": b"0Shop"}
            if command == const.DATA_SM:
                tlvs = tlv.append(const.TAG_MESSAGE_PAYLOAD, text % (name, b"a\0b")) + tlvs
                bodies[whose] = pdu.data_sm_body(**ends, esm_class=4, data_coding=3, tlvs=tlvs)  # type: ignore[arg-type]
            else:
                bodies[whose] = pdu.sm_body(
                    **ends,  # type: ignore[arg-type]
                    esm_class=0x84,
                    protocol_id=9,
                    data_coding=3,
                    short_message=text % (name, b"a\0b"),
                    tlvs=tlvs,
                )
        scene.smsc.deliver(bodies["theirs"], command)
        assert (await tenant.request(command)).body == bodies["ours"]


async def test_a_message_may_be_sent_by_data_sm_and_receipted(database: str):
    """data_sm goes the whole way as submit_sm does, and a 3.4 session gets its receipt by deliver_sm."""
    payload = tlv.append(const.TAG_MESSAGE_PAYLOAD, b"hello\0world")
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        body = pdu.data_sm_body(source=b"1069", dest=b"8613800138000", registered_delivery=1, tlvs=payload)
        ours = id_of(await tenant.ask(const.DATA_SM, body))
        submit = await scene.smsc.submit()
        assert (submit.pdu.command, submit.pdu.body) == (const.DATA_SM, body)
        scene.smsc.receipt(submit)
        assert (await scene.receipt(tenant)).message_id == ours


async def test_a_receipt_after_unknown_moves_the_message_once(database: str):
    """A message whose receipt never came within 72 hours is UNKNOWN; a later one still says how it went."""
    async with Scene(database).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours, submit = await _submitted(scene, tenant)
        await scene.in_state(ours, State.SENT)
        await scene.later(6)
        await scene.until(lambda: scene.count("upstream_ref"))
        await scene.later(72 * 3600 + 60)
        await scene.daemon.recover._give_up_receipts()
        assert (await scene.receipt(tenant)).stat == b"UNKNOWN"
        await scene.in_state(ours, State.UNKNOWN)
        for stat in ("DELIVRD", "UNDELIV"):
            assert (await smsc.delivered(smsc.receipt(submit, stat))).status == const.ESME_ROK
        assert (await scene.receipt(tenant)).stat == b"DELIVRD"
        await scene.settled()
        assert (await scene.row(ours))["state"] == State.DELIVERED
        assert len(tenant.requests) == 2


async def test_while_the_store_is_away_a_receipt_waits_and_comes_again(database: str):
    """Without a store a receipt gets no answer for `store_wait_s`, then ESME_RX_T_APPN; repeated, it reaches the tenant once."""
    async with Scene(database).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours, submit = await _submitted(scene, tenant)
        await scene.in_state(ours, State.SENT)
        async with scene.storeless():
            first = smsc.receipt(submit)
            await scene.until(lambda: scene.daemon.receipt.unanswered)
            assert not first[0].responses[1:]
            scene.clock.ahead += 11
            assert (await smsc.delivered(first)).status == const.ESME_RX_T_APPN
        assert (await smsc.delivered(smsc.receipt(submit))).status == const.ESME_ROK
        assert (await scene.receipt(tenant)).message_id == ours
        await scene.settled()
        assert len(tenant.requests) == 1


async def test_while_the_store_is_slow_a_receipt_waits_no_longer(database: str):
    """The store is there and commits nothing: `store_wait_s` holds too, and the receipt reaches the tenant once."""
    async with Scene(database, link="enquire_link_s = 3600").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours, submit = await _submitted(scene, tenant)
        await scene.in_state(ours, State.SENT)
        async with scene.stalled():
            first = smsc.receipt(submit)
            await scene.until(lambda: scene.daemon.receipt.unanswered)
            scene.clock.ahead += 11
            assert (await smsc.delivered(first)).status == const.ESME_RX_T_APPN
        assert (await scene.receipt(tenant)).message_id == ours
        assert (await smsc.delivered(smsc.receipt(submit))).status == const.ESME_ROK
        await scene.settled()
        assert len([request for request in tenant.requests if request.command == const.DELIVER_SM]) == 1


async def test_receipts_of_nothing_known_do_not_keep_others_out(database: str):
    """As many are parked as may be: another one is to come again, but what has its message in the store is taken."""
    async with Scene(database, more="[unit_of_work]\nspill_after_s = 0.2\n").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours, submit = await _submitted(scene, tenant)
        await scene.until(lambda: not len(scene.daemon.transit))
        await scene.settled()
        scene.daemon.receipt.parked_count = 200_000
        unknown = smsc.receipt(submit, text_id=b"unknown", tlv_id=b"unknown")
        assert (await smsc.delivered(unknown)).status == const.ESME_RX_T_APPN
        assert (await smsc.delivered(smsc.receipt(submit))).status == const.ESME_ROK
        assert (await scene.receipt(tenant)).message_id == ours
        assert await scene.count("orphan") == 0


async def test_a_receipt_is_answered_on_its_own_session_or_not_at_all(database: str):
    """The link breaks and returns while the store is away: the new session's requests are not answered by old answers."""
    async with Scene(database).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours, submit = await _submitted(scene, tenant)
        await scene.in_state(ours, State.SENT)
        async with scene.storeless():
            smsc.receipt(submit)
            await scene.until(lambda: scene.daemon.receipt.unanswered)
            smsc.cut()
            await smsc.until(lambda: len(smsc.sessions) == 2)
            [again] = await smsc.bound()
        assert (await scene.receipt(tenant)).message_id == ours
        assert (await smsc.delivered(smsc.receipt(submit))).status == const.ESME_ROK
        assert [response.sequence for response in again.responses] == [1]
        assert len(tenant.requests) == 1


async def test_a_receipt_that_cannot_be_read_harms_nobody(database: str):
    """A deliver_sm that is broken gets the status of its field, and the next receipt goes its way."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        ours, submit = await _submitted(scene, tenant)
        broken = scene.smsc.deliver(scene.smsc.receipt_body(submit)[:12])
        assert (await scene.smsc.delivered(broken)).status not in {const.ESME_ROK, const.ESME_RX_T_APPN}
        scene.smsc.receipt(submit)
        assert (await scene.receipt(tenant)).message_id == ours
        [link] = scene.daemon.meters.links.values()
        assert link.malformed == 1


async def test_receipts_survive_a_restart(database: str):
    """A receipt that comes after the gateway was stopped or killed finds its message, and a parked one is not forgotten."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        sent = [await _submitted(scene, tenant) for _ in range(2)]
        for ours, _ in sent:
            await scene.in_state(ours, State.SENT)
        await scene.stop()
        await scene.start()
        scene.smsc.receipt(sent[0][1])
        tenant = await scene.tenant()
        assert (await scene.receipt(tenant)).message_id == sent[0][0]
        await scene.emptied("owed")
        await scene.kill()
        await scene.start()
        scene.smsc.receipt(sent[1][1])
        tenant = await scene.tenant()
        assert (await scene.receipt(tenant)).message_id == sent[1][0]


FATES = {
    "DELIVRD": (State.DELIVERED, 0),
    "UNDELIV": (State.FAILED, PRICE),
    "REJECTD": (State.FAILED, PRICE),
    "EXPIRED": (State.EXPIRED, PRICE),
    "DELETED": (State.CANCELLED, PRICE),
    "UNKNOWN": (State.UNKNOWN, 0),
}


@pytest.mark.parametrize("basis", ["submitted", "sent", "delivered"])
async def test_a_receipt_says_how_it_ended_and_what_it_costs(database: str, basis: str):
    """Each stat leads to its state; only who pays for delivery gets the price of what failed back, in the same COMMIT."""
    async with Scene(database, tenant=f'basis = "{basis}"').playing() as scene:
        tenant = await scene.tenant()
        refunds = 0
        for stat, (state, price) in FATES.items():
            refund = price if basis == "delivered" else 0
            refunds += refund
            ours, submit = await _submitted(scene, tenant)
            scene.smsc.receipt(submit, stat)
            came = await scene.receipt(tenant)
            row = await scene.row(ours)
            assert (came.stat, row["state"], row["refund"]) == (stat.encode(), state, refund)
        assert await scene.spent() == len(FATES) * PRICE - refunds


# ---- what the store will not take -----------------------------------------------------------------------------------


async def test_a_receipt_that_cannot_be_stored_is_refused_for_good(database: str):
    """The carrier is told ESME_RX_P_APPN once, nothing of it is written, it is counted, and the receipts beside it are stored."""
    async with Scene(database).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        bad, submit = await _submitted(scene, tenant)
        good, other = await _submitted(scene, tenant)
        await scene.in_state(good, State.SENT)
        await scene.refusing("UPDATE ON message", "NEW.state = 11")
        async with scene.stalled():
            refused, taken = smsc.receipt(submit, "UNDELIV"), smsc.receipt(other)
        assert (await smsc.delivered(refused)).status == const.ESME_RX_P_APPN
        assert (await smsc.delivered(taken)).status == const.ESME_ROK
        assert (await scene.receipt(tenant)).message_id == good
        assert (await scene.row(bad))["state"] == State.SENT
        assert scene.daemon.meters.process.receipts_not_stored == 1
        assert scene.daemon.receipt.unanswered == 0
        assert await scene.count("owed WHERE message = $1", int(bad)) == 0
        await scene.until(lambda: scene.count("upstream_ref WHERE message = $1", int(bad)))
        await scene.taking()
        assert (await smsc.delivered(smsc.receipt(submit, "UNDELIV"))).status == const.ESME_ROK
        assert (await scene.row(bad))["state"] == State.FAILED


async def test_a_relay_tenant_is_told_where_an_early_receipt_cannot_be_stored(database: str):
    """The receipt comes before the carrier's answer and cannot be written: the tenant is told an error, and waits for nothing."""
    async with Scene(database, account='mode = "relay"').playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        smsc.late = True
        sequence = tenant.send(const.SUBMIT_SM, pdu.sm_body(source=b"1069", dest=b"86138", registered_delivery=1))
        submit = await smsc.submit()
        await scene.refusing("UPDATE ON message", "NEW.state = 10")
        refused = await smsc.delivered(smsc.receipt(submit, text_id=b"", tlv_id=b""))
        assert refused.status == const.ESME_RX_P_APPN
        smsc.answer_late()
        assert (await tenant.answer_to(sequence)).status == const.ESME_RSYSERR
        await scene.settled()
        scene.daemon.commit.poisoned = 0


async def test_a_receipt_that_cannot_be_parked_is_refused_for_good(database: str):
    """No answer but an error for what is not kept, and memory lets go of it."""
    async with Scene(database).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        _, submit = await _submitted(scene, tenant)
        await scene.refusing("INSERT ON orphan", "true")
        answer = await smsc.delivered(smsc.receipt(submit, text_id=b"nobody", tlv_id=b"nobody"))
        assert answer.status == const.ESME_RX_P_APPN
        assert scene.daemon.receipt.parked_count == 0
        assert scene.daemon.meters.process.receipts_not_stored == 1
        await scene.taking()


async def test_a_parked_receipt_that_cannot_be_applied_is_left_alone(database: str):
    """It was acknowledged, so its row stays for whoever looks into it; it is tried once and not with every sweep."""
    async with Scene(database).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        smsc.late = True
        _, submit = await _submitted(scene, tenant)
        assert (await smsc.delivered(smsc.receipt(submit))).status == const.ESME_ROK
        await scene.refusing("UPDATE ON message", "NEW.state = 10")
        smsc.answer_late()
        await scene.until(lambda: scene.daemon.meters.process.receipts_not_stored)
        await scene.turns()
        assert scene.daemon.commit.poisoned == 1
        assert await scene.count("orphan") == 1
        await scene.taking()


async def test_a_receipt_that_comes_while_a_doubt_is_written_leaves_nothing_waiting(database: str):
    """It names no id, and finds its message as memory lets go of it: what has come to its end waits for nothing."""
    async with Scene(database, account='in_doubt = "hold"', link="response_timeout_s = 5.0").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        smsc.late = True
        ours, submit = await _submitted(scene, tenant)
        async with scene.stuck():
            await scene.later(6)
            await scene.until(lambda: scene.daemon.dispatch.in_doubt)
            sent = smsc.receipt(submit, text_id=b"", tlv_id=b"")
            await scene.until(lambda: scene.daemon.receipt.unanswered)
            [message] = scene.daemon.transit.oldest()
            await scene.until(lambda: message.state is State.DELIVERED)
        assert (await smsc.delivered(sent)).status == const.ESME_ROK
        await scene.in_state(ours, State.DELIVERED)
        await scene.settled()
        assert await scene.count("waiting") == 0
        await tenant.request(const.DELIVER_SM)


async def test_what_a_person_gives_back_meanwhile_still_has_its_receipt(database: str):
    """Its price is given back while memory waits for its receipt, which then finds the row changed: it comes to its tenant."""
    async with Scene(database, more="[unit_of_work]\nspill_after_s = 36000").playing() as scene:
        tenant = await scene.tenant()
        ours, submit = await _submitted(scene, tenant)
        row = await scene.in_state(ours, State.SENT)
        by = books.By("ann", "test")
        async with scene.connection.transaction():
            assert await books.refund_message(scene.connection, int(ours), 1, row["sent_ms"] + 61_000, by)
        assert (await scene.smsc.delivered(scene.smsc.receipt(submit))).status == const.ESME_ROK
        await scene.turns()
        came = await scene.receipt(tenant)
        assert (came.message_id, came.stat) == (ours, b"DELIVRD")
        row = await scene.in_state(ours, State.DELIVERED)
        assert row["refund"] == row["price"]
        await scene.emptied("orphan")
