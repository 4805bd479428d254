"""Marks at the door: block lists for every account, consent where a set requires it; what this node knows follows the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsgw.admin import recipients, reviewing
from smsgw.admin.recipients import By
from smsgw.compliance.lists import Entry
from smsgw.journey import optout
from smsgw.model import State
from smsgw.policy.matcher import Term
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from smsgw.smpp.pdu import sm_body
from tests.admin.test_reviewing import in_review, submitted
from tests.admin.test_why import why
from tests.journey.parted import put_all
from tests.journey.scene import Scene, id_of
from tests.journey.test_defer import Window
from tests.journey.test_optout import CODE, HANDSET, NOTICE, OFFER, OPTED_OUT, said, scene_of, told

OPS = By("ops", "ticket 7")
NUMBER = HANDSET.decode()
BLOCKED = STATUSES["blocked"][0]


async def block(scene: Scene, *, active: bool = True, **scope: str) -> None:
    """Put the number on a block list, or take it off, and wait until the gateway knows."""
    known = scene.daemon.opt_outs.marks
    where = await recipients.block_scope(scene.connection, **scope)
    if active:
        await recipients.mark(scene.connection, known, where, [Entry(NUMBER)], OPS)
    else:
        await recipients.lift(scene.connection, known, [where], NUMBER, OPS)
    await scene.until(lambda: (where in known.found(NUMBER)) == active)


@pytest.mark.parametrize("scope", [{}, {"tenant": "acme"}, {"account": "acme1"}])
async def test_a_block_list_stops_everything_without_a_policy_too(database: str, scope: dict[str, str]):
    """An account without a policy reads 0x041B for a blocked number, for no other, and not any more once it is taken off."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        assert await told(tenant, CODE) == const.ESME_ROK
        await block(scene, **scope)
        assert await told(tenant, CODE) == BLOCKED
        assert await told(tenant, CODE, dest=b"+8613800138000") == BLOCKED
        assert await told(tenant, CODE, dest=b"8613800138001") == const.ESME_ROK
        assert scene.daemon.meters.account("acme1").refused == {"blocked": 2}
        await block(scene, active=False, **scope)
        assert await told(tenant, CODE) == const.ESME_ROK


async def test_the_strict_profile_and_why(database: str):
    """With strict_34 it reads ESME_RINVDSTADR; `why` names the list; another account's list stops nothing."""
    other = '[[account]]\ntenant = "acme"\nsystem_id = "acme2"\npassword = "secret"\nstrict_34 = true'
    async with Scene(database, account=other).playing() as scene:
        first, second = await scene.tenant(), await scene.tenant(system_id="acme2")
        await block(scene, account="acme2")
        assert await told(first, CODE) == const.ESME_ROK
        assert await told(second, CODE) == const.ESME_RINVDSTADR
        assert (await why(scene, NOTICE))["block lists"] == ("pass", "")
        assert (await why(scene, NOTICE, account="acme2"))["block lists"] == ("refused", "0x0000000b blocked block.account")


async def test_consent_may_be_required(database: str, tmp_path: Path):
    """Marketing goes to who is on record, until he withdraws or refuses; codes go to everybody; `why` says which rule."""
    async with scene_of(database, tmp_path, "[consent]\nrequired = true\n").playing() as scene:
        tenant, known = await scene.tenant(), scene.daemon.opt_outs.marks
        missing = STATUSES["no_consent"][0]
        assert await told(tenant, OFFER) == missing
        assert await told(tenant, CODE) == const.ESME_ROK
        assert (await why(scene, OFFER))["rule consent"] == ("reject", "consent.required")
        await recipients.consent(scene.connection, known, "acme1", [Entry(NUMBER, None, "web", "form 1")], OPS)
        await scene.until(lambda: known.found(NUMBER))
        assert await told(tenant, OFFER) == const.ESME_ROK
        assert await said(scene, "TD") == const.ESME_ROK
        assert await told(tenant, OFFER) == OPTED_OUT
        assert await said(scene, "START") == const.ESME_ROK
        assert await told(tenant, OFFER) == const.ESME_ROK
        await recipients.withdraw(scene.connection, known, "acme1", NUMBER, OPS)
        await scene.until(lambda: not known.found(NUMBER))
        assert await told(tenant, OFFER) == missing


async def test_after_many_changes_all_is_loaded_anew(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A long list comes as packed pages and not as single changes; what is refused meanwhile is refused after it too."""
    monkeypatch.setattr(optout, "AFRESH", 100)
    async with scene_of(database, tmp_path).playing() as scene:
        tenant, known = await scene.tenant(), scene.daemon.opt_outs.marks
        assert await said(scene, "TD") == const.ESME_ROK
        assert (len(known), known.changed) == (0, 1)
        where = await recipients.opt_out_scope(scene.connection, "acme1")
        entries = [Entry(f"86139{at:08d}") for at in range(400)]
        await recipients.mark(scene.connection, known, where, entries, OPS)
        await scene.until(lambda: (len(known), known.changed) == (401, 0))
        assert await told(tenant, OFFER) == OPTED_OUT
        assert await told(tenant, OFFER, dest=b"8613900000399") == OPTED_OUT
        assert await told(tenant, OFFER, dest=b"8613900000400") == const.ESME_ROK
        assert await said(scene, "START", source=b"8613900000399") == const.ESME_ROK
        assert await told(tenant, OFFER, dest=b"8613900000399") == const.ESME_ROK


async def test_too_many_keywords_and_an_unknown_set_are_asked_for_again(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What cannot be put on record now is answered with later, never with ESME_ROK; a long message is no keyword and goes on."""
    async with scene_of(database, tmp_path).playing() as scene:
        with monkeypatch.context() as full:
            full.setattr(optout, "WAITING", 0)
            assert await said(scene, "TD") == const.ESME_RX_T_APPN
            assert await said(scene, "你好") == const.ESME_ROK
        scene.daemon.directory.policies = {}
        assert await said(scene, "TD") == const.ESME_RX_T_APPN
        assert await said(scene, "好" * 60) == const.ESME_ROK
        assert await scene.count("mark_event") == 0


HOLDS = """
[[terms]]
id = "bait"
words = ["加微信"]
action = "hold"
must = ["快加微信"]
"""


async def test_a_long_text_is_refused_for_what_its_recipient_said(database: str, tmp_path: Path):
    """Marketing in two parts, of which neither says so alone: both are rejected by receipt and paid back; a code passes."""
    async with scene_of(database, tmp_path, HOLDS).playing() as scene:
        tenant = await scene.tenant()
        assert await said(scene, "TD") == const.ESME_ROK
        ids = await put_all(tenant, ["全场优", "惠"])
        for each in ids:
            row = await scene.in_state(each, State.REJECTED)
            assert (row["error"], row["refund"]) == (OPTED_OUT, row["price"])
        passing = await put_all(tenant, ["您的验证", "码是1234"], reference=8)
        assert [(await scene.smsc.submitted(2))[at].pdu is not None for at in (0, 1)] == [True, True]
        for each in passing:
            assert (await scene.row(each))["state"] != State.REJECTED


@pytest.mark.parametrize(("how", "reason"), [("TD", "opted_out"), ("", "blocked"), ("好的", "")])
async def test_who_refuses_while_a_text_is_reviewed_does_not_get_it(database: str, tmp_path: Path, how: str, reason: str):
    """A person lets it go, its recipient has refused or is blocked by then: rejected and paid back; else it goes."""
    async with scene_of(database, tmp_path, HOLDS).playing() as scene:
        tenant = await scene.tenant()
        each = await submitted(tenant, f"{OFFER}，快加微信")
        (number,) = await in_review(scene)
        if how:
            assert await said(scene, how) == const.ESME_ROK
        else:
            await block(scene)
        await reviewing.decide(scene.connection, [number], accept=True, actor="ann", reason="seen")
        if not reason:
            await scene.smsc.submitted(1)
            return
        row = await scene.in_state(each, State.REJECTED)
        assert (row["error"], row["refund"]) == (STATUSES[reason][0], row["price"])
        assert scene.smsc.submits == []


@pytest.mark.parametrize(("how", "went"), [("TD", False), ("好的", True)])
async def test_who_refuses_before_the_hours_begin_does_not_get_it(database: str, tmp_path: Path, how: str, went: bool):  # noqa: FBT001
    """Marketing that waits for its hours is asked again when they begin: rejected and paid back, or sent (C08)."""
    window = Window()
    hours = f'[[hours]]\nid = "day"\naction = "defer"\n{window.hours}'
    async with scene_of(database, tmp_path, hours).playing() as scene:
        each = await submitted(await scene.tenant(), OFFER)
        assert (await scene.row(each))["state"] == State.SCHEDULED
        assert await said(scene, how) == const.ESME_ROK
        await scene.later(window.opens_s + 60.0)
        if went:
            await scene.smsc.submitted(1)
            return
        row = await scene.in_state(each, State.REJECTED)
        assert (row["error"], row["refund"]) == (OPTED_OUT, row["price"])
        assert scene.smsc.submits == []


async def test_who_is_blocked_before_the_hours_begin_does_not_get_it(database: str, tmp_path: Path):
    """What waits for its hours is asked for block lists when they begin, as what is held is: rejected and paid back."""
    window = Window()
    hours = f'[[hours]]\nid = "day"\naction = "defer"\n{window.hours}'
    async with scene_of(database, tmp_path, hours).playing() as scene:
        each = await submitted(await scene.tenant(), OFFER)
        assert (await scene.row(each))["state"] == State.SCHEDULED
        await block(scene)
        await scene.later(window.opens_s + 60.0)
        row = await scene.in_state(each, State.REJECTED)
        assert (row["error"], row["refund"]) == (BLOCKED, row["price"])
        assert scene.smsc.submits == []


async def test_a_refusal_stands_behind_whatever_a_person_lets_go(database: str, tmp_path: Path):
    """What cannot be read is held before its recipient is asked; he refuses meanwhile, a person accepts: it does not go."""
    async with scene_of(database, tmp_path, '[category.sender]\n"1069" = "marketing"\n').playing() as scene:
        tenant = await scene.tenant()
        each = id_of(await tenant.submit(b"10690001", text=b"\x4e\x00\x4e", data_coding=8, registered_delivery=1))
        (number,) = await in_review(scene)
        assert await said(scene, "TD") == const.ESME_ROK
        await reviewing.decide(scene.connection, [number], accept=True, actor="ann", reason="seen")
        row = await scene.in_state(each, State.REJECTED)
        assert (row["error"], row["refund"]) == (OPTED_OUT, row["price"])
        assert scene.smsc.submits == []


async def test_a_refusal_stands_while_the_set_is_broken(database: str, tmp_path: Path):
    """Its canary is not found, a person accepts what it held before: who has refused marketing meanwhile does not get it."""
    async with scene_of(database, tmp_path, HOLDS).playing() as scene:
        each = await submitted(await scene.tenant(), f"{OFFER}，快加微信")
        (number,) = await in_review(scene)
        assert await said(scene, "TD") == const.ESME_ROK
        docket = scene.daemon.docket
        docket.rule_sets()[0].terms_n1._shards.append(([Term("never", 0)], docket.rule_sets()[0].terms_n1._shards[0][1]))  # type: ignore[union-attr]
        docket.check()
        await reviewing.decide(scene.connection, [number], accept=True, actor="ann", reason="seen")
        assert (await scene.in_state(each, State.REJECTED))["error"] == OPTED_OUT
        assert docket.failures["china",] >= 1
        assert scene.smsc.submits == []


async def test_no_line_of_the_log_holds_a_number(database: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """Refusing, failing to write a refusal, blocking: what is logged and counted names nobody."""
    async with scene_of(database, tmp_path).playing() as scene:
        await scene.connection.execute("ALTER TABLE mark_event RENAME TO mark_event_away")
        assert await said(scene, "TD") == const.ESME_RX_T_APPN
        await scene.connection.execute("ALTER TABLE mark_event_away RENAME TO mark_event")
        assert await said(scene, "TD") == const.ESME_ROK
        await block(scene)
        assert await told(await scene.tenant(), NOTICE) == BLOCKED
        shown = repr(scene.daemon.opt_outs.marks) + repr(scene.daemon.opt_outs.kept)
    out = "".join(capfd.readouterr())
    assert "marks_not_reached" in out
    assert NUMBER[2:] not in out + shown


async def test_many_refusals_at_once_are_all_kept(database: str, tmp_path: Path):
    """Five hundred handsets in one burst, while the store's connections are cut: each that reads ESME_ROK is on record."""
    async with scene_of(database, tmp_path).playing() as scene:
        numbers = [f"86137{at:08d}" for at in range(500)]
        bodies = [sm_body(source=number.encode(), dest=b"10690001", short_message=b"TD") for number in numbers]
        sent = [scene.smsc.deliver(body) for body in bodies]
        await scene.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'smsgw%'"
        )
        answers = [(await scene.smsc.delivered(one)).status for one in sent]
        kept = [number for number, status in zip(numbers, answers, strict=True) if status == const.ESME_ROK]
        assert set(answers) <= {const.ESME_ROK, const.ESME_RX_T_APPN}
        known = scene.daemon.opt_outs.marks
        on_record = {row["number"] for row in await scene.connection.fetch("SELECT number FROM mark WHERE active")}
        assert {known.hash_of(number) for number in kept} <= on_record
        await scene.until(lambda: scene.daemon.commit.available)
        for number in numbers:
            while await said(scene, "TD", source=number.encode()) != const.ESME_ROK:
                await scene.until(lambda: scene.daemon.commit.available)
        assert await scene.count("mark") == 500
        assert all(known.found(number) for number in numbers)
