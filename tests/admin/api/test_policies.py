from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from smsgw.admin import policy_export, policy_sets
from smsgw.admin.policy_files import with_policies
from smsgw.admin.provisioning_file import parse_provisioning
from smsgw.admin.sealing import load_key
from smsgw.smpp import const
from smsgw.store import audits
from smsgw.store import policies as store
from smsgw.store.database import connect
from tests.admin.api.scene import TERMS, Client, make_token, serving
from tests.peers import Esme
from tests.rig import provisioning, running


@pytest.fixture
async def ask(database: str, tmp_path: Path) -> AsyncIterator[Client]:
    """A gateway with the set `content`, and a client with every permission."""
    async with serving(database, tmp_path) as client:
        yield client


async def test_a_set_that_was_sent_judges_within_a_second_and_nobody_is_dropped(database: str, tmp_path: Path):
    """A bound session's next message is judged by the version that a PUT brought, and by the old one after a rollback."""
    async with serving(database, tmp_path) as ask, await Esme.connect(ask.daemon.ports[0]) as esme:
        await esme.bind("acme1", "secret")
        assert (await esme.submit(text=b"lottery")).status == const.ESME_ROK
        status, made, headers = await ask.put("lottery")
        assert (status, made["changed"]) == (200, True)
        assert headers["ETag"] == f'"{made["version"]}"'
        await ask.follows(made["version"])
        assert (await esme.submit(text=b"lottery")).status == 0x410
        assert (await esme.submit(text=b"casino")).status == const.ESME_ROK
        status, back, _ = await ask("POST", "/v1/policies/content/rollback", {"reason": "too strict"})
        assert (status, back["version"], back["previous"]) == (200, made["previous"], made["version"])
        await ask.follows(back["version"])
        assert (await esme.submit(text=b"casino")).status == 0x410
        assert not esme.ended.is_set()


async def test_sets_and_their_versions_are_told(ask: Client):
    """What is in force, how many rules of each class, since when, by whom and why; each version's files; what became of it."""
    status, made, _ = await ask.put("lottery", reason="ticket 7")
    await ask.follows(made["version"])
    status, rows, _ = await ask("GET", "/v1/policies")
    (row,) = rows
    assert (status, row["name"], row["version"], row["state"], row["rules"]) == (
        200,
        "content",
        made["version"],
        "live",
        {"terms": 1},
    )
    assert (row["by"], row["reason"], row["accounts"], row["in_force"], row["fault"]) == ("token:ci", "ticket 7", 1, True, "")
    status, versions, _ = await ask("GET", "/v1/policies/content/versions")
    assert [(one["change"], one["by"], one["live"], one["kept"]) for one in versions] == [
        ("changed", "token:ci", True, True),
        ("made", "test", False, True),
    ]
    status, files, headers = await ask("GET", "/v1/policies/content")
    assert files["files"] == [{"name": "a.toml", "text": TERMS.format(id="t", word="lottery")}]
    assert headers["ETag"] == f'"{made["version"]}"'
    assert (await ask("GET", "/v1/policies/content", headers={"If-None-Match": headers["ETag"]}))[0] == 304
    status, files, _ = await ask("GET", f"/v1/policies/content?version={made['previous'][:8]}")
    assert (files["version"], files["live"], "casino" in files["files"][0]["text"]) == (made["previous"], False, True)
    for path in ("/v1/policies/none", "/v1/policies/none/versions", "/v1/policies/content?version=ffffffff"):
        assert (await ask("GET", path))[0] == 404


async def test_what_is_answered_can_be_sent_again(ask: Client):
    """Files and lists of GET are those of PUT: the same version, no change; numbers are never answered."""
    files = [{"name": "b.toml", "text": '[recipient]\nblock = "block.txt"\n' + TERMS.format(id="t", word="casino")}]
    status, made, _ = await ask("PUT", "/v1/policies/content", {"files": files, "lists": {"block.txt": "8613800138000\n"}})
    assert (status, made["difference"]["added"]) == (200, ["recipient"])
    _, told, _ = await ask("GET", "/v1/policies/content")
    assert "86138" not in str(told["lists"])
    status, same, _ = await ask("PUT", "/v1/policies/content", {"files": told["files"], "lists": told["lists"]})
    assert (status, same["changed"], same["version"]) == (200, False, made["version"])


async def test_every_fault_is_answered_and_nothing_changed(ask: Client):
    """Of form, engines, lists and the set's own texts, each with file, line, key and what to do; a dry run says the same."""
    text = '[[terms]]\nid = "a"\nwords = ["x"]\nmust = ["y"]\nmood = 1\n[[pattern]]\nid = "p"\nexpression = "("\nmust = ["x"]\n'
    body = {"files": [{"name": "a.toml", "text": text}, {"name": "b.toml", "text": "x = ["}], "lists": {"c.txt": ""}}
    for path in ("/v1/policies/content", "/v1/policies/content?dry_run=1"):
        status, told, _ = await ask("PUT", path, body)
        assert (status, told["error"]) == (422, "faulty")
        assert [(fault["file"], fault["line"], fault["key"]) for fault in told["faults"]] == [
            ("a.toml", 5, "terms[0].mood"),
            ("b.toml", 0, ""),
            ("a.toml", 6, "pattern.p"),
            ("c.txt", 0, ""),
        ]
        assert all(fault["message"] and fault["hint"] for fault in told["faults"])
    assert len((await ask("GET", "/v1/policies/content/versions"))[1]) == 1


async def test_a_dry_run_compares_and_changes_nothing(ask: Client):
    """What the set was proved on, and what differs rule by rule from the version in force."""
    text = 'harmless = ["fine.txt"]\n' + TERMS.format(id="t", word="lottery") + TERMS.format(id="more", word="bet")
    body = {"files": [{"name": "a.toml", "text": text}], "lists": {"fine.txt": "hello\n"}}
    status, told, _ = await ask("PUT", "/v1/policies/content?dry_run=1", body)
    assert (status, told["dry_run"], told["changed"]) == (200, True, True)
    assert told["self_test"] == {"passed": True, "must": 2, "harmless": 1}
    assert told["difference"] == {
        "added": ["terms.more"],
        "removed": [],
        "changed": [
            {"rule": "set", "keys": ["harmless"], "came": 1, "went": 0},
            {"rule": "terms.t", "keys": ["must"], "came": 1, "went": 1},
        ],
    }
    assert (await ask("GET", "/v1/policies"))[1][0]["version"] == told["previous"]
    assert (await ask("PUT", "/v1/policies/content?dry_run=perhaps", body))[0] == 422


async def test_a_lost_update_is_refused(ask: Client):
    """If-Match with a version that is not in force any more: 412 with the one that is; a new set is made once."""
    _, first, _ = await ask.put("lottery")
    old = {"If-Match": f'"{first["previous"]}"'}
    files = {"files": [{"name": "a.toml", "text": TERMS.format(id="t", word="bet")}]}
    status, told, _ = await ask("PUT", "/v1/policies/content", files, headers=old)
    assert (status, told["error"], told["version"]) == (412, "moved", first["version"])
    assert (await ask("POST", "/v1/policies/content/rollback", {}, headers=old))[0] == 412
    assert (await ask("POST", "/v1/policies/content/shadow", {"on": True}, headers=old))[0] == 412
    status, made, _ = await ask("PUT", "/v1/policies/content", files, headers={"If-Match": f'"{first["version"]}"'})
    assert (status, made["previous"]) == (200, first["version"])
    new = {"If-None-Match": "*"}
    assert (await ask("PUT", "/v1/policies/fresh", files, headers=new))[0] == 201
    assert (await ask("PUT", "/v1/policies/fresh", files, headers=new))[0] == 412
    assert (await ask("PUT", "/v1/policies/absent", files, headers={"If-Match": "*"}))[0] == 412


async def test_two_writers_at_once_do_not_undo_each_other(ask: Client):
    """Of two that saw the same version one wins; the other is told so, or that a check is at work."""
    _, _, headers = await ask("GET", "/v1/policies/content")
    guard = {"If-Match": headers["ETag"]}
    bodies = [{"files": [{"name": "a.toml", "text": TERMS.format(id="t", word=word)}]} for word in ("one", "two")]
    answers = await asyncio.gather(*(ask("PUT", "/v1/policies/content", body, headers=guard) for body in bodies))
    assert sorted(status for status, _, _ in answers) in ([200, 412], [200, 503])
    assert len((await ask("GET", "/v1/policies/content/versions"))[1]) == 2


async def test_a_rule_goes_into_the_shadow_and_comes_back(ask: Client):
    """It is counted and decides nothing, on a bound session; back again the version is the one before."""
    async with await Esme.connect(ask.daemon.ports[0]) as esme:
        await esme.bind("acme1", "secret")
        status, on, _ = await ask("POST", "/v1/policies/content/shadow", {"rule": "terms.t", "on": True})
        assert (status, on["difference"]["changed"]) == (200, [{"rule": "terms.t", "keys": ["mode"], "came": 0, "went": 0}])
        await ask.follows(on["version"])
        assert (await esme.submit(text=b"casino")).status == const.ESME_ROK
        assert (await ask("GET", "/v1/policies"))[1][0]["shadow_rules"] == ["terms.t"]
        status, off, _ = await ask("POST", "/v1/policies/content/shadow", {"rule": "terms.t", "on": False})
        assert off["version"] == on["previous"]
        await ask("POST", "/v1/policies/content/shadow", {"on": True})
        assert (await ask("GET", "/v1/policies"))[1][0]["state"] == "shadow"
    assert (await ask("GET", "/v1/policies/content/versions"))[1][0]["reason"] == "shadow on: the set"
    status, told, _ = await ask("POST", "/v1/policies/content/shadow", {"rule": "terms.x", "on": True})
    assert (status, "known are terms.t" in told["message"]) == (404, True)
    assert (await ask("POST", "/v1/policies/none/shadow", {"on": True}))[0] == 404
    assert (await ask("POST", "/v1/policies/content/shadow", {"rule": "terms.t"}))[0] == 422
    inline = {"files": [{"name": "a.toml", "text": "links = {}\n"}]}
    await ask("PUT", "/v1/policies/content", inline)
    status, told, _ = await ask("POST", "/v1/policies/content/shadow", {"rule": "links", "on": True})
    assert (status, told["error"]) == (409, "cannot_switch")


async def test_what_was_sent_is_judged_by_another_set(ask: Client):
    """How many would be refused now, by which rule, with masked examples; who asked is in the audit."""
    async with await Esme.connect(ask.daemon.ports[0]) as esme:
        await esme.bind("acme1", "secret")
        for text in (b"lottery today", b"hello"):
            assert (await esme.submit(text=text)).status == const.ESME_ROK
    body = {"files": [{"name": "a.toml", "text": TERMS.format(id="t", word="lottery")}], "since": "1h", "reason": "ticket 8"}
    status, told, _ = await ask("POST", "/v1/policies/content/replay", body)
    assert (status, told["judged"], told["different"], told["incomplete"]) == (200, 2, 1, 0)
    assert (told["before"]["pass"], told["now"]) == (2, {"pass": 1, "flag": 0, "hold": 0, "reject": 1})
    (row,) = told["differences"]
    assert (row["change"], row["messages"], row["rule"]) == ("newly refused", 1, "terms.t")
    assert [example["to"] for example in row["examples"]] == ["8613****8000"]
    assert "lottery" not in str(told)
    _, rows, _ = await ask("GET", "/v1/policies/content/versions")
    status, same, _ = await ask("POST", "/v1/policies/content/replay", {"version": rows[0]["version"], "account": "acme1"})
    assert (same["judged"], same["different"]) == (2, 0)
    connection = await connect(ask.daemon.ground.dsn)
    found = await audits.find(connection, "content", "content", "token:ci", None, 10)
    await connection.close()
    assert [one["reason"] for one in found] == ["replay of a rule set", "ticket 8"]


async def test_a_replay_that_cannot_be_made_says_why(ask: Client):
    """Both or neither of files and version, a span, a limit, an account, a set of nobody, a fault of the set."""
    files = [{"name": "a.toml", "text": TERMS.format(id="t", word="lottery")}]
    for body, key in (
        ({}, "files"),
        ({"files": files, "version": "x"}, "files"),
        ({"files": files, "since": "week"}, "since"),
        ({"files": files, "since": "999999d", "account": "nobody"}, "account"),
        ({"files": files, "limit": 0}, "limit"),
        ({"files": files, "account": "nobody"}, "account"),
    ):
        status, told, _ = await ask("POST", "/v1/policies/content/replay", body)
        assert (status, told["faults"][0]["key"]) == (422, key)
    assert (await ask("POST", "/v1/policies/other/replay", {"files": files}))[0] == 422
    faulty = [{"name": "a.toml", "text": "[[terms]]\n"}]
    assert len((await ask("POST", "/v1/policies/content/replay", {"files": faulty}))[1]["faults"]) == 2
    assert (await ask("POST", "/v1/policies/content/replay", {"version": "ffffffff"}))[0] == 404


async def test_why_says_what_would_become_of_a_message(ask: Client):
    """Every rule, route and price, as the command says it; the text is not repeated; it is about accounts of this set."""
    asked = {"account": "acme1", "to": "8613800138000", "text": "casino tonight", "source": "10690001"}
    status, rows, _ = await ask("POST", "/v1/policies/content/why", asked)
    found = {row["step"]: (row["result"], row["detail"]) for row in rows}
    assert (status, found["rule terms"][0]) == (200, "reject")
    assert found["verdict"][1].startswith("0x00000410 content")
    assert "tonight" not in str(rows)
    for wrong in ({"account": "nobody"}, {"to": "ä"}, {"text": "x" * 10_001}):
        status, told, _ = await ask("POST", "/v1/policies/content/why", {**asked, **wrong})
        assert (status, told["error"]) == (422, "faulty")
    status, told, _ = await ask("POST", "/v1/policies/other/why", asked)
    assert "its policy is 'content'" in told["faults"][0]["message"]


async def test_a_set_that_makes_messages_wait_is_none_for_relay_accounts(database: str, tmp_path: Path):
    """As check says it of a file: each account is named with what to do."""
    (tmp_path / "each.toml").write_text('[text]\nparts = "each"\n' + TERMS.format(id="t", word="casino"), encoding="utf-8")
    text = provisioning(1, account='mode = "relay"\npolicy = "content"')
    text += f'[[policy]]\nname = "content"\nfiles = ["{tmp_path}/each.toml"]\n'
    async with running(database, text, more='[api]\nlisten = "127.0.0.1:0"\n') as daemon, aiohttp.ClientSession() as session:
        ask = Client(daemon, session, await make_token(database))
        status, told, _ = await ask.put("lottery")
        assert (status, "account acme1" in told["faults"][0]["message"]) == (422, True)
        assert "joins the parts" in told["faults"][0]["hint"]


async def test_no_relay_account_is_taken_back_to_a_set_that_makes_it_wait(database: str, tmp_path: Path):
    """An account that became one since would have every long message refused; a version that does not wait is taken back."""
    async with serving(database, tmp_path) as ask:
        _, first, _ = await ask.put("lottery")
        text = '[text]\nparts = "each"\n' + TERMS.format(id="t", word="bet")
        _, each, _ = await ask("PUT", "/v1/policies/content", {"files": [{"name": "a.toml", "text": text}]})
        connection = await connect(database)
        await connection.execute('UPDATE account SET settings = settings || \'{"mode": "relay"}\'')
        await connection.close()
        for body in ({}, {"version": first["version"]}):
            status, told, _ = await ask("POST", "/v1/policies/content/rollback", body)
            assert (status, "account acme1" in told["faults"][0]["message"]) == (422, True)
        files = [{"name": "a.toml", "text": text.replace("bet", "poker")}]
        await ask("PUT", "/v1/policies/content", {"files": files})
        status, back, _ = await ask("POST", "/v1/policies/content/rollback", {})
        assert (status, back["version"]) == (200, each["version"])


async def test_neither_content_nor_numbers_nor_tokens_are_logged(ask: Client, capsys: pytest.CaptureFixture[str]):
    """What a request says stands in no line of the log; that a set was changed does, with who and which version."""
    await ask.put("lottery", reason="words of mine")
    await ask("POST", "/v1/policies/content/why", {"account": "acme1", "to": "8613800138000", "text": "my secret text"})
    await ask("PUT", "/v1/policies/content", data=b"{")
    good, ask.token = ask.token, "smsgw_" + "w" * 43
    await ask("GET", "/v1/policies")
    told = "".join(capsys.readouterr())
    assert "api_unauthenticated" in told
    assert "policy_changed" in told
    assert "token:ci" in told
    assert [word for word in ("lottery", "words of mine", "8613800138000", "my secret text", good, ask.token) if word in told] == []


async def test_a_set_that_cannot_be_read_hides_no_other(ask: Client, database: str):
    """It is shown as faulty, with why; the others as they are."""
    connection = await connect(database)
    await store.keep_content(connection, "broken", b"no bundle")
    await connection.execute(store.PUT, "broken", "broken", ["a.toml"])
    await connection.close()
    _, rows, _ = await ask("GET", "/v1/policies")
    assert [(row["name"], row["state"], bool(row["fault"]), row["in_force"]) for row in rows] == [
        ("broken", "faulty", True, False),
        ("content", "live", False, True),
    ]


async def test_names_are_those_of_files(ask: Client):
    """Any letters, as a file may have them; what is no name is told so, and leads nowhere."""
    body = {"files": [{"name": "a.toml", "text": TERMS.format(id="t", word="lottery")}]}
    status, made, _ = await ask("PUT", "/v1/policies/营销", body)
    assert (status, made["name"]) == (201, "营销")
    for name in ("a%20b", "..%2Fx", "-x", "x" * 64):
        status, told, _ = await ask("PUT", f"/v1/policies/{name}", body)
        assert (status, told["error"]) == (404, "no_such_policy")


async def test_what_was_sent_and_exported_is_no_change_for_an_apply(ask: Client, database: str, tmp_path: Path):
    """Whatever line ends it was sent with: the files read as the version that is in force."""
    text = ('[recipient]\nblock = "block.txt"\n' + TERMS.format(id="t", word="lottery")).replace("\n", "\r\n")
    body = {"files": [{"name": "policy/a.toml", "text": text}], "lists": {"block.txt": "8613800138000\r\n"}}
    _, made, _ = await ask("PUT", "/v1/policies/content", body)
    connection = await connect(database)
    entity, bundle = await policy_sets.stored(connection, "content")
    await connection.close()
    policy_export.export(bundle, tmp_path)
    file = parse_provisioning(policy_export.table("content", entity), str(tmp_path / "provisioning.toml"))
    key = load_key(Path(ask.daemon.config.node.data_dir)).derived("numbers")
    assert with_policies(file, key).entities["policy", "content"] == {"files": ["policy/a.toml"], "version": made["version"]}


async def test_a_set_that_judges_nobody_is_taken_away(ask: Client):
    """One that accounts name is kept, and they are named; what was taken away is told by its history."""
    status, told, _ = await ask("DELETE", "/v1/policies/content")
    assert (status, "it judges acme1" in told["message"]) == (409, True)
    _, made, _ = await ask.put("lottery", "spare")
    assert (await ask("DELETE", "/v1/policies/spare", headers={"If-Match": '"x"'}))[0] == 412
    status, told, _ = await ask("DELETE", "/v1/policies/spare?reason=a%00b")
    assert (status, told["faults"][0]["key"]) == (422, "reason")
    status, gone, _ = await ask("DELETE", "/v1/policies/spare?reason=not+needed")
    assert (status, gone["version"], gone["previous"], gone["difference"]["removed"]) == (
        200,
        "",
        made["version"],
        ["set", "terms.t"],
    )
    assert (await ask("DELETE", "/v1/policies/spare"))[0] == 404
    _, rows, _ = await ask("GET", "/v1/policies/spare/versions")
    assert [(row["change"], row["reason"]) for row in rows] == [("deleted", "not needed"), ("made", "")]
    assert (await ask("GET", f"/v1/policies/spare?version={made['version']}"))[0] == 200
