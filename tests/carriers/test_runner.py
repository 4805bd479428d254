from __future__ import annotations

import ssl
from dataclasses import replace
from typing import Any

import pytest
import structlog

from smsgw.carriers.line import LinkEvents
from smsgw.carriers.link import LinkBind
from smsgw.carriers.runner import IN_PLACE, Backoff, LinkRunner
from smsgw.model import Carrier, Dialect, Link, Sent, Unknown
from smsgw.smpp import const
from smsgw.telemetry import LinkMeter
from tests.carriers.ends import link, message, side
from tests.script import ManualClock
from tests.smsc import Smsc
from tests.tls import self_signed


def runner_of(of: Link) -> LinkRunner:
    """Return a runner that runs nothing."""
    return LinkRunner(of, LinkEvents(), LinkMeter(of.name), ManualClock())


def test_pauses_double_with_jitter_up_to_a_limit():
    """Each pause is between a half and the whole of 1, 2, 4, … seconds, never over the limit, and begins anew after success."""
    backoff = Backoff()
    pauses = [backoff.pause(1.0, 60.0, slow=False) for _ in range(10)]
    for pause, whole in zip(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60], strict=True):
        assert whole / 2 <= pause <= whole
    backoff.begin_anew()
    assert backoff.pause(1.0, 60.0, slow=False) <= 1.0


def test_pauses_differ():
    """Gateways that lost a carrier together do not come back together."""
    assert len({Backoff().pause(1.0, 60.0, slow=False) for _ in range(20)}) > 10


def test_a_slow_pause_is_the_longest():
    """What will not pass by asking is asked rarely from the start."""
    assert 30.0 <= Backoff().pause(1.0, 60.0, slow=True) <= 60.0


@pytest.mark.parametrize(
    ("status", "slow"),
    [
        (const.ESME_RALYBND, False),
        (const.ESME_RSYSERR, False),
        (const.ESME_RTHROTTLED, False),
        (const.ESME_RBINDFAIL, True),
        (const.ESME_RINVPASWD, True),
        (const.ESME_RINVSYSID, True),
        (0x0400, True),
    ],
)
async def test_refusals_that_pass_are_tried_soon(status: int, slow: bool):  # noqa: FBT001 - a column
    """A stale session of ours or a busy carrier is asked again soon, wrong credentials rarely; both are one log line."""
    async with Smsc() as smsc:
        smsc.bind_statuses.append(status)
        with structlog.testing.capture_logs() as logs:
            runner = runner_of(link(smsc.port, password="wordthat"))
            assert await runner._once(runner.binds[0]) is slow
        assert [(entry["event"], entry["status"]) for entry in logs] == [("link_bind_refused", const.status_name(status))]
        assert runner.binds[0].last_error.startswith(f"{const.status_name(status)}, ")
        assert "wordthat" not in repr(logs)


async def test_a_refused_bind_is_tried_again():
    """After RALYBND the link binds as soon as the carrier lets it."""
    async with Smsc() as smsc:
        smsc.bind_statuses += [const.ESME_RALYBND, const.ESME_RALYBND]
        async with side(link(smsc.port)) as ours:
            await ours.bound()
            assert len(smsc.sessions) == 3
            assert ours.carriers.rows()[0]["last_error"] == ""


async def test_a_carrier_that_is_away_is_dialled_until_it_is_back():
    """Nobody listening is one log line a try and no more; the link is seen as backing off, and binds once somebody listens."""
    async with Smsc() as smsc:
        await smsc.close()
        with structlog.testing.capture_logs() as logs:
            async with side(link(smsc.port)) as ours:
                await ours.until(lambda: len(logs) >= 2 and ours.states() == ["backing_off"])
                [row] = ours.carriers.rows()
                assert row["last_error"].startswith("connection refused: ")
                await smsc.open()
                await ours.bound()
        events = [entry["event"] for entry in logs]
        assert events[0] == "link_unreachable"
        assert events.count("link_bound") == 1


async def test_it_is_seen_when_a_link_dials_again():
    """While it backs off a link says in how many seconds it tries next, and no such thing before its first try."""
    async with Smsc() as smsc:
        await smsc.close()
        async with side(link(smsc.port, reconnect_min_s=60.0, reconnect_max_s=60.0)) as ours:
            assert ours.carriers.rows()[0]["next_dial_s"] is None
            await ours.until(lambda: ours.states() == ["backing_off"])
            assert 30 <= ours.carriers.rows()[0]["next_dial_s"] <= 60
            ours.clock.pass_(100)
            assert ours.carriers.rows()[0]["next_dial_s"] == 0


async def test_a_lost_session_is_made_again():
    """A connection that breaks is one log line with its reason, and is dialled again."""
    async with Smsc() as smsc:
        with structlog.testing.capture_logs() as logs:
            async with side(link(smsc.port)) as ours:
                await ours.bound()
                smsc.cut()
                await ours.until(lambda: len(smsc.sessions) == 2 and ours.carriers.bound(1))
        assert [entry["event"] for entry in logs][:3] == ["link_bound", "link_down", "link_bound"]
        assert ours.meters.link("alpha-1").connects == 2


async def test_an_error_of_our_own_ends_no_link(monkeypatch: pytest.MonkeyPatch):
    """When our own code fails, the link is tried again later, with a log line that holds no words of the error."""

    async def fails(_self: LinkBind) -> str:
        raise RuntimeError("password=secret")

    monkeypatch.setattr(LinkBind, "run", fails)
    with structlog.testing.capture_logs() as logs:
        broken = runner_of(link())
        assert await broken._once(broken.binds[0]) is True
    assert [entry["event"] for entry in logs] == ["link_failed"]
    assert "secret" not in repr(logs)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    return self_signed(tmp_path_factory.mktemp("tls"), "carrier", of="IP:127.0.0.1")


async def test_tls_carries_messages_to_whom_it_trusts(certificate: tuple[str, str]):
    """A TLS link sends to a carrier whose certificate it can verify, leaves one that it can't, and takes any when told so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    async with Smsc(ssl=context) as smsc:
        trusting, strict = link(smsc.port, tls=True, tls_ca=certificate[0]), link(smsc.port, id=2, name="alpha-2", tls=True)
        lax = link(smsc.port, id=3, name="alpha-3", tls=True, tls_verify=False)
        async with side(trusting, strict, lax) as ours:
            await ours.bound(1)
            await ours.bound(3)
            ours.submit(1)
            ours.submit(2, link_id=3)
            assert [outcome for _, outcome in await ours.outcomes(2)] == [Sent(b"1"), Sent(b"2")]
            rows = {row["link"]: row for row in ours.carriers.rows()}
            assert "certificate" in rows["alpha-2"]["last_error"].lower()
            assert not ours.carriers.bound(2)


@pytest.mark.parametrize(
    ("kind", "binds", "kinds"),
    [("transceiver", 2, ["trx", "trx"]), ("pair", 1, ["rx", "tx"]), ("pair", 2, ["rx", "rx", "tx", "tx"]), ("receiver", 1, ["rx"])],
)
async def test_a_link_has_the_binds_it_is_given(kind: str, binds: int, kinds: list[str]):
    """So many binds of the kind are made; a pair is a transmitter and a receiver."""
    async with Smsc() as smsc, side(link(smsc.port, bind=kind, binds=binds)):
        sessions = await smsc.bound(len(kinds))
        assert sorted(session.kind for session in sessions) == kinds


# ---- changes ----------------------------------------------------------------------------------------------------------------


async def test_window_and_rate_change_under_a_session():
    """Window, rate, time-outs and dialect change at once, without a new session."""
    async with Smsc() as smsc:
        old = link(smsc.port, window=1)
        async with side(old) as ours:
            await ours.bound()
            new = replace(old, window=7, rate=5, enquire_link_s=3.0, response_timeout_s=4.0, dialect=Dialect(strip_zeros=True))
            ours.carriers.apply([new])
            assert ours.carriers.room(1) == 7
            bind = ours.carriers.reserve((1,))
            assert bind is not None
            assert (bind.link, bind.line.pace.rate) == (new, 5)
            assert bind.wire is not None
            assert bind.wire.session.settings.response_timeout_s == 4.0
            assert len(smsc.sessions) == 1


async def test_a_smaller_window_waits_for_answers():
    """A window made smaller than what is outstanding leaves no room until enough has been answered."""
    async with Smsc() as smsc:
        old = link(smsc.port, window=5)
        async with side(old) as ours:
            smsc.late = True
            await ours.bound()
            for number in range(4):
                ours.submit(number)
            ours.carriers.apply([replace(old, window=2)])
            assert (ours.carriers.room(1), ours.carriers.reserve((1,))) == (0, None)
            await smsc.submitted(4)
            smsc.answer_late()
            await ours.outcomes(4)
            assert ours.carriers.room(1) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "localhost"), ("port", 1), ("system_id", "other"), ("password", "other"), ("system_type", "other"),
        ("interface_version", 0x33), ("bind", "receiver"), ("tls", True), ("tls_ca", "/ca"), ("tls_verify", False),
        ("source_address", "127.0.0.1"), ("name", "other"),
    ],
)  # fmt: skip
def test_what_a_session_was_made_with_needs_a_new_one(field: str, value: Any):
    """A change of address, credentials, kind of bind or TLS is not taken over in place."""
    old = link()
    runner = runner_of(old)
    assert runner.change(replace(old, **{field: value})) is False
    assert runner.link is old


def test_the_rest_changes_in_place():
    """Everything else is taken over under the sessions."""
    old = link()
    new = replace(old, binds=2, window=9, rate=9, nodes=(1,), carrier=Carrier(2, "beta"), reconnect_max_s=9.0)
    runner = runner_of(old)
    assert runner.change(new) is True
    assert (runner.link, len(runner.binds)) == (new, 2)
    assert {"host", "port", "password", "id"}.isdisjoint(IN_PLACE)


async def test_binds_come_and_go_in_place():
    """More binds are added beside the present ones; those too many are drained, and the first stays as it is."""
    async with Smsc() as smsc:
        old = link(smsc.port, binds=2)
        async with side(old) as ours:
            first, _ = await smsc.bound(2)
            ours.carriers.apply([replace(old, binds=3)])
            await smsc.bound(3)
            ours.carriers.apply([replace(old, binds=1)])
            ours.carriers.apply([replace(old, binds=2)])
            ours.carriers.apply([replace(old, binds=1)])
            await ours.until(lambda: smsc.live == [first])
            await ours.until(lambda: ours.states() == ["bound"])
            ours.submit()
            assert await ours.outcomes() == [(1, Sent(b"1"))]


# ---- the end ----------------------------------------------------------------------------------------------------------------


async def test_a_stop_drains():
    """No new submit, answers awaited, unbind, no new session: in this order."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        smsc.late = True
        await ours.bound()
        reserved = ours.carriers.reserve((1,))
        assert reserved is not None
        bind = ours.submit(1)
        await smsc.submitted(1)
        ours.carriers.stop()
        assert (ours.carriers.reserve((1,)), ours.states(), bind.state) == (None, ["draining"], "draining")
        reserved.release()
        bind.reserved += 1
        bind.submit(message(2), 0.0)
        assert await ours.outcomes() == [(2, Unknown("link_down", written=False))]
        ours.pass_(1.0)
        assert [came.command for came in smsc.sessions[0].requests] == [const.BIND_TRANSCEIVER, const.SUBMIT_SM]
        smsc.answer_late()
        assert (await ours.outcomes(2))[1] == (1, Sent(b"1"))
        await ours.until(lambda: ours.carriers.stopped)
        assert smsc.sessions[0].requests[-1].command == const.UNBIND
        assert len(smsc.sessions) == 1


async def test_a_draining_link_still_takes_receipts():
    """While answers are awaited, deliveries are taken and answered."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        smsc.late = True
        await ours.bound()
        ours.submit(1)
        submit = await smsc.submit()
        ours.carriers.stop()
        assert (await smsc.delivered(smsc.receipt(submit))).status == 0
        assert len(ours.notes.delivered) == 1
        smsc.answer_late()
        await ours.until(lambda: ours.carriers.stopped)


async def test_a_stop_ends_what_is_not_bound():
    """A link that is dialling, binding or backing off stops at once."""
    async with Smsc() as smsc, Smsc() as away:
        smsc.mute = True
        await away.close()
        async with side(link(smsc.port), link(away.port, id=2, name="beta-1")) as ours:
            await ours.until(lambda: ours.states() == ["binding", "backing_off"])
            ours.carriers.stop()
            await ours.until(lambda: ours.carriers.stopped)
            assert ours.states() == ["down", "down"]


async def test_abandon_ends_everything_at_once():
    """Abandoned links close their connections, and what was outstanding is Unknown."""
    async with Smsc() as smsc:
        smsc.late = True
        async with side(link(smsc.port)) as ours:
            await ours.bound()
            ours.submit(1)
            await smsc.submit()
            ours.carriers.abandon()
            assert await ours.outcomes() == [(1, Unknown("link_lost", written=True))]
        await smsc.sessions[0].closed()
