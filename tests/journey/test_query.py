"""query_sm and its kin."""

from __future__ import annotations

from smsgw.model import State
from smsgw.smpp import bodies, const, multi
from tests.journey.scene import Scene, id_of
from tests.peers import Esme
from tests.rig import provisioning, running
from tests.smsc import Smsc


async def test_a_tenant_may_ask_for_its_own_messages_only(database: str):
    """State by id and source address; a wrong source, an unknown id or another's message: RQUERYFAIL (item 185)."""
    async with Smsc() as smsc, running(database, provisioning(smsc.port)) as daemon:
        await smsc.bound()
        async with await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            message_id = (await esme.submit(source=b"1069", registered_delivery=1)).body[:-1]
            await smsc.submitted(1)
            found = await esme.ask(const.QUERY_SM, bodies.query_sm_body(message_id=message_id, source=b"1069"))
            assert found.status == const.ESME_ROK
            assert bodies.read_query_sm_resp(found.octets).message_state == const.STATE_ENROUTE
            smsc.receipt(smsc.submits[0])
            await esme.request(const.DELIVER_SM)
            final = await esme.ask(const.QUERY_SM, bodies.query_sm_body(message_id=message_id, source=b"1069"))
            told = bodies.read_query_sm_resp(final.octets)
            assert (told.message_state, len(told.final_date)) == (const.STATE_DELIVERED, 16)
            for wrong_id, source in ((message_id, b"1070"), (b"123456789", b"1069"), (b"", b"1069"), (b"no-number", b"1069")):
                refused = await esme.ask(const.QUERY_SM, bodies.query_sm_body(message_id=wrong_id, source=source))
                assert refused.status == const.ESME_RQUERYFAIL


async def test_what_is_not_offered_is_said_so(database: str):
    """cancel_sm and replace_sm get their failure status, submit_multi a generic_nack; the bind lives on (item 188)."""
    async with (
        Smsc() as smsc,
        running(database, provisioning(smsc.port)) as daemon,
        await Esme.connect(daemon.ports[0]) as esme,
    ):
        await esme.bind("acme1", "secret")
        cancelled = await esme.ask(const.CANCEL_SM, bodies.cancel_sm_body(message_id=b"1"))
        assert cancelled.status == const.ESME_RCANCELFAIL
        replaced = await esme.ask(const.REPLACE_SM, bodies.replace_sm_body(message_id=b"1", short_message=b"x"))
        assert replaced.status == const.ESME_RREPLACEFAIL
        body = multi.submit_multi_body(source=b"1", destinations=(multi.Destination(1, 1, 1, b"2"),), short_message=b"x")
        nacked = await esme.ask(const.SUBMIT_MULTI, body)
        assert (nacked.command, nacked.status) == (const.GENERIC_NACK, const.ESME_RINVCMDID)
        assert (await esme.ask(const.ENQUIRE_LINK)).status == const.ESME_ROK


OTHER = '[[account]]\ntenant = "acme"\nsystem_id = "acme2"\npassword = "secret"'


async def test_nobody_learns_of_anothers_message(database: str):
    """An account of the same tenant asks with the right id and source and finds nothing."""
    async with Scene(database, account=OTHER).playing() as scene:
        tenant, other = await scene.tenant(), await scene.tenant(system_id="acme2")
        ours = id_of(await tenant.submit(source=b"1069"))
        asked = bodies.query_sm_body(message_id=ours, source=b"1069")
        assert (await tenant.ask(const.QUERY_SM, asked)).status == const.ESME_ROK
        assert (await other.ask(const.QUERY_SM, asked)).status == const.ESME_RQUERYFAIL


async def test_a_state_is_told_with_its_error(database: str):
    """REFUSED is message_state 8 with the carrier's error; what waits in the store is still on its way."""
    async with Scene(database).playing() as scene:
        scene.smsc.statuses.append(const.ESME_RINVDSTADR)
        tenant = await scene.tenant()
        refused = id_of(await tenant.submit())
        await scene.in_state(refused, State.REFUSED)
        await scene.smsc.close()
        scene.smsc.cut()
        await scene.until(lambda: not scene.daemon.carriers.bound(1))
        waiting = id_of(await tenant.submit())
        for message_id, state, error in ((refused, 8, 11), (waiting, 1, 0)):
            answer = await tenant.ask(const.QUERY_SM, bodies.query_sm_body(message_id=message_id, source=b"1069"))
            told = bodies.read_query_sm_resp(answer.octets)
            assert (told.message_id, told.message_state, told.error_code) == (message_id, state, error)


async def test_an_old_session_asks_by_its_short_id(database: str):
    """SMPP 3.3: the 8 hex digits of its submit_sm_resp name the message, before and after a restart."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant(version=const.V33)
        while (answer := await tenant.submit()).status == const.ESME_RTHROTTLED:
            assert not tenant.ended.is_set()
        short = id_of(answer)
        await scene.kill()
        await scene.start()
        tenant = await scene.tenant(version=const.V33)
        found = await tenant.ask(const.QUERY_SM, bodies.query_sm_body(message_id=short, source=b"1069"))
        assert bodies.read_query_sm_resp(found.octets).message_id == short
        while (answer := await tenant.submit()).status == const.ESME_RTHROTTLED:
            assert not tenant.ended.is_set()
        assert id_of(answer) > short


async def test_without_its_store_the_gateway_says_so(database: str):
    """The store is away: ESME_RSYSERR, as for a submit; a query is never left without an answer."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit())
        asked = bodies.query_sm_body(message_id=ours, source=b"1069")
        await scene.connection.execute("ALTER TABLE short_id RENAME TO gone")
        assert (await tenant.ask(const.QUERY_SM, asked)).status == const.ESME_RSYSERR
        await scene.connection.execute("ALTER TABLE gone RENAME TO short_id")
        assert (await tenant.ask(const.QUERY_SM, asked)).status == const.ESME_ROK
