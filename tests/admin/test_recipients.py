"""What people write down of recipients: marks set and lifted in a scope, audited, never with a number."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from smsgw.admin import recipients
from smsgw.admin.recipients import By, Done
from smsgw.admin.standing import NotAllowed, NotFound
from smsgw.compliance.lists import Entry
from smsgw.policy.marks import OPT_OUT, Marks, Scope
from smsgw.store import consents, marks, provisioned
from smsgw.store.database import Connection

KNOWN = Marks(b"k" * 32)
NUMBER = "8613800138000"
OPS = By("ops", "ticket 7")
LOOKING = By("ops", "ticket 7", dry_run=True)


async def active(connection: Connection) -> int:
    """How many marks hold."""
    return int(await connection.fetchval("SELECT count(*) FROM mark WHERE active"))


async def test_scopes_are_named_by_people(acme: Connection):
    """An account, one of its signatures or service numbers; a platform, a tenant; what is unknown or both is refused."""
    account = (await acme.fetchval("SELECT id FROM account"), await acme.fetchval("SELECT id FROM tenant"))
    assert await recipients.opt_out_scope(acme, "acme1") == Scope(OPT_OUT, "account", account[0])
    assert (await recipients.opt_out_scope(acme, "acme1", signature="【某某】")).key == "某某"
    assert (await recipients.opt_out_scope(acme, "acme1", service="+10690001")).key == "10690001"
    assert (await recipients.block_scope(acme)).level == "platform"
    assert (await recipients.block_scope(acme, tenant="acme")).owner == account[1]
    assert (await recipients.block_scope(acme, account="acme1")).owner == account[0]
    with pytest.raises(NotFound):
        await recipients.opt_out_scope(acme, "nobody")
    with pytest.raises(NotAllowed):
        await recipients.opt_out_scope(acme, "acme1", signature="x", service="1")
    with pytest.raises(NotAllowed):
        await recipients.block_scope(acme, account="acme1", tenant="acme")


async def test_a_number_goes_on_record_and_off_it(acme: Connection):
    """Each change leaves one audit row with the hash; what changes nothing leaves none; a dry run changes nothing."""
    scope = await recipients.opt_out_scope(acme, "acme1")
    before = await provisioned.version(acme)
    assert await recipients.mark(acme, KNOWN, scope, [Entry(NUMBER)], LOOKING) == Done(1, 1)
    assert await active(acme) == 0
    assert await recipients.mark(acme, KNOWN, scope, [Entry(NUMBER)], OPS) == Done(1, 1)
    assert await recipients.mark(acme, KNOWN, scope, [Entry(f"+{NUMBER}")], OPS) == Done(1, 0)
    assert await recipients.all_opt_outs(acme, KNOWN, "acme1", NUMBER) == [scope]
    assert await recipients.lift(acme, KNOWN, [scope], NUMBER, OPS) == Done(1, 1)
    assert await recipients.all_opt_outs(acme, KNOWN, "acme1", NUMBER) == []
    rows = await acme.fetch("SELECT actor, kind, name, old, new, reason FROM audit ORDER BY id")
    assert [(row["actor"], row["kind"], row["name"], row["reason"]) for row in rows] == [
        ("ops", "opt_out", "acme1", "ticket 7")
    ] * 2
    assert [json.loads(row["new"])["active"] for row in rows] == [True, False]
    assert json.loads(rows[0]["new"])["number"] == recipients.hex_of(KNOWN.hash_of(NUMBER))
    assert NUMBER not in str([dict(row) for row in rows])
    assert await provisioned.version(acme) == before
    with pytest.raises(NotAllowed, match="reason"):
        await recipients.mark(acme, KNOWN, scope, [Entry(NUMBER)], By("ops", " "))


async def test_a_long_list_is_written_in_pieces(acme: Connection):
    """Twelve thousand numbers in three transactions, the same list again changes nothing; its times and proofs are kept."""
    scope = await recipients.block_scope(acme)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    entries = [Entry(f"86138{number:08d}", at, "", "letter 7") for number in range(12_000)]
    assert await recipients.mark(acme, KNOWN, scope, [*entries, entries[0]], OPS, source="list") == Done(12_001, 12_000)
    assert await recipients.mark(acme, KNOWN, scope, entries, OPS, source="list") == Done(12_000, 0)
    assert await active(acme) == 12_000
    (row,) = await marks.of_number(acme, "block", KNOWN.hash_of("8613800000007"))
    assert (row["at"], row["source"], row["reference"]) == (at, "list", "letter 7")
    said = [json.loads(row["new"]) for row in await acme.fetch("SELECT new FROM audit WHERE name = 'platform' ORDER BY id")]
    assert [one.get("numbers") for one in said] == [5_000, 5_000, 2_001]


async def test_a_consent_is_kept_with_its_proof_and_withdrawn(acme: Connection):
    """Rows and the mark that counts come and go together; a consent of tomorrow, and a withdrawal of none, are refused."""
    entries = [Entry(NUMBER, datetime(2026, 1, 1, tzinfo=UTC), "web", "form 1"), Entry(NUMBER, None, "shop", "form 2")]
    assert await recipients.consent(acme, KNOWN, "acme1", entries, LOOKING) == Done(2, 2)
    assert await active(acme) == 0
    assert await recipients.consent(acme, KNOWN, "acme1", entries, OPS) == Done(2, 2)
    assert await active(acme) == 1
    assert await recipients.withdraw(acme, KNOWN, "acme1", NUMBER, OPS) == Done(1, 2)
    assert await active(acme) == 0
    rows = await consents.of_number(acme, KNOWN.hash_of(NUMBER))
    assert [(row["proof"], row["withdrawn"] is None) for row in rows] == [("form 2", False), ("form 1", False)]
    with pytest.raises(NotFound):
        await recipients.withdraw(acme, KNOWN, "acme1", NUMBER, OPS)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(NotAllowed, match="future"):
        await recipients.consent(acme, KNOWN, "acme1", [Entry(NUMBER, tomorrow, "web", "x")], OPS)


async def test_a_consent_from_before_its_withdrawal_does_not_count(acme: Connection):
    """The same list again, and an older proof, bring a withdrawn consent not back; one that is given afterwards does."""
    given = datetime(2026, 1, 1, tzinfo=UTC)
    listed = [Entry(NUMBER, given, "web", "form 1"), Entry("8613800138001", given, "web", "form 2")]
    assert await recipients.consent(acme, KNOWN, "acme1", listed, OPS) == Done(2, 2)
    assert await recipients.withdraw(acme, KNOWN, "acme1", NUMBER, OPS) == Done(1, 1)
    assert await recipients.consent(acme, KNOWN, "acme1", listed, OPS) == Done(2, 0)
    older = [Entry(NUMBER, given + timedelta(days=1), "shop", "form 3")]
    assert await recipients.consent(acme, KNOWN, "acme1", older, OPS) == Done(1, 1)
    assert [row["active"] for row in await marks.of_number(acme, "consent", KNOWN.hash_of(NUMBER))] == [False]
    assert await active(acme) == 1
    assert await recipients.consent(acme, KNOWN, "acme1", [Entry(NUMBER, None, "shop", "form 4")], OPS) == Done(1, 1)
    assert await active(acme) == 2
