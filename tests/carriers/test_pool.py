from __future__ import annotations

from dataclasses import replace

from smsgw.model import Sent
from smsgw.smpp import const
from tests.carriers.ends import Side, link, side
from tests.smsc import Smsc


def two(smsc: Smsc, **fields: int) -> tuple:
    """Return two links to one carrier."""
    return link(smsc.port, **fields), link(smsc.port, id=2, name="alpha-2", **fields)


async def test_the_first_link_with_room_is_taken():
    """Links are asked in the route's order; a full one is passed over."""
    async with Smsc() as smsc, side(*two(smsc, window=1)) as ours:
        await ours.bound(1)
        await ours.bound(2)
        taken = [ours.carriers.reserve((2, 1)) for _ in range(3)]
        assert [bind and bind.link.id for bind in taken] == [2, 1, None]


async def test_unbound_and_unknown_links_are_passed_over():
    """A link that is not bound, or that nobody provisioned, takes nothing."""
    async with Smsc() as smsc, Smsc() as away:
        await away.close()
        async with side(link(smsc.port), link(away.port, id=2, name="beta-1")) as ours:
            await ours.bound(1)
            bind = ours.carriers.reserve((99, 2, 1))
            assert bind is not None
            assert bind.link.id == 1
            assert [ours.carriers.bound(number) for number in (1, 2, 99)] == [True, False, False]
            assert [ours.carriers.room(number) for number in (1, 2, 99)] == [99, 0, 0]


async def test_binds_of_a_link_share_its_load():
    """Within a link the bind with the most room takes the next message."""
    async with Smsc() as smsc, side(link(smsc.port, binds=2, window=10)) as ours:
        await smsc.bound(2)
        await ours.until(lambda: ours.carriers.room(1) == 20)
        taken = [ours.carriers.reserve((1,)) for _ in range(6)]
        assert sorted(taken.count(bind) for bind in set(taken)) == [3, 3]


async def test_a_receiver_takes_no_message():
    """A link that only receives is never chosen, and is no link that can send."""
    async with Smsc() as smsc, side(link(smsc.port, bind="receiver")) as ours:
        await smsc.bound()
        await ours.until(lambda: ours.states() == ["bound"])
        assert (ours.carriers.reserve((1,)), ours.carriers.bound(1), ours.carriers.any_bound) == (None, False, False)


async def test_a_pair_sends_on_its_transmitter():
    """Of a pair, the transmitter takes the messages, and receipts come on the receiver."""
    async with Smsc() as smsc, side(link(smsc.port, bind="pair")) as ours:
        await smsc.bound(2)
        await ours.bound()
        assert ours.submit().command == const.BIND_TRANSMITTER
        submit = await smsc.submit()
        assert submit.session.kind == "tx"
        await smsc.delivered(smsc.receipt(submit))
        assert [bind.command for bind, _ in ours.notes.delivered] == [const.BIND_RECEIVER]


async def test_the_rate_of_a_link_holds_over_its_binds():
    """A rate is the link's, not the bind's; a message without leave waits, and is told when there is some."""
    async with Smsc() as smsc, side(link(smsc.port, binds=2, rate=8)) as ours:
        await smsc.bound(2)
        await ours.until(lambda: ours.carriers.bound(1))
        assert ours.carriers.reserve((1,)) is not None
        told = len(ours.notes.rooms)
        assert (ours.carriers.reserve((1,)), ours.carriers.room(1), ours.carriers.leave(1)) == (None, 0, 0)
        ours.pass_(0.2)
        await ours.until(lambda: len(ours.notes.rooms) > told)
        assert (ours.carriers.leave(1), ours.carriers.leave(2)) == (2, 0)
        assert ours.carriers.reserve((1,)) is not None


async def test_links_of_other_nodes_are_not_dialled():
    """A link that names nodes runs on those alone."""
    async with Smsc() as smsc, side(link(smsc.port, nodes=(2,)), link(smsc.port, id=2, name="alpha-2", nodes=(1, 2))) as ours:
        await ours.bound(2)
        assert [row["link"] for row in ours.carriers.rows()] == ["alpha-2"]


async def test_a_new_link_starts_and_a_deleted_one_drains():
    """Provisioning is followed: the others keep their sessions, a deleted link answers what is open before it unbinds."""
    async with Smsc() as smsc, Smsc() as other:
        first, second = link(smsc.port), link(other.port, id=2, name="beta-1")
        async with side(first) as ours:
            smsc.late = True
            await ours.bound(1)
            ours.submit(1)
            await smsc.submit()
            ours.carriers.apply([second])
            await ours.bound(2)
            assert (ours.carriers.bound(1), ours.carriers.reserve((1,))) == (False, None)
            assert sorted((row["link"], row["state"]) for row in ours.carriers.rows()) == [
                ("alpha-1", "draining"),
                ("beta-1", "bound"),
            ]
            smsc.answer_late()
            assert await ours.outcomes() == [(1, Sent(b"1"))]
            await ours.until(lambda: not smsc.live)
            await ours.until(lambda: [row["link"] for row in ours.carriers.rows()] == ["beta-1"])
            assert len(other.sessions) == 1


async def test_a_link_whose_address_changed_moves():
    """A changed port makes a new session there while the old one drains; messages go to the new one."""
    async with Smsc() as smsc, Smsc() as other:
        old = link(smsc.port)
        async with side(old) as ours:
            await ours.bound(1)
            ours.carriers.apply([replace(old, port=other.port)])
            await other.bound()
            await ours.bound(1)
            ours.submit(5)
            assert (await other.submit()).message_id == b"1"
            await ours.until(lambda: not smsc.live)
            assert smsc.sessions[0].requests[-1].command == const.UNBIND


async def test_the_same_again_changes_nothing():
    """A version of provisioning that leaves a link as it is leaves its session alone."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        await ours.bound()
        ours.carriers.apply([link(smsc.port)])
        ours.submit()
        assert await ours.outcomes() == [(1, Sent(b"1"))]
        assert len(smsc.sessions) == 1


def test_nothing_runs_before_start():
    """Links that are applied before `start` are known and down."""
    ours = Side()
    ours.carriers.apply([link(1)])
    assert (ours.states(), ours.carriers.stopped, ours.carriers.any_bound) == (["down"], True, False)


async def test_links_show_where_they_stand():
    """A row a bind: who, where, state, version, window used, pace, last error; and never the password."""
    async with Smsc() as smsc, side(link(smsc.port, window=7, rate=70, password="wordthat")) as ours:
        smsc.late = True
        await ours.bound()
        ours.submit()
        [row] = ours.carriers.rows()
        expected = {
            "link": "alpha-1", "carrier": "alpha", "address": f"127.0.0.1:{smsc.port}", "bind": "transceiver", "state": "bound",
            "version": "3.4", "window": "1/7", "rate": 70.0, "slowed": False, "throttled_for_s": 0.0, "sent": 0, "last_error": "",
            "next_dial_s": None,
        }  # fmt: skip
        assert row | expected == row
        assert "wordthat" not in repr((row, ours.carriers.reserve((1,)), link(password="wordthat")))


async def test_what_a_link_sent_is_told_once():
    """What all binds of a link have sent stands on its first row alone, so that a sum over rows is right."""
    async with Smsc() as smsc, side(link(smsc.port, binds=2)) as ours:
        await smsc.bound(2)
        await ours.until(lambda: ours.states() == ["bound", "bound"])
        ours.submit()
        await ours.outcomes(1)
        assert [row["sent"] for row in ours.carriers.rows()] == [1, None]


async def test_gauges_read_states_windows_and_speeds():
    """Binds by state, submits without an answer, and the speed in force, by link."""
    async with Smsc() as smsc, side(link(smsc.port, binds=2, rate=70)) as ours:
        smsc.late = True
        await smsc.bound(2)
        await ours.until(lambda: ours.states() == ["bound", "bound"])
        ours.submit()
        assert ours.carriers.states() == {("alpha-1", "bound"): 2.0}
        assert ours.carriers.windows() == {("alpha-1",): 1.0}
        assert ours.carriers.speeds() == {("alpha-1",): 70.0}


async def test_a_source_address_is_bound_to():
    """A link with a source address dials from it."""
    async with Smsc() as smsc, side(link(smsc.port, source_address="127.0.0.2")):
        [session] = await smsc.bound()
        assert session._writer.get_extra_info("peername")[0] == "127.0.0.2"
