"""`smsgw policy`: a new version of a rule set on what was sent."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path

import pytest

from smsgw.admin import policy_sets
from smsgw.model import State
from smsgw.policy.ruleset import make_bundle
from smsgw.smpp.pdu import sm_body
from smsgw.store.batch import quote
from smsgw.store.database import connect
from smsgw.store.ids import least_id_at
from tests.cli.commands import EXAMPLE, Command
from tests.store.cycles import Cycles
from tests.store.work import seat

KEY = b"k" * 32
TERMS = '[[terms]]\nid = "{id}"\nwords = ["{word}"]\nmust = ["{word}"]\n'


async def put(dsn: str) -> None:
    """Three texts of acme1, accepted an hour ago."""
    connection = await connect(dsn)
    try:
        account, tenant = await connection.fetchrow("SELECT id, tenant FROM account WHERE system_id = 'acme1'")
        await seat(connection)
        cycle, first = Cycles(connection), least_id_at(time.time() - 3_600)
        for at, text in enumerate(("您好", "快加微信", "来玩百家乐")):
            body = sm_body(source=b"1069", dest=b"8613800138000", data_coding=8, short_message=text.encode("utf-16-be"))
            octets = cycle.octets(body)
            row = list(cycle.new(first + at, tenant=tenant, account=account, state=State.QUEUED))
            row[13:17] = [quote("1069"), quote("8613800138000"), *octets]
            await cycle(new=[tuple(row)])
    finally:
        await connection.close()


@pytest.fixture
def sent(command: Command, tmp_path: Path) -> Command:
    """The example with a rule set for acme1, and what it has sent."""
    (tmp_path / "old.toml").write_text(TERMS.format(id="bait", word="加微信"), encoding="utf-8")
    (tmp_path / "new.toml").write_text(TERMS.format(id="gambling", word="百家乐"), encoding="utf-8")
    policy = '[[policy]]\nname = "content"\nfiles = ["old.toml"]\n'
    text = EXAMPLE.replace('system_id = "acme1"', 'system_id = "acme1"\npolicy = "content"') + policy
    assert command.apply(text=text).exit_code == 0
    found = re.search(r'dsn = "([^"]+)"', command.config.read_text(encoding="utf-8"))
    assert found is not None
    asyncio.run(put(found[1]))
    return command


def test_a_new_version_is_tried_on_what_was_sent(sent: Command, tmp_path: Path):
    """What it would refuse and what it would let go, by rule; without texts and whole numbers unless they are asked for."""
    new = str(tmp_path / "new.toml")
    shown = sent("policy", "replay", "content", new, "--json")
    rows = {row["change"]: row for row in json.loads(shown.stdout)}
    assert {change: (row["messages"], row["rule"], row["rule_before"]) for change, row in rows.items()} == {
        "newly refused": (1, "terms.gambling", ""),
        "newly passed": (1, "", "terms.bait"),
    }
    assert "8613****8000" in rows["newly refused"]["examples"]
    assert "3 texts judged, 2 of them otherwise" in shown.stderr
    assert "百家乐" not in shown.stdout
    assert "8613800138000" not in shown.stdout
    assert "来玩百家乐" in sent("policy", "replay", "content", new, "--text").stdout
    assert "0 texts judged" in sent("policy", "replay", "content", new, "--since", "30m").stderr
    assert "1 texts judged" in sent("policy", "replay", "content", new, "--limit", "1").stderr


def test_what_cannot_be_tried_is_told(sent: Command, tmp_path: Path):
    """A faulty file with its line, a file that is not there, an account and a set that nobody has."""
    (tmp_path / "bad.toml").write_text('[[terms]]\nid = "a"\nmust = ["x"]\n', encoding="utf-8")
    bad = sent("policy", "replay", "content", str(tmp_path / "bad.toml"))
    assert bad.exit_code == 78
    assert "bad.toml:1: terms 'a' has no word" in bad.stderr
    assert sent("policy", "replay", "content", str(tmp_path / "none.toml")).exit_code == 78
    new = str(tmp_path / "new.toml")
    assert sent("policy", "replay", "content", new, "--account", "nobody").exit_code == 3
    assert sent("policy", "replay", "other", new).exit_code == 3
    assert "3 texts judged, 1 of them" in sent("policy", "replay", "other", new, "--account", "acme1").stderr


def test_versions_are_forgotten_and_no_rollback_goes_to_one(sent: Command, tmp_path: Path):
    """What the settings do not keep goes with the next apply, and a rollback that would need it is refused."""
    text = sent.file.read_text(encoding="utf-8")
    sent.config.write_text(
        sent.config.read_text(encoding="utf-8") + "[rules]\nkeep_versions = 1\nkeep_days = 1\n", encoding="utf-8"
    )
    (tmp_path / "old.toml").write_text(TERMS.format(id="bait", word="加我微信"), encoding="utf-8")
    assert "forgot" not in sent.apply(text=text).stderr
    assert sent("rollback", "--dry-run").exit_code == 0
    found = re.search(r'dsn = "([^"]+)"', sent.config.read_text(encoding="utf-8"))
    assert found is not None

    async def age() -> None:
        connection = await connect(found[1])
        await connection.execute("UPDATE policy_content SET at = at - interval '9 days'")
        await connection.execute("UPDATE provisioning_version SET at = at - interval '9 days'")
        await connection.execute("ALTER TABLE audit DISABLE TRIGGER USER")
        await connection.execute("UPDATE audit SET at = at - interval '9 days'")
        await connection.close()

    asyncio.run(age())
    assert "forgot 1 old versions" in sent.apply(text=text).stderr
    refused = sent("rollback")
    assert refused.exit_code == 4
    assert "not kept any more" in refused.stdout


def edit(command: Command, word: str) -> None:
    """Put another version of the set in force, as the API does."""
    found = re.search(r'dsn = "([^"]+)"', command.config.read_text(encoding="utf-8"))
    assert found is not None
    files = {"old.toml": TERMS.format(id="bait", word=word) + '[recipient]\nblock = "block.txt"\n', "block.txt": "8613800138000\n"}
    bundle = make_bundle(["old.toml"], lambda source, listed: files[listed or source], KEY)

    async def put() -> None:
        connection = await connect(found[1])
        try:
            await policy_sets.put(
                connection, "content", ["old.toml"], policy_sets.made_of(bundle), actor="token:ci", reason="an edit"
            )
        finally:
            await connection.close()

    asyncio.run(put())


def test_an_edit_through_the_api_is_a_conflict_that_says_what_to_do(sent: Command):
    """Who edited it, how to keep that, how to undo it for this set alone; the latter is then a change like any other."""
    text = sent.file.read_text(encoding="utf-8")
    edit(sent, "百家乐")
    refused = sent.apply(text=text)
    assert refused.exit_code == 4
    assert "policy 'content': was changed by somebody else" in refused.stdout
    assert "by token:ci at 20" in refused.stdout
    assert "smsgw policy export content DIR" in refused.stdout
    assert "--take-over content" in refused.stdout
    assert sent.apply("--take-over", "nothing", text=text).exit_code == 78
    taken = sent.apply("--take-over", "content", text=text)
    assert (taken.exit_code, taken.stderr[:8]) == (0, "1 change")
    assert "nothing to change" in sent.apply(text=text).stderr


def test_what_was_edited_is_exported_and_applied_as_no_change(sent: Command, tmp_path: Path):
    """The files as stored, lists of numbers as hashes; nothing is written over without --force; the next apply agrees."""
    text = sent.file.read_text(encoding="utf-8")
    edit(sent, "百家乐")
    refused = sent("policy", "export", "content", str(tmp_path))
    assert (refused.exit_code, "says something else already" in refused.stderr) == (4, True)
    made = sent("policy", "export", "content", str(tmp_path), "--force")
    assert made.stdout == '[[policy]]\nname = "content"\nfiles = ["old.toml"]\n'
    assert "百家乐" in (tmp_path / "old.toml").read_text(encoding="utf-8")
    assert "8613800138000" not in (tmp_path / "block.txt").read_text(encoding="utf-8")
    same = sent.apply(text=text)
    assert (same.exit_code, same.stderr) == (0, "nothing to change\n")
    assert sent("policy", "export", "content", str(tmp_path)).exit_code == 0
    assert sent("policy", "export", "nothing", str(tmp_path)).exit_code == 3


def test_an_older_version_is_exported_too(sent: Command, tmp_path: Path):
    """By a beginning of its name; a directory that cannot be made is told."""
    first = json.loads(sent("audit", "list", "--kind", "policy", "--json").stdout)[0]["new"]["version"]
    edit(sent, "百家乐")
    assert sent("policy", "export", "content", str(tmp_path / "was"), "--version", first[:8]).exit_code == 0
    assert "加微信" in (tmp_path / "was" / "old.toml").read_text(encoding="utf-8")
    assert sent("policy", "export", "content", str(sent.file)).exit_code == 1
