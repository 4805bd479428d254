"""Content of accounts whose retention seals it: at rest nobody reads it, and carriers and tenants see no difference."""

from __future__ import annotations

from pathlib import Path

from smsgw.model import State
from smsgw.smpp import const, pdu
from smsgw.store.sealed import MARK, Unreadable
from tests.journey.parted import POLICY, policed, put
from tests.journey.scene import Scene, id_of
from tests.rig import provisioning

RETENTION = '[[retention]]\nname = "eu"\nprofile = "eu_min"\nencrypted = true\n'
TEXT = b"Your code is 483920, Zoe"


def sealed(*ports: int) -> str:
    """Return a provisioning file whose account keeps little, and that sealed."""
    return provisioning(*ports, account='retention = "eu"') + RETENTION


async def test_what_is_at_rest_is_sealed_and_goes_out_as_it_came(database: str):
    """The row is of the account's class and does not open without the key; the carrier gets the tenant's octets."""
    async with Scene(database, text=sealed).playing() as scene:
        tenant = await scene.tenant()
        number = int(id_of(await tenant.submit(text=TEXT, registered_delivery=1)))
        submit = await scene.smsc.submit()
        assert submit.content == TEXT
        row = await scene.connection.fetchrow("SELECT class, body FROM content WHERE id = $1", number)
        assert row["class"] == 1
        assert row["body"].startswith(MARK)
        assert TEXT not in row["body"]
        opened = scene.daemon.content_keys.open(number, row["body"])
        assert opened == submit.pdu.body
        scene.smsc.receipt(submit)
        assert (await scene.receipt(tenant)).message_id == b"%d" % number


async def test_what_waited_in_the_store_is_opened_when_it_goes(database: str):
    """After a crash a queued message and a handset's message are read back and go out octet for octet."""
    async with Scene(database, text=sealed).playing() as scene:
        await scene.smsc.close()
        scene.smsc.cut()
        await scene.until(lambda: not any(scene.daemon.carriers.bound(link.id) for link in scene.daemon.directory.links()))
        tenant = await scene.tenant("tx")
        number = int(id_of(await tenant.submit(text=TEXT)))
        await scene.in_state(number, State.QUEUED)
        await scene.settled()
        await scene.kill()
        await scene.smsc.open()
        await scene.start()
        assert (await scene.smsc.submit()).content == TEXT
        body = pdu.sm_body(source=b"4915112345678", dest=b"10690001", short_message=b"STOP it, Zoe")
        answer = await scene.smsc.delivered(scene.smsc.deliver(body))
        assert answer.status == const.ESME_ROK
        (stored,) = [row["body"] for row in await scene.connection.fetch("SELECT body FROM owed WHERE kind = 2")]
        assert stored.startswith(MARK)
        receiver = await scene.tenant("rx")
        assert (await receiver.request(const.DELIVER_SM)).body == body


SPOKEN = {
    "message": "Your code is 483920, Zoe",
    "handset": "STOP calling me, Zoe",
    "review": "快加微信，有惊喜",
    "part": "第一部分在这里",
}


async def tables_with(scene: Scene, said: str) -> set[str]:
    """The tables in which a text, or the beginning of it, stands in any column, in any coding that was used."""
    needles = {said[:8], said[:8].encode().hex(), said[:8].encode("utf-16-be").hex()}
    named = "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, c.relname FROM pg_class c JOIN pg_namespace n"
    tables = await scene.connection.fetch(
        f"{named} ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') AND n.nspname NOT LIKE 'pg\\_%'"
        " AND n.nspname <> 'information_schema'"
    )
    found = set()
    for row in tables:
        for needle in needles:
            if await scene.connection.fetchval(
                f"SELECT EXISTS (SELECT FROM {row['name']} t WHERE t::text LIKE '%' || $1 || '%')", needle
            ):
                found.add(row["relname"].partition("_")[0])
    return found


async def live(scene: Scene) -> None:
    """A life that leaves all there may be at rest: sent, with a receipt that nobody fetches; MO; review; part; parked; spilled."""
    tenant = await scene.tenant("tx")
    text = SPOKEN["message"].encode()
    number = int(id_of(await tenant.submit(text=text, registered_delivery=1)))
    submit = await scene.smsc.submit()
    await scene.in_state(number, State.SENT)
    await scene.smsc.delivered(scene.smsc.receipt(submit, said=text[:20]))
    await scene.smsc.delivered(scene.smsc.receipt(submit, text_id=b"999", tlv_id=b"999", said=text[:20]))
    body = pdu.sm_body(source=b"4915112345678", dest=b"10690001", short_message=SPOKEN["handset"].encode())
    await scene.smsc.delivered(scene.smsc.deliver(body))
    id_of(await tenant.submit(b"10690001", text=SPOKEN["review"].encode("utf-16-be"), data_coding=8))
    id_of(await put(tenant, SPOKEN["part"], 1, 2))
    await scene.smsc.close()
    scene.smsc.cut()
    await scene.until(lambda: not any(scene.daemon.carriers.bound(link.id) for link in scene.daemon.directory.links()))
    id_of(await tenant.submit(text=text))
    await scene.settled()
    await scene.turns()
    assert await scene.count("owed") >= 2
    assert await scene.count("orphan") == 1
    assert await scene.count("waiting") >= 1
    assert await scene.count("held_text") == 2


async def test_no_table_holds_what_a_sealed_account_said(database: str, tmp_path: Path):
    """After messages, receipts with text, MO, a review, a part, a parked receipt and a spill: in no column of no table."""
    judged = policed(tmp_path, POLICY, 'retention = "eu"\n')
    async with Scene(database, text=lambda *ports: judged(*ports) + RETENTION).playing() as scene:
        await live(scene)
        assert {said: await tables_with(scene, said) for said in SPOKEN.values()} == {said: set() for said in SPOKEN.values()}


async def test_what_is_not_sealed_would_be_found(database: str, tmp_path: Path):
    """The same life of an account that does not seal: so much is seen by who looks."""
    async with Scene(database, text=policed(tmp_path)).playing() as scene:
        await live(scene)
        found = {name: await tables_with(scene, said) for name, said in SPOKEN.items()}
        assert found == {"message": {"content", "owed", "orphan"}, "handset": {"owed"}, "review": {"content"}, "part": {"content"}}


async def test_a_sealed_receipt_comes_as_the_carrier_wrote_it(database: str):
    """Owed or parked, also over a restart: opened, with every octet of its text."""
    async with Scene(database, text=sealed).playing() as scene:
        tenant = await scene.tenant("tx")
        id_of(await tenant.submit(text=TEXT, registered_delivery=1))
        submit = await scene.smsc.submit()
        await scene.smsc.delivered(scene.smsc.receipt(submit, text_id=b"2", tlv_id=b"2", said=TEXT[:20]))
        (parked,) = [row["body"] for row in await scene.connection.fetch("SELECT body FROM orphan")]
        assert parked.startswith(MARK)
        await scene.smsc.delivered(scene.smsc.receipt(submit, said=TEXT[:20]))
        (owed,) = [row["body"] for row in await scene.connection.fetch("SELECT body FROM owed")]
        assert owed.startswith(MARK)
        await scene.kill()
        await scene.start()
        await scene.daemon.recover._sweep_parked()
        assert (await scene.receipt(await scene.tenant("rx"))).text == TEXT[:20]
        second = id_of(await (await scene.tenant("tx")).submit(text=TEXT, registered_delivery=1))
        await scene.in_state(second, State.DELIVERED)
        await scene.emptied("orphan")


async def test_a_parked_receipt_that_does_not_open_goes_in_its_time(database: str):
    """It means nothing to anybody, harms nobody, and is dropped once its time is over."""
    async with Scene(database, text=sealed, more="[receipts]\nparked_ttl_s = 60.0").playing() as scene:
        tenant = await scene.tenant("tx")
        id_of(await tenant.submit(text=TEXT, registered_delivery=1))
        submit = await scene.smsc.submit()
        await scene.smsc.delivered(scene.smsc.receipt(submit, text_id=b"2", tlv_id=b"2", said=TEXT[:20]))
        await scene.connection.execute("UPDATE orphan SET body = set_byte(body, 9, get_byte(body, 9) # 1)")
        await scene.kill()
        await scene.start()
        await scene.daemon.recover._sweep_parked()
        assert await scene.count("orphan") == 1
        await scene.later(61.0)
        await scene.daemon.recover._sweep_parked()
        await scene.emptied("orphan")


async def test_without_its_key_a_message_waits(database: str):
    """What cannot be opened is not sent as something else: it stays open, and nothing goes out."""
    async with Scene(database, text=sealed).playing() as scene:
        await scene.smsc.close()
        scene.smsc.cut()
        await scene.until(lambda: not any(scene.daemon.carriers.bound(link.id) for link in scene.daemon.directory.links()))
        tenant = await scene.tenant("tx")
        number = int(id_of(await tenant.submit(text=TEXT)))
        await scene.in_state(number, State.QUEUED)
        await scene.settled()
        await scene.kill()
        await scene.connection.execute("UPDATE content SET body = set_byte(body, 9, get_byte(body, 9) # 1)")
        await scene.smsc.open()
        await scene.start()
        await scene.turns()
        assert not scene.smsc.submits
        await scene.connection.execute("UPDATE content SET body = set_byte(body, 9, get_byte(body, 9) # 1)")
        await scene.stop()
        await scene.start()
        await scene.later(61.0)  # it is tried each minute, whoever runs
        assert (await scene.smsc.submit()).content == TEXT


async def test_a_text_of_which_a_part_does_not_open_waits_as_a_whole(database: str, tmp_path: Path):
    """It is not judged by what can be read of it: once the key is there, the whole is, and goes out in order."""
    judged = policed(tmp_path, POLICY, 'retention = "eu"\n')
    async with Scene(database, text=lambda *ports: judged(*ports) + RETENTION).playing() as scene:
        tenant = await scene.tenant()
        keys, shut = scene.daemon.content_keys, True
        tried = 0

        def opened(owner: int, stored: bytes) -> bytes:
            nonlocal tried
            if shut and owner == first:
                tried += 1
                raise Unreadable("its key is not here")
            return keys.open(owner, stored)

        first = int(id_of(await put(tenant, "你好，", 1, 2)))
        scene.daemon.desk.opened = opened
        id_of(await put(tenant, "张三", 2, 2))
        await scene.hastened(lambda: tried >= 2)
        assert scene.smsc.submits == []
        assert await scene.count("message WHERE state = $1", int(State.HELD)) == 2
        shut = False
        await scene.hastened(lambda: len(scene.smsc.submits) == 2)
        assert [submit.content[6:].decode("utf-16-be") for submit in scene.smsc.submits] == ["你好，", "张三"]


async def test_a_running_gateway_lets_content_go(database: str):
    """With content_h = 0 it is gone with the next round once it is sent, and not before."""
    nothing_kept = RETENTION.replace("encrypted", "content_h = 0\nencrypted")
    async with Scene(database, text=lambda *ports: sealed(*ports).replace(RETENTION, nothing_kept)).playing() as scene:
        recover = scene.daemon.recover
        scene.smsc.late = True
        tenant = await scene.tenant()
        number = id_of(await tenant.submit(text=TEXT))
        await scene.smsc.submit()
        await scene.settled()
        await recover._upkeep()
        await recover._round(1)
        assert await scene.count("content") == 1
        scene.smsc.answer_late()
        await scene.in_state(number, State.SENT)
        await recover._upkeep()
        await scene.emptied("content")
