"""Complaints: the messages that are meant are found by number and day; the number is blocked; rates are told and proposed on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from smsgw.admin import complaints
from smsgw.admin.complaints import Complaint, Rules, spellings
from smsgw.admin.recipients import By
from smsgw.admin.standing import NotAllowed, NotFound, change_state
from smsgw.compliance.workdays import Calendar
from smsgw.config import Compliance
from smsgw.policy.marks import Marks
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from smsgw.store import notices
from smsgw.store.database import Connection
from smsgw.store.retentions import number_hash
from tests.journey.scene import Scene, id_of
from tests.journey.test_optout import HANDSET, NOTICE, OFFER, scene_of, text_of, told

OPS = By("ops", "ticket 7")
NUMBER = HANDSET.decode()


def today() -> date:
    """The day of the tenant's calendar, which is UTC's here."""
    return datetime.now(UTC).date()


def rules(known: Marks, **limits: object) -> Rules:
    """The rules of this gateway."""
    return Rules(known, Compliance(**limits), Calendar())  # type: ignore[arg-type]


def complaint(**given: object) -> Complaint:
    """A complaint of today."""
    return Complaint(**({"source": "12321", "number": NUMBER, "day": today()} | given))  # type: ignore[arg-type]


async def registered(scene: Scene, **given: object) -> complaints.Registered:
    """Register a complaint of today."""
    return await complaints.add(scene.connection, rules(scene.daemon.opt_outs.marks), complaint(**given), OPS)


async def test_number_and_day_find_the_message(database: str, tmp_path: Path):
    """What the number got that day, from any account, with its signature; nothing of another number or another day (C33)."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        answers = [
            await tenant.submit(text=f"【某某】{OFFER}".encode("utf-16-be"), data_coding=8, dest=dest, source=b"10690001")
            for dest in (HANDSET, b"+8613800138000", b"8613800138001")
        ]
        ids = [int(id_of(answer)) for answer in answers]
        made = await registered(scene, reference="R-1", note=f"no consent of {NUMBER}")
        assert made.messages == tuple(ids[:2])
        assert (made.accounts, made.blocked) == (("acme1",), "account")
        assert made.due == Calendar().after(today(), 15)
        row = await scene.connection.fetchrow("SELECT * FROM complaint")
        assert row is not None
        assert row["masked"] == "8613****8000"
        assert NUMBER not in str(dict(row))
        matched = await scene.connection.fetch("SELECT signature, sender FROM complaint_message")
        assert [tuple(one) for one in matched] == [("某某", "10690001")] * 2
        assert (await registered(scene, day=today() - timedelta(days=1))).messages == ()
        with pytest.raises(NotAllowed, match="registered already"):
            await registered(scene, reference="R-1")
        with pytest.raises(NotAllowed, match="not come yet"):
            await registered(scene, day=today() + timedelta(days=2))


async def test_who_complains_is_sent_nothing_more(database: str, tmp_path: Path):
    """The number is on the account's block list within a second: marketing and notices read 0x041B, until it is taken off."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        assert await told(tenant, NOTICE) == const.ESME_ROK
        await registered(scene)
        await scene.until(lambda: scene.daemon.opt_outs.marks.found(NUMBER))
        assert await told(tenant, NOTICE) == STATUSES["blocked"][0]
        assert await told(tenant, NOTICE, dest=b"8613800138001") == const.ESME_ROK
        (event,) = await scene.connection.fetch("SELECT source, reference, actor FROM mark_event")
        assert tuple(event) == ("complaint", "complaint 1", "ops")
        said = [one for one in await notices.of(scene.connection, "acme") if one["kind"] == "complaint"]
        assert [one["params"]["name"] for one in said] == ["acme1"]
        assert NUMBER not in str(said)


async def test_nobody_is_blocked_whose_message_is_not_found(database: str, tmp_path: Path):
    """Without a message no account is meant; the platform's list is taken where it is asked for, and none where none is."""
    async with scene_of(database, tmp_path).playing() as scene:
        assert (await registered(scene)).blocked == ""
        assert (await registered(scene, block="none")).blocked == ""
        assert await scene.count("mark") == 0
        assert (await registered(scene, block="platform")).blocked == "platform"
        await scene.until(lambda: scene.daemon.opt_outs.marks.found(NUMBER))


async def test_a_rate_that_is_too_high_is_told_and_proposed_on(database: str, tmp_path: Path):
    """Two complaints of a handful of messages: one notice a threshold and month, and the next step of the ladder."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        other = b"8613800138001"
        for dest in (HANDSET, other):
            answer = await tenant.submit(text=f"【某某】{OFFER}".encode("utf-16-be"), data_coding=8, dest=dest, source=b"10690001")
            assert answer.status == const.ESME_ROK
        first = await registered(scene)
        assert [rate["level"] for rate in first.rates] == ["", ""]
        second = await registered(scene, number=other.decode())
        assert [(rate["signature"], rate["complaints"], rate["messages"], rate["level"]) for rate in second.rates] == [
            ("", 2, 2, "high"),
            ("某某", 2, 2, "high"),
        ]
        assert second.rates[0]["proposal"] == "smsgw state freeze account acme1"
        assert second.rates[0]["per_million"] == 1_000_000
        await registered(scene)
        kinds = [
            one["params"]["signature"] for one in await notices.of(scene.connection, "acme") if one["kind"] == "complaint_rate"
        ]
        assert sorted(kinds) == ["", "某某"]
        await change_state(scene.connection, "account", "acme1", "frozen", actor="ops", reason="complaints")
        rates = await complaints.rates_of(scene.connection, today(), Compliance())
        assert rates[0]["proposal"] == "smsgw state terminate account acme1"
        low = Compliance(complaint_rate=2e6, complaint_rate_high=3e6)
        assert {rate["proposal"] for rate in await complaints.rates_of(scene.connection, today(), low)} == {""}


async def test_overdue_shows_in_the_metric(database: str, tmp_path: Path):
    """A complaint past its due date is counted once a minute, until it is closed."""
    async with scene_of(database, tmp_path).playing() as scene:
        made = await registered(scene)
        await scene.connection.execute("UPDATE complaint SET due = due - 60")
        opt_outs = scene.daemon.opt_outs
        opt_outs._round = 0
        await scene.until(lambda: (opt_outs.open, opt_outs.overdue) == (1, 1))
        await complaints.close(scene.connection, made.complaint, "apologised", OPS)
        opt_outs._round = 0
        await scene.until(lambda: (opt_outs.open, opt_outs.overdue) == (0, 0))


async def test_a_complaint_is_closed_once(connection: Connection):
    """With its outcome, by whom and why; again, or one that is not there, is refused; a dry run changes nothing."""
    known = Marks(b"k" * 32)
    made = await complaints.add(connection, rules(known), complaint(), OPS)
    looked = await complaints.close(connection, made.complaint, "apologised", By("ops", "x", dry_run=True))
    assert looked["state"] == "closed"
    closed = await complaints.close(connection, made.complaint, "apologised", OPS)
    assert (closed["outcome"], closed["closed_by"]) == ("apologised", "ops")
    with pytest.raises(NotAllowed, match="was closed by ops"):
        await complaints.close(connection, made.complaint, "again", OPS)
    with pytest.raises(NotFound):
        await complaints.close(connection, 99, "x", OPS)
    assert (await complaints.add(connection, rules(known), complaint(), By("ops", "x", dry_run=True))).complaint == 0
    assert await connection.fetchval("SELECT count(*) FROM complaint") == 1


def test_a_number_has_many_spellings():
    """With and without + and 00, and where a country is set, with and without its code; all of one hash."""
    plain = rules(Marks(b"k"))
    assert spellings(plain, "+8613800138000") == ["8613800138000", "+8613800138000", "008613800138000"]
    chinese = rules(Marks(b"k", country_code="86", national_digits=11), country_code="86", national_digits=11)
    assert set(spellings(chinese, "13800138000")) == set(spellings(chinese, "008613800138000"))
    assert len(spellings(chinese, "13800138000")) == 6


async def test_sealed_and_hashed_messages_are_found(database: str, tmp_path: Path):
    """Content that is sealed at rest tells its signature, and a message whose number a hash has replaced is found by the number."""
    policed = text_of(tmp_path)
    sealed = '[[retention]]\nname = "eu"\nprofile = "eu_min"\nencrypted = true\n'
    text = lambda *ports: policed(*ports).replace('policy = "china"', 'policy = "china"\nretention = "eu"') + sealed  # noqa: E731
    async with Scene(database, text=text).playing() as scene:
        tenant = await scene.tenant()
        answer = await tenant.submit(text=f"【某某】{OFFER}".encode("utf-16-be"), data_coding=8, dest=HANDSET, source=b"10690001")
        await scene.settled()
        retained = number_hash(scene.daemon.ground.key.derived("retained numbers"))
        await scene.connection.execute("UPDATE message SET destination = $1", retained(NUMBER))
        by = rules(scene.daemon.opt_outs.marks)
        known = Rules(by.known, by.limits, by.calendar, retained, scene.daemon.desk.opened)
        made = await complaints.add(scene.connection, known, complaint(number=f"+{NUMBER}"), OPS)
        assert made.messages == (int(id_of(answer)),)
        assert await scene.connection.fetchval("SELECT signature FROM complaint_message") == "某某"
        shut = Rules(by.known, by.limits, by.calendar, retained)
        assert (await complaints.add(scene.connection, shut, complaint(), OPS)).messages == made.messages
