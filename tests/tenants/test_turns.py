"""A connection takes no more than its turn."""

from __future__ import annotations

import asyncio

from smsgw.smpp import const, pdu
from smsgw.smpp.pdu import encode
from smsgw.tenants.turns import TURN_OCTETS
from smsgw.wire import Clock
from tests.peers import Esme
from tests.tenants.front import account, front_door

ENQUIRIES = 5_000
FLOOD = b"".join(encode(const.ENQUIRE_LINK, 0, n) for n in range(1, ENQUIRIES + 1))


async def test_a_flood_is_taken_in_slices():
    """Of much at once a slice is answered, reading stops, and the rest follows in order and complete."""
    async with front_door() as front:
        script = await front.bound()
        script.wire.data_received(FLOOD)
        assert script.transport.paused
        assert len(script.transport.written) <= TURN_OCTETS
        await script._until(lambda: len(script.came) == ENQUIRIES + 1, "the flood")
        await script._until(lambda: not script.transport.paused, "reading")
        assert [came.sequence for came in script.came[1:]] == list(range(1, ENQUIRIES + 1))
        script._unread.clear()
        await script.play(">> enquire_link 7", "<< enquire_link_resp 7")


async def test_a_window_of_messages_is_one_turn():
    """A hundred submits of 100 octets in one segment are taken at once."""
    async with front_door(account(window=100)) as front:
        script = await front.bound()
        body = pdu.sm_body(source=b"1069", dest=b"8613800138000", short_message=b"x" * 100)
        script.wire.data_received(b"".join(encode(const.SUBMIT_SM, 0, n, body) for n in range(2, 102)))
        assert len(front.notes.accepted) == 100
        assert not script.transport.paused


async def test_others_are_served_in_between():
    """While one connection floods, another one's request is answered before the flood is."""
    async with front_door() as front:
        flooder, other = await front.bound(), await front.bound()
        flooder.wire.data_received(FLOOD)
        await other.play(">> enquire_link 2", "<< enquire_link_resp 2")
        flooder._read()
        assert len(flooder.came) < ENQUIRIES


async def test_many_floods_share_one_rest():
    """Each that floods rests for all of them: together they take no more of the time than one alone; who ends counts no more."""
    async with front_door() as front:
        floods = [await front.bound() for _ in range(3)]
        for script in floods:
            script.wire.data_received(FLOOD)
        assert front.listener.turnstile.floods == 3
        floods[0].transport.close()
        await floods[1]._until(lambda: front.listener.turnstile.floods == 2, "the end of one")
        for script in floods[1:]:
            await script._until(lambda script=script: len(script.came) == ENQUIRIES + 1, "the flood")
            await script._until(lambda script=script: not script.transport.paused, "reading")
            script._unread.clear()
        assert front.listener.turnstile.floods == 0


async def test_a_flooder_that_does_not_read_waits():
    """What is held is not taken while the answers are not read; it goes on when they are."""
    async with front_door() as front:
        script = await front.bound()
        script.transport.full()
        script.wire.data_received(FLOOD)
        for _ in range(20):
            await asyncio.sleep(0)
        script._read()
        assert len(script.came) == 1
        script.transport.empty()
        assert script.transport.paused
        await script._until(lambda: len(script.came) == ENQUIRIES + 1, "the flood")
        await script._until(lambda: not script.transport.paused, "reading")
        script._unread.clear()


async def test_a_flood_ends_with_its_connection():
    """What was held of a connection that is lost, or that broke its framing, is dropped."""
    async with front_door() as front:
        lost, broken = await front.bound(), await front.bound()
        lost.wire.data_received(FLOOD)
        lost.transport.close()
        broken.wire.data_received(bytes(16) + FLOOD)
        assert broken.transport.closed
        for _ in range(20):
            await asyncio.sleep(0)
        assert [script.wire._waiting for script in (lost, broken)] == [b"", b""]
        assert not any(front.listener._wheel)


async def test_a_flood_over_tcp_comes_through_whole():
    """On a real socket a megabyte of requests is answered one by one and in order."""
    async with front_door(listen=("127.0.0.1:0",), clock=Clock()) as front, await Esme.connect(front.listener.ports[0]) as esme:
        await esme.bind("acme1", "secret")
        for _ in range(12):
            esme.send_raw(FLOOD)
        await esme.until(lambda: len(esme.responses) == 12 * ENQUIRIES + 1)
        assert [p.sequence for p in esme.responses[1:]] == list(range(1, ENQUIRIES + 1)) * 12
