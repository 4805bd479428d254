"""The listener: connections, binds, limits, TLS, drain. Most of it as ladders; on real sockets where the socket matters."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from smsgw.smpp import const, pdu
from smsgw.smpp.session import SessionSettings
from smsgw.tenants.listener import server_context, split_address
from smsgw.wire import Clock
from tests.peers import BINDS, Esme, version_in
from tests.script import Script
from tests.tenants.front import Front, account, front_door, owed
from tests.tls import self_signed

RECEIPT = pdu.sm_body(source=b"8613800138000", dest=b"1069", esm_class=4, short_message=b"id:1 stat:DELIVRD")
HERE = ("127.0.0.1:0",)
WRONG = ">> bind_transceiver {n} system_id=acme1 password=wrong"
REFUSED = "<< bind_transceiver_resp {n} ESME_RBINDFAIL"


async def ticking(front: Front) -> None:
    """Do what the daemon's ticker does, until cancelled."""
    while True:
        front.listener.tick(front.clock.now())
        await asyncio.sleep(0)


async def eventually(true: Callable[[], bool]) -> None:
    """Wait for what another end of a socket brings about."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - the other end is the kernel
            await asyncio.sleep(0)


# ---- binding ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["transmitter", "receiver", "transceiver"])
@pytest.mark.parametrize(("asked", "said"), [(0x33, None), (0x00, None), (0x34, 0x34), (0x50, 0x50), (0x99, 0x50)])
async def test_every_kind_and_version_binds(kind: str, asked: int, said: int | None):
    """TX, RX and TRX bind in 3.3, 3.4 and 5.0; sc_interface_version is told to 3.4 and later only (CONFORMANCE 49, 52, 53)."""
    async with front_door() as front:
        script = front.script()
        await script.play(
            f">> bind_{kind} 7 system_id=acme1 password=secret interface_version={asked} tlv=14000001ff",
            f"<< bind_{kind}_resp 7 ESME_ROK system_id=smsgw" + (f" version={said}" if said else " body=hex:736d73677700"),
        )
        session = front.session_of(script)
        assert session.bound
        assert session.version == (said or 0x33)
        assert bool(front.registry.receivers(session.account.id)) == (kind != "transmitter")


async def test_the_bind_response_goes_first():
    """What waits for a receiver is sent behind the bind_resp, never before it (CONFORMANCE 34)."""
    async with front_door() as front:

        def pump(account_id: int) -> None:
            for session in front.registry.receivers(account_id):
                session.deliver(owed(1, RECEIPT))

        front.registry.on_receiver_bound = pump
        script = front.script()
        await script.play(">> bind_receiver 1 system_id=acme1 password=secret", "<< bind_receiver_resp 1", "<< deliver_sm 1")


async def test_a_bound_session_stays_who_it_is():
    """A second bind reads ESME_RALYBND and changes nothing, whatever its password (CONFORMANCE 33)."""
    async with front_door() as front:
        script = await front.bound()
        await script.play(
            ">> bind_receiver 2 system_id=acme2 password=wrong", "<< bind_receiver_resp 2 ESME_RALYBND", ">> submit_sm 3"
        )
        assert len(front.notes.accepted) == 1
        assert front.session_of(script).system_id == "acme1"


async def test_a_second_bind_while_the_first_is_verified_is_refused():
    """Binds sent in one go: the first is verified, the others read ESME_RALYBND."""
    async with front_door() as front:
        script = front.script()
        await script.play(
            ">> bind_transceiver 1 system_id=acme1 password=secret",
            ">> bind_transceiver 2 system_id=acme1 password=secret",
            "<< bind_transceiver_resp 2 ESME_RALYBND",
            "<< bind_transceiver_resp 1",
        )
        assert len(front.registry) == 1


async def test_malformed_binds_are_answered_by_field():
    """Over-long strings read the field's own status (CONFORMANCE 43, 44, 46, 55); the connection survives to try again."""
    async with front_door(max_failed_binds=0) as front:
        script = front.script()
        await script.play(
            f">> bind_transceiver 1 system_id={'a' * 16} password=secret",
            "<< bind_transceiver_resp 1 ESME_RINVSYSID body=hex:00",
            f">> bind_transceiver 2 system_id=acme1 password={'a' * 9}",
            "<< bind_transceiver_resp 2 ESME_RINVPASWD",
            f">> bind_transceiver 3 system_id=acme1 password=secret system_type={'a' * 13}",
            "<< bind_transceiver_resp 3 ESME_RINVSYSTYP",
            f">> bind_transceiver 4 system_id=acme1 password=secret address_range={'a' * 41}",
            "<< bind_transceiver_resp 4 ESME_RBINDFAIL",
            ">> bind_transceiver 5 body=hex:61",
            "<< bind_transceiver_resp 5 ESME_RINVCMDLEN",
            ">> bind_transceiver 6 system_id=acme1 password=secret address_range=^1.*$",
            "<< bind_transceiver_resp 6",
        )


async def test_nothing_but_a_bind_is_for_an_unbound_connection():
    """Before the bind a submit reads ESME_RINVBNDSTS, enquire_link is answered, an outbind nacked (CONFORMANCE 25, 26, 39)."""
    async with front_door() as front:
        script = front.script()
        await script.play(
            ">> submit_sm 1",
            "<< submit_sm_resp 1 ESME_RINVBNDSTS",
            ">> enquire_link 2",
            "<< enquire_link_resp 2",
            ">> outbind 3 body=hex:6100",
            "<< generic_nack 3 ESME_RINVCMDID",
        )
        assert not front.notes.accepted


async def test_a_receiver_cannot_submit():
    """On an RX bind submits and queries read ESME_RINVBNDSTS (CONFORMANCE 28, 29)."""
    async with front_door() as front:
        script = await front.bound("receiver")
        for n, command in enumerate(("submit_sm", "data_sm", "query_sm"), 2):
            fields = " message_id=1" if command == "query_sm" else ""
            await script.play(f">> {command} {n}{fields}", f"<< {command}_resp {n} ESME_RINVBNDSTS")
        assert not front.notes.accepted
        assert not front.notes.others


async def test_an_account_binds_as_often_as_it_may():
    """Over max_binds a bind reads ESME_RALYBND at once; a place that becomes free is taken (CONFORMANCE 42)."""
    async with front_door(account(max_binds=2)) as front:
        first, _second = await front.bound(), await front.bound("receiver")
        third = front.script()
        bind = ">> bind_transceiver {n} system_id=acme1 password=secret"
        await third.play(bind.format(n=1), "<< bind_transceiver_resp 1 ESME_RALYBND")
        await first.play(">> unbind 2", "<< unbind_resp 2", "<< closed")
        await third.play(bind.format(n=2), "<< bind_transceiver_resp 2")
        assert front.meters.process.binds_refused == {"max_binds": 1}
        assert front.meters.gauges["smsgw_binds"][2]() == {("acme1", "rx"): 1, ("acme1", "trx"): 1}


async def test_binds_at_once_do_not_slip_past_the_limit():
    """Ten binds that are verified at the same time fill exactly the places there are."""
    async with front_door(account(max_binds=3)) as front:
        scripts = [front.script() for _ in range(10)]
        for script in scripts:
            await script._line(">> bind_transceiver 1 system_id=acme1 password=secret")
        for script in scripts:
            await script._until(lambda script=script: bool(script._unread), "bind_resp")
        statuses = sorted(script._unread[0].status for script in scripts)
        assert statuses == [0] * 3 + [const.ESME_RALYBND] * 7


async def test_binds_are_counted_over_all_nodes():
    """A claim that another node's binds leave no room for refuses; each claim that was granted is released once."""
    granted, released = [], []
    answer = True

    async def claim(account_id: int, kind: str, limit: int, of_kind: int, address: str) -> bool:
        granted.append((account_id, kind, limit, of_kind, address))
        await asyncio.sleep(0)
        return answer

    def release(account_id: int, kind: str) -> None:
        released.append((account_id, kind))

    async with front_door(account(id=7, max_rx=3), claim_bind=claim, release_bind=release) as front:
        script = await front.bound("receiver")
        assert granted == [(7, "rx", 10, 3, "192.0.2.1")]
        await script.play(">> closed")
        assert released == [(7, "rx")]
        answer = False
        other = front.script()
        await other.play(">> bind_receiver 1 system_id=acme1 password=secret", "<< bind_receiver_resp 1 ESME_RALYBND")
        assert len(released) == 1
        assert front.registry.claim(7, 1)


async def test_a_claim_that_fails_is_no_fault_of_the_peer():
    """When binds cannot be counted the bind reads ESME_RSYSERR, and the account's place is free again."""

    async def claim(_account_id: int, _kind: str, _limit: int, _of_kind: int, _address: str) -> bool:
        raise OSError("database password=secret")

    async with front_door(account(id=7), claim_bind=claim) as front:
        with capture_logs() as logs:
            script = front.script()
            await script.play(">> bind_receiver 1 system_id=acme1 password=secret", "<< bind_receiver_resp 1 ESME_RSYSERR")
        assert "secret" not in str(logs)
        assert front.registry.claim(7, 1)


async def test_a_peer_that_leaves_while_it_is_counted_holds_nothing():
    """A connection that is lost between the right password and the answer gives its claim back."""
    go_on, released = asyncio.Event(), []

    async def claim(_account_id: int, _kind: str, _limit: int, _of_kind: int, _address: str) -> bool:
        await go_on.wait()
        return True

    async with front_door(account(id=7), claim_bind=claim, release_bind=lambda *args: released.append(args)) as front:
        lost, unbound = front.script(), front.script()
        for script in (lost, unbound):
            await script.play(">> bind_receiver 1 system_id=acme1 password=secret")
        await script._until(lambda: sum(front.registry._claims.get(7, {}).values()) == 2, "claims")
        await lost.play(">> closed")
        await unbound.play(">> unbind 2")
        go_on.set()
        await unbound.play("<< bind_receiver_resp 1 ESME_RBINDFAIL", "<< unbind_resp 2")
        assert released == [(7, "rx"), (7, "rx")]
        assert front.registry.claim(7, 1)
        assert len(front.registry) == 0


async def test_an_account_that_goes_while_it_binds_is_refused():
    """An account that was deleted between its password and its answer does not get in."""
    go_on = asyncio.Event()

    async def claim(_account_id: int, _kind: str, _limit: int, _of_kind: int, _address: str) -> bool:
        await go_on.wait()
        return True

    async with front_door(claim_bind=claim) as front:
        script = front.script()
        await script.play(">> bind_receiver 1 system_id=acme1 password=secret")
        await script._until(lambda: bool(front.registry._claims), "claim")
        front.directory.accounts.clear()
        go_on.set()
        await script.play("<< bind_receiver_resp 1 ESME_RBINDFAIL")


async def test_binds_are_limited_by_kind():
    """A second receiver is refused where one is the most, while a transmitter still gets in, and the first one's end makes room."""
    async with front_door(account(max_rx=1)) as front:
        first = await front.bound("receiver")
        second = front.script()
        await second.play(">> bind_receiver 1 system_id=acme1 password=secret", "<< bind_receiver_resp 1 ESME_RALYBND")
        await front.bound("transmitter")
        await first.play(">> closed")
        await front.bound("receiver")
        assert front.meters.process.binds_refused == {"max_binds": 1}


# ---- refusals -----------------------------------------------------------------------------------------------------------


async def test_a_refused_bind_may_try_again_but_not_for_ever():
    """A refused bind leaves the connection open; after N of them it is closed, a moment after the answer (CONFORMANCE 40, 41)."""
    async with front_door(max_failed_binds=3, linger_s=1.0) as front:
        script = front.script()
        for n in (1, 2, 3):
            await script.play(WRONG.format(n=n), REFUSED.format(n=n))
        await script.play("== 0.5", WRONG.format(n=4), REFUSED.format(n=4))
        assert not script.transport.closed
        await script.play("== 0.6", "<< closed too_many_failed_binds")
        assert front.delays == pytest.approx([0.1, 0.2, 0.4])


async def test_a_bind_that_comes_right_stays():
    """A connection that binds within its tries is not closed for the failures before."""
    async with front_door(max_failed_binds=3) as front:
        script = front.script()
        await script.play(WRONG.format(n=1), REFUSED.format(n=1), WRONG.format(n=2), REFUSED.format(n=2))
        await script.play(">> bind_transceiver 3 system_id=acme1 password=secret", "<< bind_transceiver_resp 3", "== 5", "== 5")
        assert not script.transport.closed


async def test_the_log_tells_who_and_why_and_no_password():
    """Each bind, refusal and unbind leaves one line; a system_id comes escaped, a password never (CONFORMANCE 48, 203)."""
    async with front_door() as front:
        with capture_logs() as logs:
            script = front.script()
            bad_id = "hex:" + b"ac\nme\xff".hex()
            await script.play(f">> bind_receiver 1 system_id={bad_id} password=secret", "<< bind_receiver_resp 1 ESME_RINVSYSID")
            await script.play(WRONG.format(n=2), REFUSED.format(n=2))
            await script.play(">> bind_transceiver 3 system_id=acme1 password=secret", "<< bind_transceiver_resp 3")
            await script.play("== 5", ">> unbind 4", "<< unbind_resp 4", "<< closed")
        assert [line["event"] for line in logs] == ["bind_refused", "bind_refused", "bound", "unbound"]
        assert logs[0]["system_id"] == "ac\\nme\\xff"
        assert (logs[1]["reason"], logs[1]["status"]) == ("wrong_password", "ESME_RBINDFAIL")
        assert (logs[2]["system_id"], logs[2]["kind"], logs[2]["version"]) == ("acme1", "trx", "3.4")
        assert (logs[3]["reason"], logs[3]["seconds"]) == ("unbound_by_peer", 5)
        assert "secret" not in str(logs)
        assert "wrong'" not in str(logs).replace("wrong_password", "")


async def test_a_flood_of_binds_is_not_a_flood_of_lines():
    """However many binds a connection sends, no more of them are logged than it had tries."""
    async with front_door(max_failed_binds=3) as front:
        script = front.script()
        with capture_logs() as logs:
            for n in range(1, 200):
                await script._line(WRONG.format(n=n))
            await script._settle()
        assert sum(line["event"] == "bind_refused" for line in logs) <= 3


# ---- connections --------------------------------------------------------------------------------------------------------


async def test_a_connection_that_does_not_bind_is_closed():
    """session_init_s after it came up an unbound connection is closed, dribbled octets or not (CONFORMANCE 60)."""
    async with front_door() as front:
        script = front.script()
        await script.play("== 6", ">> raw 0000", "== 5", "<< closed session_init_timeout")
        assert not any(front.listener._wheel)


async def test_of_too_many_unbound_connections_the_oldest_goes():
    """Over max_unbound the oldest unbound connection is closed; bound ones do not count."""
    async with front_door(max_unbound=2) as front:
        bound = await front.bound()
        first, second, third = front.script(), front.script(), front.script()
        assert (first.transport.closed, second.transport.closed, third.transport.closed) == (True, False, False)
        assert not bound.transport.closed
        assert front.meters.process.session_closes == {"max_unbound": 1}
        assert front.meters.gauges["smsgw_unbound_connections"][2]() == 2


async def test_a_cap_per_address_is_off_unless_asked_for():
    """max_per_address closes further connections of one address, not those of others."""
    async with front_door(max_per_address=2) as front:
        scripts = [front.script() for _ in range(3)] + [front.script("198.51.100.7")]
        assert [script.transport.closed for script in scripts] == [False, False, True, False]
        scripts[0].transport.close()
        assert not front.script().transport.closed
    async with front_door() as front:
        assert not any(script.transport.closed for script in [front.script() for _ in range(50)])


async def test_only_allowed_networks_get_in():
    """allow_from closes connections from elsewhere before they can say a word."""
    async with front_door(allow_from=("192.0.2.0/24",)) as front:
        assert not front.script("192.0.2.77").transport.closed
        assert front.script("198.51.100.7").transport.closed


async def test_a_broken_frame_ends_one_connection():
    """An impossible command_length is nacked and closes that connection; its neighbours do not notice (CONFORMANCE 2, 3, 204)."""
    async with front_door() as front:
        neighbour, script = await front.bound(), await front.bound()
        hello = "16030100ff010000fb03030000000000"
        await script.play(f">> raw {hello}", "<< generic_nack 0 ESME_RINVCMDLEN", "<< closed bad_length")
        await neighbour.play(">> enquire_link 2", "<< enquire_link_resp 2")


async def test_ticks_reach_every_session_within_ten():
    """Sessions are ticked a tenth at a time, each of them once in ten ticks."""
    async with front_door(account(max_binds=0)) as front:
        scripts: list[Script] = [await front.bound() for _ in range(25)]
        front.clock.pass_(31)
        counts = []
        for _ in range(10):
            front.listener.tick(front.clock.now())
            counts.append(sum(bool(script.transport.written) for script in scripts))
        assert counts[-1] == 25
        assert max(b - a for a, b in zip([0, *counts], counts, strict=False)) <= 3


# ---- provisioning -------------------------------------------------------------------------------------------------------


async def test_a_deleted_account_is_unbound_with_a_line():
    """Sessions of an account that is no longer provisioned are unbound; others are left alone."""
    async with front_door(account(), account("acme2")) as front:
        gone, stays = await front.bound(), await front.bound(system_id="acme2")
        del front.directory.accounts["acme1"]
        with capture_logs() as logs:
            front.registry.apply(front.directory)
            await gone.play("<< unbind 1", ">> unbind_resp 1", "<< closed")
        assert [line["event"] for line in logs] == ["account_gone", "unbound"]
        assert logs[1]["reason"] == "account_gone"
        await stays.play(">> enquire_link 2", "<< enquire_link_resp 2")


async def test_a_changed_account_is_served_as_it_is_now():
    """Windows follow the provisioning while the bind stays."""
    async with front_door(account(window=1)) as front:
        session = front.session_of(script := await front.bound())
        front.directory.change("acme1", window=5, deliver_window=2)
        front.registry.apply(front.directory)
        await script.play(">> submit_sm 2", ">> submit_sm 3")
        assert (session.undecided, session.room) == (2, 2)


# ---- sockets ------------------------------------------------------------------------------------------------------------


async def test_real_clients_bind_submit_and_receive():
    """Over TCP: bind, submit, receipt, unbind, with an ESME that shares no code with the session."""
    async with front_door(listen=HERE, clock=Clock()) as front:
        async with await Esme.connect(front.listener.ports[0]) as esme:
            response = await esme.bind("acme1", "secret", version=0x50)
            assert (response.status, version_in(response)) == (0, 0x50)
            sequence = esme.send(const.SUBMIT_SM, pdu.sm_body(source=b"1069", dest=b"86138", short_message=b"x"))
            await eventually(lambda: bool(front.notes.accepted))
            front.notes.answer(b"42")
            assert (await esme.answer_to(sequence)).body == b"42\0"
            (session,) = front.registry.sessions()
            session.deliver(owed(1, RECEIPT))
            assert (await esme.request(const.DELIVER_SM)).body == RECEIPT
            await esme.ask(const.UNBIND)
            await esme.closed()
        assert front.notes.delivered == [(1, 0)]


@pytest.mark.parametrize("knob", ["late", "lost", "garbled"])
async def test_answers_late_lost_or_garbled_come_back_as_none(knob: str):
    """A peer that answers late, never, or under a number that nobody knows has not answered for what it was sent."""
    settings = SessionSettings(response_timeout_s=0.02)
    async with front_door(listen=HERE, clock=Clock(), session=settings) as front, asyncio.TaskGroup() as group:
        ticker = group.create_task(ticking(front))
        async with await Esme.connect(front.listener.ports[0]) as esme:
            await esme.bind("acme1", "secret", "rx")
            match knob:
                case "late":
                    esme.late = True
                case "lost":
                    esme.lost = 1
                case _:
                    esme.garbled = lambda octets: octets[:12] + b"\0\1\0\1" + octets[16:]
            (session,) = front.registry.sessions()
            session.deliver(owed(1, RECEIPT))
            await esme.request(const.DELIVER_SM)
            await eventually(lambda: bool(front.notes.delivered))
            esme.answer_late()
            assert (await esme.ask(const.ENQUIRE_LINK)).status == 0
            assert front.notes.delivered == [(1, None)]
            assert session.delivering == 0
        ticker.cancel()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate for localhost and its key."""
    return self_signed(tmp_path_factory.mktemp("tls"))


async def test_tls_is_an_address_of_its_own(certificate: tuple[str, str]):
    """A TLS listener binds TLS clients; TLS on the clear port, or no TLS on the other, is closed (CONFORMANCE 204)."""
    trust = ssl.create_default_context(cafile=certificate[0])
    options = {"listen": HERE, "tls_listen": HERE, "ssl": server_context(*certificate), "clock": Clock()}
    async with front_door(**options) as front:
        clear, secure = front.listener.ports
        async with await Esme.connect(secure, ssl=trust) as esme:
            assert (await esme.bind("acme1", "secret")).status == 0
            (session,) = front.registry.sessions()
            assert session.wire.tls
            with pytest.raises((ssl.SSLError, OSError)):
                await Esme.connect(clear, ssl=trust)
            async with await Esme.connect(secure) as lost:
                lost.send(const.ENQUIRE_LINK)
                await lost.closed()
            assert (await esme.ask(const.ENQUIRE_LINK)).status == 0
        await eventually(lambda: not any(front.listener._wheel))


async def test_an_account_is_bound_to_its_clients_certificate(certificate: tuple[str, str]):
    """Who shows the certificate that its account names gets in; the same one for an account that names another does not."""
    trust = ssl.create_default_context(cafile=certificate[0])
    trust.load_cert_chain(*certificate)
    octets = ssl.PEM_cert_to_DER_cert(Path(certificate[0]).read_text())
    accounts = (
        account("named", certificates=("CN=localhost",)),
        account("printed", certificates=(f"sha256:{hashlib.sha256(octets).hexdigest()}",)),
        account("other", certificates=("CN=other",)),
        account("safe", tls_only=True),
    )
    context = server_context(*certificate, client_ca=certificate[0])
    async with front_door(*accounts, listen=HERE, tls_listen=HERE, ssl=context, clock=Clock()) as front:
        clear, secure = front.listener.ports
        for system_id, may in (("named", True), ("printed", True), ("other", False), ("safe", True)):
            async with await Esme.connect(secure, ssl=trust) as esme:
                assert ((await esme.bind(system_id, "secret")).status == 0) is may
        async with await Esme.connect(clear) as esme:
            assert (await esme.bind("safe", "secret")).status == const.ESME_RBINDFAIL
        assert front.meters.process.binds_refused == {"certificate_not_allowed": 1, "tls_required": 1}


async def test_a_socket_that_was_opened_by_others_is_served():
    """A socket handed over (systemd's socket activation) is listened on like an address."""
    sock = socket.create_server(("127.0.0.1", 0))
    async with front_door() as front:
        port = await front.listener.open(sock=sock)
        async with await Esme.connect(port) as esme:
            assert (await esme.bind("acme1", "secret")).status == 0


async def test_an_address_that_is_taken_is_an_error():
    """A port that somebody else listens on ends the start with OSError, and nothing is left open."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match=r".*"):
        async with front_door(listen=("127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}")):
            pytest.fail("it listens")


async def test_half_a_pdu_and_a_reset_cost_nothing():
    """Connections that end within a PDU, or by a reset, leave nothing behind (CONFORMANCE 22, 38)."""
    async with front_door(listen=HERE, clock=Clock()) as front:
        for bound in (False, True):
            async with await Esme.connect(front.listener.ports[0]) as esme:
                if bound:
                    await esme.bind("acme1", "secret")
                esme.send_raw(b"\0\0\0\x40\0\0\0\4")
                esme.abort()
        await eventually(lambda: not any(front.listener._wheel))
        assert (len(front.registry), front.listener._by_address, front.registry._claims) == (0, {}, {})


# ---- drain --------------------------------------------------------------------------------------------------------------


async def test_a_drain_ends_well():
    """Draining: no connection, no bind, no submit; what is undecided is answered, then unbind, then closed (CONFORMANCE 202)."""
    async with front_door(listen=HERE, clock=Clock()) as front, asyncio.TaskGroup() as group:
        ticker = group.create_task(ticking(front))
        port = front.listener.ports[0]
        async with await Esme.connect(port) as esme, await Esme.connect(port) as unbound:
            await esme.bind("acme1", "secret")
            body = pdu.sm_body(source=b"1069", dest=b"86138", short_message=b"x")
            first = esme.send(const.SUBMIT_SM, body)
            await eventually(lambda: bool(front.notes.accepted))
            drain = group.create_task(front.listener.drain(5))
            await unbound.closed()
            assert (await esme.ask(const.SUBMIT_SM, body)).status == const.ESME_RSYSERR
            with pytest.raises(OSError, match=r".*"):
                await Esme.connect(port)
            assert not any(p.command == const.UNBIND for p in esme.requests)
            front.notes.answer(b"42")
            assert (await esme.answer_to(first)).body == b"42\0"
            assert (await esme.request(const.UNBIND)).status == 0
            await esme.closed()
            await drain
        ticker.cancel()


async def test_a_drain_has_a_deadline():
    """A session that is never decided and never answers its unbind is cut at the deadline."""
    async with front_door(listen=HERE, clock=Clock()) as front, asyncio.TaskGroup() as group:
        ticker = group.create_task(ticking(front))
        async with await Esme.connect(front.listener.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            esme.quiet = True
            esme.send(const.SUBMIT_SM, pdu.sm_body(source=b"1069", dest=b"86138"))
            await eventually(lambda: bool(front.notes.accepted))
            with capture_logs() as logs:
                await front.listener.drain(0.1)
            assert {"event": "sessions_drained", "cut": 1, "log_level": "info"} in logs
            await esme.closed()
        ticker.cancel()


async def test_no_bind_gets_in_while_draining():
    """A bind that comes, or is still being verified, when the drain begins reads ESME_RSYSERR."""
    async with front_door() as front:
        early, late = front.script(), front.script()
        await early._line(">> bind_transceiver 1 system_id=acme1 password=secret")
        front.listener.draining = True
        await early.play("<< bind_transceiver_resp 1 ESME_RSYSERR")
        await late.play(">> bind_transceiver 1 system_id=acme1 password=secret", "<< bind_transceiver_resp 1 ESME_RSYSERR")


@pytest.mark.parametrize(
    ("text", "host", "port"), [("127.0.0.1:2775", "127.0.0.1", 2775), ("[::1]:0", "::1", 0), (":2775", "", 2775)]
)
def test_addresses_are_host_and_port(text: str, host: str, port: int):
    """An address is host:port, IPv6 in brackets; an empty host is every interface."""
    assert split_address(text) == (host, port)


@pytest.mark.parametrize("text", ["2775", "localhost", "host:", "host:http", "host:65536", "host:-1"])
def test_a_wrong_address_is_a_value_error(text: str):
    """Anything else is refused by name."""
    with pytest.raises(ValueError, match="is not host:port"):
        split_address(text)


def test_kinds_of_binds_have_one_name_each():
    """The test peer and the product call the three binds the same."""
    assert sorted(BINDS) == ["rx", "trx", "tx"]
