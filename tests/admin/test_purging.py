"""The end of a contract: what may go goes and is certified, what is held is named, and nothing is certified that was not done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from smsgw.admin import contents, purging, recipients, standing
from smsgw.admin.content_keys import content_keys
from smsgw.admin.purging import Asked
from smsgw.admin.recipients import By
from smsgw.admin.sealing import Key
from smsgw.admin.signing import Signer
from smsgw.admin.standing import NotAllowed, find
from smsgw.compliance.lists import Entry
from smsgw.policy.marks import Marks
from smsgw.smpp.pdu import sm_body
from smsgw.store import audits, mark_chain, provisioning, purges
from smsgw.store.database import Connection, connect
from smsgw.store.ids import least_id_at
from smsgw.store.sealed import ContentKeys

SIGNER, OTHER = Signer(Key(bytes(32))), Signer(Key(bytes([1] * 32)))
KNOWN, BY = Marks(bytes(32)), By("ann", "ticket 7")
ASKED = Asked("bea", "contract 7 ended")
OURS, THEIRS = "8613800138000", "8613900139000"
NOW = datetime.now(UTC)
OLD, NEW = least_id_at((NOW - timedelta(days=170)).timestamp()), least_id_at((NOW - timedelta(days=10)).timestamp())
WORDS = b"your code is 483920"


@pytest.fixture
def keys(tmp_path: Path) -> ContentKeys:
    """Keys of a data_dir."""
    return content_keys(tmp_path)


async def message(connection: Connection, number: int, tenant: int, *, state: int = 10, body: bytes | None = None) -> None:
    """A message of a tenant's first account, with what it said."""
    dest = OURS if tenant == 1 else THEIRS
    await connection.execute(
        "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
        " destination, sent_ms, done_ms) VALUES ($1, $2, $2, $3, 0, 0, 0, 1, 4, 0, 1, 'ACME', $4, 1, 1)",
        number, tenant, state, dest,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO content (class, id, body) VALUES (0, $1, $2)",
        number,
        body or sm_body(source=b"ACME", dest=dest.encode(), short_message=WORDS if tenant == 1 else b"their words"),
    )


@pytest.fixture
async def store(connection: Connection, keys: ContentKeys) -> Connection:
    """Acme, which is closed and has its data back: old and new messages, one sealed, a receipt, a reference, marks; and borg."""
    for name in ("acme", "borg"):
        await provisioning.put(connection, ("tenant", name), {"currency": "CNY", "credit_limit": 0, "basis": "submitted"})
        await provisioning.put(connection, ("account", f"{name}1"), {"tenant": name})
    for tenant in (1, 2):
        await message(connection, OLD + tenant, tenant)
        await message(connection, NEW + tenant, tenant)
        account, number = ("acme1", OURS) if tenant == 1 else ("borg1", THEIRS)
        await recipients.mark(connection, KNOWN, await recipients.opt_out_scope(connection, account), [Entry(number)], BY)
        await recipients.consent(connection, KNOWN, account, [Entry(number, None, "form", f"order of {number}")], BY)
        await connection.execute(
            "INSERT INTO owed (id, account, message, kind, command, expires_ms, body) VALUES ($1, $2, $3, 0, 5, 0, $4)",
            NEW + 10 + tenant, tenant, NEW + tenant, sm_body(source=number.encode(), dest=b"1", short_message=b"text:your"),
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO upstream_ref (at, link, message, upstream_id, destination) VALUES ($1, 1, $1, 'up', $2)",
            NEW + tenant,
            number,
        )
    sealed = keys.seal(NEW + 3, sm_body(source=b"ACME", dest=OURS.encode(), short_message=WORDS))
    await message(connection, NEW + 3, 1, body=sealed)
    await standing.change_state(connection, "tenant", "acme", "frozen", actor="ann", reason="ends")
    await standing.change_state(connection, "tenant", "acme", "closed", actor="ann", reason="ended")
    await exported(connection)
    return connection


async def exported(connection: Connection, since: datetime = NOW - timedelta(days=500), till: datetime = NOW, **said: Any) -> None:
    """Acme has got what an export of this span has."""
    span = {"from": since.isoformat(), "until": till.isoformat(), "content": True, **said}
    await provisioning.audit(connection, "ann", ("export", "acme"), None, {"files": {}, **span})


async def retained(connection: Connection, tenant: str, profile: str) -> None:
    """A tenant's first account is of a retention now, and so is what its messages said."""
    await connection.execute("SELECT put_retention($1, $2, 3600, 0, false)", profile, profile)
    settings = json.dumps({"retention": profile})
    await connection.execute("UPDATE account SET settings = $2 WHERE system_id = $1", f"{tenant}1", settings)
    await connection.execute("UPDATE content SET class = 1 WHERE id IN (SELECT id FROM message m WHERE m.tenant = 1)")


async def purged(connection: Connection, keys: ContentKeys, asked: Asked = ASKED) -> dict[str, Any]:
    """What the certificate of acme's purge says."""
    return (await purging.purge(connection, "acme", keys.open, SIGNER, asked)).said


def counts(said: dict[str, Any]) -> dict[str, int]:
    """What was deleted, by kind."""
    return {one["kind"]: one["rows"] for one in said["deleted"]}


async def everything(connection: Connection) -> str:
    """All rows of all tables, as text."""
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = [await connection.fetchval(f"SELECT string_agg(t::text, ' ') FROM {row['tablename']} t") for row in tables]
    return " ".join(filter(None, found))


async def test_what_nothing_holds_is_gone(store: Connection, keys: ContentKeys):
    """Words, numbers, receipts, references, consents, marks of the tenant; nothing of another; the chains still fit (C35)."""
    hashed = recipients.hex_of(KNOWN.hash_of(OURS))
    said = await purged(store, keys)
    assert counts(said) == {"content": 3, "numbers": 3, "waiting": 1, "references": 1, "consents": 1, "marks": 2}
    assert (said["held"], said["complete"], said["tenant"], said["asked_by"]) == ([], True, "acme", "bea")
    (content, *_) = said["deleted"]
    assert content["from"][:10] == f"{NOW - timedelta(days=170):%Y-%m-%d}"
    assert content["until"][:10] == f"{NOW - timedelta(days=10):%Y-%m-%d}"
    left = await everything(store)
    assert [
        word for word in (OURS, "8613****8000", WORDS.hex(), f"order of {OURS}", str(KNOWN.hash_of(OURS))) if word in left
    ] == []
    assert hashed in left  # the audit says who put which hash on record
    assert left.count(THEIRS) >= 4
    assert await store.fetchval("SELECT count(*) FROM message WHERE tenant = 1 AND price = 1") == 3
    assert (await audits.verify(store)).fault is None
    assert (await mark_chain.verify(store)).fault is None


async def test_rows_that_went_otherwise_are_missed(store: Connection, keys: ContentKeys):
    """Who says of a row that it went with a purge of which the audit knows nothing, or knows less, is found out."""
    await purged(store, keys)
    for forged in ("INSERT INTO mark_gone VALUES (3, 99)", "UPDATE mark_gone SET page = 1 WHERE event = 3"):
        await store.execute(f"SET session_replication_role = replica; {forged}; DELETE FROM mark_event WHERE id = 3")
        fault = (await mark_chain.verify(store)).fault
        assert fault is not None
        assert "of which the audit says something else" in fault.why
    with pytest.raises(asyncpg.PostgresError, match="never changed or deleted"):
        await store.execute("SET session_replication_role = origin; DELETE FROM mark_event WHERE id = 4")


async def test_what_the_law_keeps_waits(store: Connection, keys: ContentKeys):
    """Of cn_port: words and numbers of 150 days, what recipients said for five months after the end; each with until when."""
    await retained(store, "acme", "cn_port")
    said = await purged(store, keys)
    assert counts(said) == {"content": 1, "numbers": 1, "waiting": 1, "references": 1}
    held = {one["kind"]: (one["rows"], one["why"], one["held_until"][:10]) for one in said["held"]}
    till = f"{NOW + timedelta(days=140):%Y-%m-%d}"
    assert held["content"] == (2, "by law: cn_port", till)
    assert held["numbers"] == (2, "by law: cn_port", till)
    assert (held["consents"][0], held["marks"][0]) == (1, 2)
    assert f"{NOW + timedelta(days=148):%Y-%m-%d}" < held["marks"][2] < f"{NOW + timedelta(days=155):%Y-%m-%d}"
    assert not said["complete"]
    again = await purged(store, keys)
    assert again == said
    assert await store.fetchval("SELECT count(*) FROM deletion_certificate") == 1


async def test_the_law_keeps_what_was_sent_under_it(store: Connection, keys: ContentKeys):
    """Also where the account has come to a shorter retention since, or its retention was made another one, before the end."""
    await retained(store, "acme", "cn_port")
    await store.execute("SELECT set_retention('cn_port', 'custom', 1, 7, false)")
    await store.execute("UPDATE account SET settings = '{}' WHERE system_id = 'acme1'")
    assert await store.fetchval("SELECT count(*) FROM retention_span WHERE account = 1") == 4
    sent = least_id_at((NOW - timedelta(days=20)).timestamp())
    await store.execute("UPDATE account_retention SET since_id = $1 WHERE account = 1 AND class = 1", sent)
    said = await purged(store, keys)
    held = {one["kind"]: (one["rows"], one["why"]) for one in said["held"]}
    assert held == dict.fromkeys(("content", "numbers"), (2, "by law: cn_port")) | {
        "consents": (1, "by law: cn_port"), "marks": (2, "by law: cn_port"),
    }  # fmt: skip
    assert counts(said)["numbers"] == 1


async def test_once_nothing_holds_it_the_rest_goes(store: Connection, keys: ContentKeys):
    """Asked again, a new certificate counts all that went, and names the one before it."""
    of = await find(store, "tenant", "acme")
    hold = await contents.hold(store, of, contents.meant_of(of, from_id=NEW), actor="ann", reason="court")
    first = await purging.purge(store, "acme", keys.open, SIGNER, ASKED)
    assert counts(first.said) == {"content": 1, "numbers": 1}
    assert {(one["kind"], one["why"]) for one in first.said["held"]} == {(kind, "under a legal hold") for kind in purges.KINDS}
    await contents.release(store, hold, actor="ann", reason="court is done")
    second = await purging.purge(store, "acme", keys.open, SIGNER, ASKED)
    assert counts(second.said) == {"content": 3, "numbers": 3, "waiting": 1, "references": 1, "consents": 1, "marks": 2}
    assert (second.said["complete"], second.said["after"]) == (True, first.sha256)
    assert (await mark_chain.verify(store)).fault is None


async def test_a_hold_that_is_set_meanwhile_holds(
    store: Connection, keys: ContentKeys, database: str, monkeypatch: pytest.MonkeyPatch
):
    """Whatever the purge is about to do with its page: what is held stays and is named, what is not goes."""
    court, of, take = await connect(database), await find(store, "tenant", "acme"), purges.take

    async def meanwhile(connection: Connection, kind: str, tenant: int, ids: Sequence[int]) -> int:
        taken = await take(connection, kind, tenant, ids)
        if kind == "numbers" and not await court.fetchval("SELECT count(*) FROM legal_hold"):
            await contents.hold(court, of, contents.meant_of(of, from_id=NEW), actor="ann", reason="court")
        return taken

    monkeypatch.setattr(purges, "take", meanwhile)
    said = await purged(store, keys)
    assert counts(said) == {"content": 3, "numbers": 1}
    assert {one["kind"]: one["rows"] for one in said["held"]} == {
        "numbers": 2, "waiting": 1, "references": 1, "consents": 1, "marks": 2,
    }  # fmt: skip
    assert await store.fetchval("SELECT count(*) FROM message WHERE destination = $1 AND tenant = 1", OURS) == 2
    await court.close()


async def test_an_account_that_is_gone_is_held_as_the_law_may_want(store: Connection, keys: ContentKeys):
    """Nobody knows its retention any more: its new messages keep their numbers, and what recipients said stays for five months."""
    await provisioning.delete(store, ("account", "acme1"))
    said = await purged(store, keys)
    held = {one["kind"]: one["rows"] for one in said["held"]}
    assert held == {"numbers": 2, "consents": 1, "marks": 2}


@pytest.mark.parametrize("page", range(1, 8))
async def test_a_kill_in_between_certifies_nothing_and_loses_nothing(
    store: Connection, keys: ContentKeys, monkeypatch: pytest.MonkeyPatch, page: int
):
    """Wherever it ends, what went is counted once, and asking again ends with the same certificate as without."""
    done = 0
    count = purges.count

    async def killed(connection: Connection, *given: Any) -> None:
        nonlocal done
        done += 1
        if done == page:
            raise ConnectionResetError
        await count(connection, *given)

    monkeypatch.setattr(purges, "count", killed)
    if page == 7:  # all went, and the certificate is not made
        monkeypatch.setattr(purges, "keep", killed)
    with pytest.raises(ConnectionResetError):
        await purged(store, keys)
    monkeypatch.undo()
    assert await purges.certificate(store, "acme") is None
    assert (await mark_chain.verify(store)).fault is None
    said = await purged(store, keys)
    assert counts(said) == {"content": 3, "numbers": 3, "waiting": 1, "references": 1, "consents": 1, "marks": 2}


async def test_it_is_for_contracts_that_ended_and_have_their_data(store: Connection, keys: ContentKeys, database: str):
    """Not before it is closed, nor before an export since then, unless nobody wants one; not by two at once nor without reason."""
    with pytest.raises(NotAllowed, match="borg is not closed"):
        await purging.purge(store, "borg", keys.open, SIGNER, ASKED)
    with pytest.raises(ValueError, match="--reason"):
        await purged(store, keys, Asked("bea", " "))
    await standing.change_state(store, "tenant", "borg", "frozen", actor="ann", reason="ends")
    await standing.change_state(store, "tenant", "borg", "closed", actor="ann", reason="ended")
    with pytest.raises(NotAllowed, match="smsgw export borg"):
        await purging.purge(store, "borg", keys.open, SIGNER, ASKED)
    other = await connect(database)
    assert await purges.alone(other, 2)
    with pytest.raises(NotAllowed, match="somebody else"):
        await purging.purge(store, "borg", keys.open, SIGNER, Asked("bea", "no answer", unreturned=True))
    await other.close()
    await store.execute("SELECT pg_advisory_lock(hashtext('smsgw_purge'), 2)")
    made = await purging.purge(store, "borg", keys.open, SIGNER, Asked("bea", "no answer", unreturned=True))
    assert (made.said["returned"], made.said["complete"]) == (None, True)


@pytest.fixture
async def unexported(store: Connection) -> Connection:
    """The same, but none of it was given back."""
    await store.execute("SET session_replication_role = replica; DELETE FROM audit WHERE kind = 'export'")
    await store.execute("SET session_replication_role = origin")
    await store.execute(
        "INSERT INTO owed (id, account, message, kind, command, expires_ms, body) VALUES ($1, 1, 0, 2, 5, 0, 'from a handset')",
        NEW + 20,
    )
    return store


async def test_a_part_is_not_taken_for_the_whole(unexported: Connection, keys: ContentKeys):
    """An export of some days, or without content, is not all there is; a purge in spite of it certifies what was given back."""
    middle = NOW - timedelta(days=60)
    await exported(unexported, middle)
    with pytest.raises(NotAllowed, match=r"closed, messages \(1\), what messages say \(1\): smsgw export acme --content"):
        await purged(unexported, keys)
    await exported(unexported, NOW - timedelta(days=500), middle, content=False)
    with pytest.raises(NotAllowed, match=r"closed, what messages say \(1\): "):
        await purged(unexported, keys)
    said = (await purged(unexported, keys, Asked("bea", "no answer", unreturned=True)))["returned"]
    assert (said["whole"], said["in_none"]) == (False, {"messages": 0, "mo": 0, "content": 1})
    assert [(one["from"][:10], one["until"][:10], one["content"]) for one in said["exports"]] == [
        (f"{middle:%Y-%m-%d}", f"{NOW:%Y-%m-%d}", True), (f"{NOW - timedelta(days=500):%Y-%m-%d}", f"{middle:%Y-%m-%d}", False),
    ]  # fmt: skip


async def test_parts_that_together_are_the_whole_count(unexported: Connection, keys: ContentKeys):
    """Two exports that meet have it all, and the certificate names both."""
    middle = NOW - timedelta(days=60)
    await exported(unexported, NOW - timedelta(days=500), middle)
    await exported(unexported, middle)
    said = (await purged(unexported, keys))["returned"]
    assert (said["whole"], len(said["exports"]), sum(said["in_none"].values())) == (True, 2, 0)


async def test_an_export_has_nothing_that_came_later_nor_of_an_unknown_span(unexported: Connection, keys: ContentKeys):
    """Nothing that came after it was taken, whatever span it was asked for; one whose span the audit does not tell has nothing."""
    await provisioning.audit(unexported, "ann", ("export", "acme"), None, {"files": {}, "content": True})
    with pytest.raises(NotAllowed, match=r"messages \(3\), messages of handsets \(1\), what messages say \(3\): "):
        await purged(unexported, keys)
    await exported(unexported, till=NOW + timedelta(days=9))
    await unexported.execute("UPDATE owed SET id = $1 WHERE kind = 2", least_id_at((NOW + timedelta(days=1)).timestamp()))
    with pytest.raises(NotAllowed, match=r"closed, messages of handsets \(1\): "):
        await purged(unexported, keys)


async def test_what_is_open_or_on_its_way_stays(store: Connection, keys: ContentKeys):
    """A message without its end, and a receipt that is being delivered, are named and left."""
    await store.execute("UPDATE message SET state = 3, done_ms = 0 WHERE id = $1", NEW + 1)
    await store.execute("UPDATE owed SET node = 1 WHERE account = 1")
    found = {one.kind: one for one in await purging.preview(store, "acme")}
    assert (found["content"].free, found["content"].held[0].why) == (2, "not at its end yet")
    said = await purged(store, keys)
    held = {one["kind"]: (one["rows"], one["why"]) for one in said["held"]}
    assert held == {
        "content": (1, "not at its end yet"), "numbers": (1, "not at its end yet"), "references": (1, "not at its end yet"),
        "waiting": (1, "being delivered"),
    }  # fmt: skip


async def test_nobody_knows_any_more_who_was_answered(store: Connection, keys: ContentKeys):
    """The last answer to each number goes with the messages and marks, also where its message is kept no more; not another's."""
    ours, theirs = KNOWN.hash_of(OURS), KNOWN.hash_of(THEIRS)
    answers = [(ours, "1", NEW + 1, "refuse"), (ours, "2", 5, "refuse"), (77, "1", NEW + 3, "help"), (theirs, "1", NEW + 2, "help")]
    await store.executemany("INSERT INTO reply_last (number, service, message, means) VALUES ($1, $2, $3, $4)", answers)
    await purged(store, keys)
    assert [row["number"] for row in await store.fetch("SELECT number FROM reply_last")] == [theirs]
    assert str(ours) not in await everything(store)


async def test_documents_in_which_numbers_stand_are_told(store: Connection, keys: ContentKeys):
    """Detail files of closed cycles are books and stay: the certificate does not hide it."""
    await store.execute(
        "INSERT INTO statement (direction, party, cycle, from_ms, until_ms, closing, content, sha256, actor)"
        " SELECT 'tenant', unnest(ARRAY['acme', 'borg']), '2026-10', 0, 1, 0, '{}', '', 'ann'"
    )
    await store.execute(
        "INSERT INTO statement_file (statement, name, sha256, body)"
        " SELECT id, party || unnest(ARRAY['-2026-10-detail.csv', '-2026-10.pdf']),"
        " '', 'x' FROM statement"
    )
    said = await purged(store, keys)
    assert said["kept"]["details"].startswith("1 detail files of closed cycles, in which numbers stand")


async def test_a_certificate_proves_itself(store: Connection, keys: ContentKeys):
    """By its signature; what was changed, or signed by another, is found; and whether it was made here, by the audit."""
    made = await purging.purge(store, "acme", keys.open, SIGNER, ASKED)
    text = purging.shown(made)
    said, faults = purging.read(text, SIGNER.public)
    assert (said["sha256"], faults) == (made.sha256, [])
    assert await purging.check_made_here(store, made.sha256) == []
    assert await purging.check_made_here(store, "0" * 64) == ["no certificate of this hash was ever made here"]
    assert purging.read(text, OTHER.public)[1] == ["it was not signed as it is with the key given"]
    assert len(purging.read(text.replace('"rows": 3', '"rows": 4'))[1]) == 2
    empty, other = (json.dumps({**json.loads(text), "certificate": json.loads(one)}) for one in ("{}", "[]"))
    for nonsense in ("", "{}", "[1]", text.replace('"key"', '"kez"'), text.replace('"closed"', '"open"'), empty, other):
        with pytest.raises(ValueError, match="is no certificate"):
            purging.read(nonsense)
    with pytest.raises(asyncpg.PostgresError, match="evidence"):
        await store.execute("UPDATE deletion_certificate SET content = ''")
    await store.execute("SET session_replication_role = replica; UPDATE audit SET actor = 'eve' WHERE kind = 'tenant_purge'")
    assert "the audit does not fit" in (await purging.check_made_here(store, made.sha256))[0]
