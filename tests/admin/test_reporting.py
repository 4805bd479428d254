"""Reports to an authority: of two tenants whose traffic interleaves."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest

from smsgw.admin import contents, reporting, standing, terms
from smsgw.admin.content_keys import content_keys
from smsgw.admin.sealing import Key
from smsgw.admin.signing import Signer
from smsgw.admin.standing import NotAllowed, find
from smsgw.reports.bundle import SIGNATURE, Broken, verify
from smsgw.smpp.pdu import sm_body
from smsgw.store import audits, dossiers, provisioning
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at
from smsgw.store.sealed import ContentKeys

EVER = (0, least_id_at(2**33))
TO = reporting.To("MIIT", "2026-77", "ann")
SECRETS = ("borg", "Borg", "8613900139", "their words", "borgbind", "b0rg")
SIGNER = Signer(Key(bytes(32)))


@pytest.fixture
def keys(tmp_path: Path) -> ContentKeys:
    """Keys of a data_dir."""
    return content_keys(tmp_path)


@pytest.fixture
async def store(connection: Connection, keys: ContentKeys) -> Connection:
    """Acme with two accounts, one of whose names was borg's before; borg; their messages, profiles and audit rows in turns."""
    put, audit = provisioning.put, provisioning.audit
    for name in ("acme", "borg"):
        await put(connection, ("tenant", name), {"currency": "CNY", "credit_limit": 0, "basis": "submitted"})
        await audit(connection, "ann", ("tenant", name), None, {"currency": "CNY"})
    await audit(connection, "ann", ("account", "shared"), None, {"tenant": "borg", "note": "b0rg"})
    await audit(connection, "ann", ("secret", "shared"), None, {"note": "b0rg"})
    await audit(connection, "ann", ("review", "5"), None, {"looked_at": "shared", "rule": "b0rg@1:t"})
    await audit(connection, "ann", ("account", "shared"), {"tenant": "borg"}, None)
    for tenant, name in (("acme", "acme1"), ("borg", "borg1"), ("acme", "shared")):
        await put(connection, ("account", name), {"tenant": tenant})
        await audit(connection, "ann", ("account", name), None, {"tenant": tenant})
        await audit(connection, "ann", ("price", f"{tenant}/86"), None, {"price": 1})
        await audit(connection, "rev", ("review", "7"), None, {"decision": "refused", "account": name, "rule": f"{tenant}@1:t"})
    for name in ("acme", "borg"):
        await terms.set_profile(connection, name, {"company": f"{name.title()} Ltd"}, actor="ann", reason="new")
        await standing.warn(connection, "tenant", name, actor="ann", reason="spam")
    texts = {1: b"our words, sealed", 2: b"their words"}
    for number in range(1, 9):
        tenant = 2 - number % 2
        dest = b"8613800138%03d" % number if tenant == 1 else b"8613900139%03d" % number
        account = {1: 1, 2: 2}[tenant] if number != 7 else 3
        await connection.execute(
            "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
            " destination, upstream_id) VALUES ($1, $2, $3, 10, 0, 0, 0, 1, 4, 0, 1, $4, $5, $6)",
            number, tenant, account, "ACME" if tenant == 1 else "Borg", dest.decode(), "up" if tenant == 1 else "borgbind",
        )  # fmt: skip
        body = sm_body(source=b"x", dest=dest, short_message=texts[tenant])
        stored = keys.seal(number, body) if number == 1 else body
        await connection.execute("INSERT INTO content (class, id, body) VALUES (0, $1, $2)", number, stored)
        await connection.execute(
            "INSERT INTO held_text (id, account, total, joins, due_ms, since_ms, rule, reason, state, actor)"
            " VALUES ($1, $2, 1, false, 0, 0, $3, 'content', 3, 'rev')",
            number, account, "cn@1:term" if tenant == 1 else "b0rg@1:term",
        )  # fmt: skip
        await connection.execute("INSERT INTO held_part (message, text, part) VALUES ($1, $1, 1)", number)
    return connection


async def write(
    store: Connection, keys: ContentKeys, path: Path, kind: str = "tenant", name: str = "acme", *, freeze: bool = False
):
    """Write a bundle and read it: its files by name."""
    of = await find(store, kind, name)
    made = await reporting.report(store, of, EVER, TO, path, keys.open, SIGNER, freeze=freeze)
    with zipfile.ZipFile(path) as archive:
        return made, {entry: archive.read(entry).decode() for entry in archive.namelist() if entry != SIGNATURE}


def rows(text: str) -> list[dict[str, str]]:
    """The rows of a CSV."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_a_bundle_holds_all_of_its_tenant(store: Connection, keys: ContentKeys, tmp_path: Path):
    """Messages with what they said, verdicts, profile versions, audit rows; and it verifies, by itself and against the chain."""
    made, files = await write(store, keys, tmp_path / "a.zip")
    messages = rows(files["messages.csv"])
    assert [row["id"] for row in messages] == ["1", "3", "5", "7"]
    assert {row["text"] for row in messages} == {"our words, sealed"}
    assert {row["verdict"] for row in rows(files["verdicts.csv"])} == {"refused"}
    assert json.loads(files["profiles.jsonl"])["fields"] == {"company": "Acme Ltd"}
    kinds = [json.loads(line)["kind"] for line in files["audit.jsonl"].splitlines()]
    assert sorted(kinds) == [
        *("account", "account", "price", "price", "review", "review", "tenant", "tenant_profile", "tenant_warning"),
    ]
    manifest = verify(tmp_path / "a.zip")
    assert manifest["sha256"] == made["sha256"]
    await reporting.verify_against(store, manifest)
    (noted,) = await dossiers.reports(store)
    assert (noted["reported_to"], noted["reference"], noted["sha256"]) == ("MIIT", "2026-77", made["sha256"])
    assert (await audits.verify(store)).fault is None


async def test_nothing_of_another_tenant_is_in_it(store: Connection, keys: ContentKeys, tmp_path: Path):
    """No name, number, word, carrier's id, rule or audit row; also none of a name that was the other's before."""
    for kind, name in (("tenant", "acme"), ("account", "acme1"), ("account", "shared")):
        _, files = await write(store, keys, tmp_path / f"{name}.zip", kind, name)
        said = "".join(files.values())
        assert [secret for secret in SECRETS if secret in said] == [], (kind, name)
        assert "Acme Ltd" in said


async def test_of_an_account_there_are_its_own_messages(store: Connection, keys: ContentKeys, tmp_path: Path):
    """And of the audit what concerns it and its contract, not the other accounts."""
    _, files = await write(store, keys, tmp_path / "a.zip", "account", "shared")
    assert [row["id"] for row in rows(files["messages.csv"])] == ["7"]
    assert "acme1" not in files["audit.jsonl"]


async def complain(store: Connection, number: int, meant: dict[int, tuple[int, int]], **told: object) -> None:
    """Register a complaint that means these messages, each of (tenant, account), and close it."""
    said = {"source": "12321", "reference": f"R-{number}", "note": "", "outcome": ""} | told
    await store.execute(
        "INSERT INTO complaint (id, source, number, masked, day, due, blocked, reference, note, actor, outcome, closed, closed_by)"
        " OVERRIDING SYSTEM VALUE VALUES ($1, $2, -5, '8613****8001', '2026-11-24', '2026-12-15', 'account', $3, $4, 'ann', $5,"
        " now(), 'bea')",
        number, said["source"], said["reference"], said["note"], said["outcome"],
    )  # fmt: skip
    rows_ = [(number, message, account, tenant, f"106{tenant}", "") for message, (tenant, account) in meant.items()]
    await store.executemany(
        "INSERT INTO complaint_message (complaint, message, account, tenant, sender, signature) VALUES ($1, $2, $3, $4, $5, $6)",
        rows_,
    )
    new = {"source": said["source"], "messages": list(meant)}
    await provisioning.audit(store, "ann", ("complaint", str(number)), None, new, f"reason {number}")


async def test_complaints_about_it_are_in_it(store: Connection, keys: ContentKeys, tmp_path: Path):
    """The row with its clock, what was meant, what the recipient had said, what was done; the audit of it (C24, C33)."""
    await complain(store, 8, {1: (1, 1), 3: (1, 1)}, note="wrote twice", outcome="tenant warned")
    code = await store.fetchval("INSERT INTO mark_scope (kind, level, owner) VALUES ('block', 'account', 1) RETURNING id")
    await store.execute(
        "INSERT INTO mark_event (at, number, scope, active, source, reference, actor)"
        " VALUES ('2026-11-25T10:00Z', -5, $1, true, 'complaint', 'complaint 8', 'ann')",
        code,
    )
    refused = await store.fetchval("INSERT INTO mark_scope (kind, level, owner) VALUES ('opt_out', 'number', 1) RETURNING id")
    await store.execute(
        "INSERT INTO mark_event (at, number, scope, active, source, actor)"
        " VALUES ('2026-11-20T10:00Z', -5, $1, true, 'handset', 'handset')",
        refused,
    )
    consent = "INSERT INTO consent (account, number, source, given, proof, actor)"
    await store.execute(f"{consent} VALUES (1, -5, 'form', '2026-01-02T10:00Z', 'x', 'ann'), (2, -5, 'b0rg', now(), 'b0rg', 'ann')")
    made, files = await write(store, keys, tmp_path / "a.zip")
    found = rows(files["complaints.csv"])
    assert (made["complaints"], made["messages_complained_of"], [row["message"] for row in found]) == (1, 2, ["1", "3"])
    row = found[0]
    assert (row["complaint"], row["number"], row["number_hash"]) == ("8", "8613****8001", "fffffffffffffffb")
    assert (row["day"], row["due"], row["state"], row["closed_by"]) == ("2026-11-24", "2026-12-15", "closed", "bea")
    assert (row["note"], row["outcome"], row["blocked"]) == ("wrote twice", "tenant warned", "account")
    assert row["blocked_at"] == "2026-11-25T10:00:00.000+00:00"
    assert (row["consented_at"][:10], row["refused_at"][:10]) == ("2026-01-02", "2026-11-20")
    assert "reason 8" in files["audit.jsonl"]
    assert {entry["file"]: entry["rows"] for entry in verify(tmp_path / "a.zip")["files"]}["complaints.csv"] == 2


async def test_a_complaint_about_two_tenants_names_neither_to_the_other(store: Connection, keys: ContentKeys, tmp_path: Path):
    """Its own messages and the clock are told; what people wrote of it, and the audit's row, may name the other and are not."""
    await complain(store, 9, {1: (1, 1), 2: (2, 2)}, note="b0rg did it", outcome="b0rg closed")
    await complain(store, 10, {2: (2, 2)}, note="b0rg")
    _, files = await write(store, keys, tmp_path / "a.zip")
    (row,) = rows(files["complaints.csv"])
    assert (row["message"], row["note"], row["outcome"], row["also_of_others"]) == ("1", "", "", "yes")
    assert "reason 9" not in files["audit.jsonl"]
    assert [secret for secret in SECRETS if secret in "".join(files.values())] == []
    _, files = await write(store, keys, tmp_path / "b.zip", "account", "shared")
    assert rows(files["complaints.csv"]) == []


async def test_what_was_purged_is_told_by_its_hash(store: Connection, keys: ContentKeys, tmp_path: Path):
    """With that it was purged, and the audit row that says by whom and why."""
    of = await find(store, "account", "acme1")
    await contents.purge(store, of, contents.meant_of(of, ids=(3,)), keys.open, actor="eve", reason="to hide it")
    _, files = await write(store, keys, tmp_path / "a.zip")
    gone = next(row for row in rows(files["messages.csv"]) if row["id"] == "3")
    assert (gone["text"], gone["body_hex"], gone["content"][:7]) == ("", "", "purged,")
    assert "to hide it" in files["audit.jsonl"]


async def test_whom_it_is_about_is_stopped_first(store: Connection, keys: ContentKeys, tmp_path: Path):
    """The freeze is in the bundle; one that is frozen already stays so, and says it in the manifest."""
    made, files = await write(store, keys, tmp_path / "a.zip", "account", "acme1", freeze=True)
    assert made["frozen"] is True
    assert "account_state" in files["audit.jsonl"]
    _, held = await standing.present_of(store, "account", "acme1")
    assert held.standing in reporting.STOPPED
    made, _ = await write(store, keys, tmp_path / "b.zip", "account", "acme1", freeze=True)
    assert made["frozen"] is True


async def test_a_bundle_that_was_made_elsewhere_is_not_ours(store: Connection, keys: ContentKeys, tmp_path: Path):
    """One that nobody wrote here, and one of a chain that was forged since."""
    await write(store, keys, tmp_path / "a.zip")
    manifest = verify(tmp_path / "a.zip")
    with pytest.raises(Broken, match="ever written here"):
        await reporting.verify_against(store, {**manifest, "sha256": "0" * 64})
    await store.execute("SET session_replication_role = replica; UPDATE audit SET actor = 'eve' WHERE number = 2")
    with pytest.raises(Broken, match="number 2 "):
        await reporting.verify_against(store, manifest)


async def test_nothing_is_written_over_and_nothing_left_half(store: Connection, keys: ContentKeys, tmp_path: Path):
    """A file that is there stays; a report that fails leaves none, and is noted nowhere."""
    path = tmp_path / "a.zip"
    path.write_text("mine")
    with pytest.raises(NotAllowed):
        await write(store, keys, path)
    assert path.read_text() == "mine"

    def broken(_owner: int, _stored: bytes) -> bytes:
        raise RuntimeError

    of = await find(store, "tenant", "acme")
    with pytest.raises(RuntimeError):
        await reporting.report(store, of, EVER, TO, tmp_path / "b.zip", broken, SIGNER)
    assert [file.name for file in tmp_path.glob("b*")] == []
    part = tmp_path / "c.zip.part"
    part.write_text("what somebody else is writing")
    with pytest.raises(NotAllowed, match="somebody is writing this bundle"):
        await write(store, keys, tmp_path / "c.zip")
    assert part.exists()
    assert await dossiers.reports(store) == []


async def test_content_without_its_key_is_told_and_not_left_out(store: Connection, tmp_path: Path):
    """It says that it is sealed, with the hash of what is stored."""
    _, files = await write(store, content_keys(tmp_path / "other"), tmp_path / "a.zip")
    assert rows(files["messages.csv"])[0]["content"].startswith("sealed, ")
