"""Reading, purging and holding what messages said."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from smsgw.admin import contents
from smsgw.admin.content_keys import content_keys
from smsgw.admin.standing import NotAllowed, NotFound, find
from smsgw.contracts.standing import NotAllowed as Forbidden
from smsgw.smpp.pdu import sm_body
from smsgw.store import audits, provisioning
from smsgw.store import contents as stored
from smsgw.store.contents import Filter
from smsgw.store.database import Connection, connect
from smsgw.store.sealed import ContentKeys

BODY = sm_body(source=b"ACME", dest=b"4915112345678", short_message="Grüße, 张三".encode("utf-16-be"), data_coding=8)


@pytest.fixture
def keys(tmp_path: Path) -> ContentKeys:
    """Keys of a data_dir."""
    return content_keys(tmp_path)


@pytest.fixture
async def store(connection: Connection, keys: ContentKeys) -> Connection:
    """Three messages of acme: sealed and delivered, plain and delivered, plain and queued; one of borg."""
    for name in ("acme", "borg"):
        await provisioning.put(connection, ("tenant", name), {"currency": "CNY", "credit_limit": 0, "basis": "submitted"})
        await provisioning.put(connection, ("account", f"{name}1"), {"tenant": name})
    for number, tenant, state, body in ((1, 1, 10, keys.seal(1, BODY)), (2, 1, 10, BODY), (3, 1, 3, BODY), (4, 2, 10, BODY)):
        await connection.execute(
            "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
            " destination, sent_ms) VALUES ($1, $2, $2, $3, 0, 0, 0, 1, 4, 0, 1, 'ACME', '4915112345678', 1)",
            number, tenant, state,
        )  # fmt: skip
        await connection.execute("INSERT INTO content (class, id, body) VALUES (0, $1, $2)", number, body)
    return connection


async def test_a_message_is_read_with_who_and_why(store: Connection, keys: ContentKeys):
    """Sealed or plain: text and octets, and a row in the audit that says nothing of either."""
    for number in (1, 2):
        found = await contents.read(store, number, keys.open, actor="ann", reason="complaint 7")
        assert (found.text, found.body, found.account) == ("Grüße, 张三", BODY, "acme1")
        assert "Grüße" not in repr(found)
    rows = await audits.find(store, "content", None, None, None, 9)
    assert [(row["name"], row["actor"], row["reason"]) for row in rows] == [
        ("2", "ann", "complaint 7"),
        ("1", "ann", "complaint 7"),
    ]
    assert not {"张三", "4915112345678"} & set(str(rows).split("'"))


async def test_what_is_not_read_is_not_audited(store: Connection, keys: ContentKeys, tmp_path: Path):
    """No message, no reason, no key: nothing is shown."""
    with pytest.raises(NotFound):
        await contents.read(store, 99, keys.open, actor="ann", reason="x")
    with pytest.raises(ValueError, match="reason"):
        await contents.read(store, 1, keys.open, actor="ann", reason=" ")
    with pytest.raises(NotAllowed, match="key"):
        await contents.read(store, 1, content_keys(tmp_path / "other").open, actor="ann", reason="x")
    assert await audits.find(store, "content", None, None, None, 9) == []


async def test_a_purge_counts_first_and_leaves_hashes(store: Connection, keys: ContentKeys):
    """What is not sent yet is left and told, others' is not touched; a tombstone has the hash of the body, sealed or not."""
    of = await find(store, "tenant", "acme")
    meant = contents.meant_of(of)
    counts = await contents.preview(store, meant)
    assert (counts["content"], counts["open"], counts["held"], counts["sent"]) == (2, 1, 0, 2)
    assert await store.fetchval("SELECT count(*) FROM content") == 4
    done = await contents.purge(store, of, meant, keys.open, actor="ann", reason="court order")
    assert (done["content"], done["sent"]) == (2, 2)
    assert {row["id"] for row in await store.fetch("SELECT id FROM content")} == {3, 4}
    assert {row["sha256"] for row in await store.fetch("SELECT sha256 FROM tombstone")} == {sha256(BODY).digest()}
    (row,) = await audits.find(store, "content", "acme", None, None, 9)
    assert (row["new"]["purged"], row["reason"]) == (2, "court order")
    found = await contents.read(store, 1, keys.open, actor="ann", reason="x")
    assert (found.text, found.body) == ("", b"")
    assert sha256(BODY).hexdigest() in found.gone


async def test_a_legal_hold_is_stronger_than_a_purge(store: Connection, keys: ContentKeys):
    """What is held stays until it is released; both leave their row."""
    of, acme = await find(store, "account", "acme1"), await find(store, "tenant", "acme")
    meant = contents.meant_of(of, ids=(1,))
    number = await contents.hold(store, acme, Filter(1), actor="ann", reason="court")
    assert (await contents.purge(store, of, meant, keys.open, actor="bob", reason="x"))["content"] == 0
    await contents.release(store, number, actor="ann", reason="over")
    assert (await contents.purge(store, of, meant, keys.open, actor="bob", reason="x"))["content"] == 1
    with pytest.raises(NotFound):
        await contents.release(store, number, actor="ann", reason="again")
    assert [row["reason"] for row in await audits.find(store, "legal_hold", None, None, None, 9)] == ["over", "court"]


async def test_a_legal_hold_that_comes_meanwhile_undoes_a_purge(
    store: Connection, keys: ContentKeys, database: str, monkeypatch: pytest.MonkeyPatch
):
    """Whatever it had buried by then is there again, and it says so."""
    court, acme, bury = await connect(database), await find(store, "tenant", "acme"), stored.bury

    async def meanwhile(*given: Any) -> None:
        await bury(*given)
        await contents.hold(court, acme, Filter(1), actor="ann", reason="court")

    monkeypatch.setattr(stored, "bury", meanwhile)
    with pytest.raises(NotAllowed, match="a legal hold on acme was set meanwhile"):
        await contents.purge(store, acme, Filter(1), keys.open, actor="bob", reason="x")
    counted = await store.fetchrow("SELECT (SELECT count(*) FROM content) AS left, (SELECT count(*) FROM tombstone) AS gone")
    assert tuple(counted or ()) == (4, 0)
    assert await audits.find(store, "content", None, None, None, 9) == []
    await court.close()


async def test_a_purge_is_bounded(store: Connection, keys: ContentKeys, monkeypatch: pytest.MonkeyPatch):
    """More than it takes at once is refused whole."""
    monkeypatch.setattr(contents, "MAX_PURGED", 1)
    with pytest.raises(Forbidden, match="more than"):
        await contents.purge(store, await find(store, "tenant", "acme"), Filter(1), keys.open, actor="ann", reason="x")
    assert await store.fetchval("SELECT count(*) FROM content") == 4


def test_a_body_that_is_no_pdu_has_no_text():
    """Nothing is raised: there is nothing to read."""
    assert contents.text_of(4, b"\xff" * 40) == ("", b"")
