"""query_sm and its kin."""

from __future__ import annotations

from smsgw.smpp import bodies, const, multi
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
