from __future__ import annotations

import csv
import hashlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from smsgw.admin import exporting, recipients
from smsgw.admin.exporting import NoSuchLink, NoSuchTenant, Refused
from smsgw.admin.recipients import By
from smsgw.admin.sealing import Key
from smsgw.admin.signing import Signer, verify
from smsgw.compliance.lists import Entry
from smsgw.model import State
from smsgw.policy.marks import Marks
from smsgw.reports.reconcile import read_file
from smsgw.store.database import Connection
from smsgw.store.sealed import ContentKeys, Unreadable
from tests.admin.test_closing import PRICE, Year

SIGNER = Signer(Key(bytes(32)))
AT = datetime(2025, 10, 1, tzinfo=UTC)
START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def year(connection: Connection) -> Year:
    """A tenant with three messages, of which one was given back, beside another one's."""
    year = Year(connection)
    await year.start()
    await year.start("borg")
    ids = await year.submit("2025-10-05T10:00", count=3)
    await year.end(ids[:1], State.DELIVERED, "2025-10-05T10:01")
    await year.end(ids[1:2], State.FAILED, "2025-10-05T10:02", refund=PRICE)
    await year.submit("2025-10-06T10:00", tenant=2)
    return year


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a file of an export."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


async def export(year: Year, out: Path, *, content: bool = False) -> None:
    """Export acme."""
    await exporting.export(year.connection, "acme", out, SIGNER, start=START, end=END, content=content, actor="ann")


async def test_an_export_reconciles_with_its_manifest(year: Year, tmp_path: Path):
    """Hashes and counts are those of the files, and the books can be added up from them to the balance in the manifest (C44)."""
    await export(year, tmp_path / "out", content=True)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["tenant"] == "acme"
    assert verify(tmp_path / "out", SIGNER.public) == (manifest, [])
    for entry in manifest["files"]:
        body = (tmp_path / "out" / entry["file"]).read_bytes()
        assert (hashlib.sha256(body).hexdigest(), len(body)) == (entry["sha256"], entry["octets"])
        assert len(rows(tmp_path / "out" / entry["file"])) == entry["rows"]
    ledger = rows(tmp_path / "out" / "ledger.csv")
    assert sum(Decimal(row["amount"]) for row in ledger) == Decimal(manifest["balance"])
    messages = rows(tmp_path / "out" / "messages.csv")
    assert sum(Decimal(row["price"]) - Decimal(row["refund"]) for row in messages) == Decimal(2 * PRICE) / 10**6
    assert {row["state"] for row in messages} == {"DELIVERED", "FAILED", "SUBMITTING"}
    assert bytes.fromhex(rows(tmp_path / "out" / "content.csv")[0]["body_hex"]).startswith(b"body ")


async def test_content_leaves_only_when_asked_for(year: Year, tmp_path: Path):
    """Without it there is no such file; either way the export is audited with what left."""
    await export(year, tmp_path / "out")
    assert not (tmp_path / "out" / "content.csv").exists()
    row = await year.connection.fetchrow("SELECT actor, name, new FROM audit WHERE kind = 'export'")
    assert (row["actor"], row["name"]) == ("ann", "acme")
    assert json.loads(row["new"])["content"] is False


async def test_the_audit_says_which_span_it_has(year: Year, tmp_path: Path):
    """From when until when, and no further than the moment at which it was taken."""
    await export(year, tmp_path / "a")
    till = datetime.now(UTC) + timedelta(days=3)
    await exporting.export(year.connection, "acme", tmp_path / "b", SIGNER, start=AT, end=till, content=False, actor="ann")
    said = [
        json.loads(row["new"]) for row in await year.connection.fetch("SELECT new FROM audit WHERE kind = 'export' ORDER BY id")
    ]
    assert (said[0]["from"], said[0]["until"]) == (START.isoformat(), END.isoformat())
    assert said[1]["from"] == AT.isoformat()
    assert datetime.now(UTC) - timedelta(minutes=1) < datetime.fromisoformat(said[1]["until"]) <= datetime.now(UTC)


async def test_sealed_content_leaves_opened(year: Year, tmp_path: Path):
    """What is sealed at rest is opened for the export; without its key there is none."""
    keys = ContentKeys(lambda: [bytes(32)])
    number = await year.connection.fetchval("SELECT min(id) FROM content")
    await year.connection.execute("UPDATE content SET body = $2 WHERE id = $1", number, keys.seal(number, b"sealed words"))
    with pytest.raises(Unreadable):
        await export(year, tmp_path / "a", content=True)
    await exporting.export(
        year.connection, "acme", tmp_path / "b", SIGNER, start=START, end=END, content=True, actor="ann", opened=keys.open
    )
    assert b"sealed words".hex() in {row["body_hex"] for row in rows(tmp_path / "b" / "content.csv")}


async def test_what_recipients_said_is_exported(year: Year, tmp_path: Path):
    """Opt-outs, block lists and consents with time and source, by hash and with the middle hidden; nothing of others (C35)."""
    connection, known, by = year.connection, Marks(bytes(32)), By("ann", "ticket 7")
    await connection.execute(
        "INSERT INTO account (id, tenant, system_id) OVERRIDING SYSTEM VALUE VALUES (71, 1, 'a71'), (72, 2, 'b72')"
    )
    for account, number in (("a71", "+8613800138000"), ("b72", "8613900139000")):
        scope = await recipients.opt_out_scope(connection, account)
        await recipients.mark(connection, known, scope, [Entry(number)], by, source=recipients.list_of(f"/in/refused {number}.csv"))
        await recipients.lift(connection, known, [scope], number, by)
        await recipients.mark(connection, known, await recipients.block_scope(connection, account=account), [Entry(number)], by)
        await recipients.consent(connection, known, account, [Entry(number, AT, "web form", "order 5")], by)
    await recipients.mark(connection, known, await recipients.block_scope(connection), [Entry("8613900139001")], by)
    await recipients.mark(connection, known, await recipients.block_scope(connection, tenant="acme"), [Entry("8613800138001")], by)
    out = tmp_path / "out"
    await export(year, out)
    (refused, resumed) = rows(out / "opt_outs.csv")
    hashed = recipients.hex_of(known.hash_of("8613800138000"))
    assert (refused["number"], refused["number_hash"], refused["account"]) == ("8613****8000", hashed, "a71")
    assert (refused["set"], refused["in_force"], refused["reason"]) == ("yes", "no", "ticket 7")
    assert (refused["source"], resumed["source"], resumed["set"]) == ("list refused +861****8000.csv", "command", "no")
    blocks = rows(out / "blocks.csv")
    assert [(row["level"], row["account"], row["number"]) for row in blocks] == [
        ("account", "a71", "8613****8000"),
        ("tenant", "", "8613****8001"),
    ]
    (consent,) = rows(out / "consents.csv")
    assert (consent["source"], consent["proof"], consent["given"][:10], consent["withdrawn"]) == (
        "web form",
        "order 5",
        "2025-10-01",
        "",
    )
    assert verify(out, SIGNER.public)[1] == []
    assert "8613900139" not in "".join(path.read_text(errors="replace") for path in out.iterdir())
    assert "13800138000" not in "".join(path.read_text(errors="replace") for path in out.glob("[obc]*.csv"))
    (out / "opt_outs.csv").write_bytes((out / "opt_outs.csv").read_bytes().replace(b"command", b"handset"))
    assert verify(out, SIGNER.public)[1] == ["opt_outs.csv was changed: its hash is another"]


async def test_nothing_is_written_over(year: Year, tmp_path: Path):
    """A directory that holds something is refused, an unknown tenant named."""
    (tmp_path / "mine").write_text("x")
    with pytest.raises(Refused, match="not empty"):
        await export(year, tmp_path)
    with pytest.raises(NoSuchTenant):
        await exporting.export(year.connection, "nobody", tmp_path / "o", SIGNER, start=START, end=END, content=False, actor="ann")


async def test_a_carriers_file_is_compared_in_the_links_dialect(year: Year):
    """Ids are matched as the link's dialect does; what one side alone has is listed."""
    connection = year.connection
    await connection.execute("INSERT INTO carrier (name) VALUES ('alpha')")
    dialect = json.dumps({"dialect": {"submit_id": "hex-to-dec"}})
    link = "INSERT INTO link (id, carrier, name, settings) OVERRIDING SYSTEM VALUE VALUES (8, 1, 'alpha-1', $1)"
    await connection.execute(link, dialect)
    await connection.execute("UPDATE message SET upstream_id = '255', link = 8 WHERE state = 10")
    await connection.execute("UPDATE message SET upstream_id = '256', link = 8 WHERE state = 11")
    theirs = read_file("id,state\nFF,DELIVRD\n1FF,DELIVRD\n")
    result = await exporting.reconcile(connection, "alpha-1", theirs, start=START, end=END)
    assert [(one.what, one.carrier_id) for one in result.differences] == [("only_carrier", "1FF"), ("only_ours", "256")]
    assert result.matched == 1
    with pytest.raises(NoSuchLink):
        await exporting.reconcile(connection, "beta", theirs, start=START, end=END)
