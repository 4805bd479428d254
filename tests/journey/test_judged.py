"""Judging on the way in: an account's policy refuses by its rules, with their statuses, and nothing else changes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from smsgw.config import ConfigError
from smsgw.journey.accept import TIMED
from smsgw.model import State
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import sm_body
from smsgw.smpp.udh import Concat, concat_element, write_udh
from smsgw.store import messages
from tests.builds import plain_only
from tests.journey.scene import Scene, id_of
from tests.journey.test_restricted import put
from tests.peers import Esme
from tests.rig import provisioning

POLICY = """
[text]
parts = "each"

[sender]
owned = true
alphanumeric = "refuse"

[recipient]
countries = ["CN"]
block = "block.txt"

[signature]
only_filed = true
[[signature.filed]]
signature = "某某"
carriers = ["alpha"]
[[signature.filed]]
signature = "别家"
carriers = ["beta"]

[[terms]]
id = "gambling"
words = ["百家乐"]
must = ["来玩百家樂吧"]

[[terms]]
id = "bait"
words = ["加微信"]
action = "hold"
must = ["快加微信"]

[[terms]]
id = "odd"
words = ["稀奇"]
action = "flag"
must = ["稀奇古怪"]

[[terms]]
id = "trial"
words = ["试一试"]
mode = "shadow"
must = ["试一试"]
"""
NUMBERED = {"source": b"10690001", "data_coding": 8}


def policed(directory: Path, text: str = POLICY) -> str:
    """Write a rule set and return the provisioning that names it."""
    (directory / "set.toml").write_text(text, encoding="utf-8")
    (directory / "block.txt").write_text("8613900000000 # asked us\n", encoding="utf-8")
    return f'[[policy]]\nname = "china"\nfiles = ["{directory}/set.toml"]\n'


def scene_of(database: str, directory: Path, text: str = POLICY, account: str = "") -> Scene:
    """Return a scene whose account is judged."""
    policy = policed(directory, text)
    return Scene(
        database,
        text=lambda *ports: provisioning(*ports, account=f'policy = "china"\n{account}') + policy,
        more="",
    )


def judged_kinds(directory: Path, *ports: int) -> str:
    """Return provisioning in which a policy tells a one-time password, which has a price of its own."""
    policy = policed(directory, '[category]\nwords = { otp = ["验证码"] }\n')
    price = '[[price]]\ntenant = "acme"\nprefix = ""\ncategory = "otp"\nprice = "0.05"\n'
    return provisioning(*ports, account='policy = "china"') + policy + price


async def status_of(tenant: Esme, text: str, **fields: object) -> int:
    """Submit a text and return the status of its answer."""
    return (await tenant.submit(text=text.encode("utf-16-be"), **(NUMBERED | fields))).status  # type: ignore[arg-type]


async def test_rules_refuse_with_their_own_status_and_the_rest_passes(database: str, tmp_path: Path):
    """Content, signature, sender, recipient and block list each say their own status; the others go unaltered, held ones wait."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        own = {reason: status for reason, (status, _) in STATUSES.items()}
        assert await status_of(tenant, "【某某】来玩百\u200b家樂吧") == own["content"]
        assert await status_of(tenant, "您好") == own["signature"]
        assert await status_of(tenant, "【谁家】您好") == own["signature"]
        assert await status_of(tenant, "【别家】您好") == own["signature"]
        assert await status_of(tenant, "【某某】您好", source=b"10690002") == const.ESME_RINVSRCADR
        assert await status_of(tenant, "【某某】您好", dest=b"447700900123") == own["scope"]
        assert await status_of(tenant, "【某某】您好", dest=b"86138") == const.ESME_RINVDSTADR
        assert await status_of(tenant, "【某某】您好", dest=b"8613900000000") == own["blocked"]
        assert await scene.count("message") == 0
        assert await status_of(tenant, "【某某】快加微信") == const.ESME_ROK
        await scene.until(lambda: scene.daemon.hold.fates["review", "rules"] == 1)
        passing = "【某某】您好，试一试，稀奇"
        assert await status_of(tenant, passing) == const.ESME_ROK
        assert [submit.content for submit in await scene.smsc.submitted(1)] == [passing.encode("utf-16-be")]
        refused = scene.daemon.meters.account("acme1").refused
        assert (refused["content"], refused["signature"], refused["held"], refused["sender"]) == (1, 3, 0, 1)
        hits = scene.daemon.docket.hits
        assert hits["china", "terms.gambling", "reject"] == 1
        assert hits["china", "terms.bait", "hold"] == 2  # at the door, and when it was put before a person
        assert hits["china", "terms.odd", "flag"] == 1
        assert hits["china", "terms.trial", "would_reject"] == 1
        assert scene.daemon.docket.verdicts["china", "flag"] == 1


async def test_the_strict_profile_gets_statuses_of_the_specification(database: str, tmp_path: Path):
    """With strict_34 a refused text is ESME_RSUBMITFAIL, a blocked number ESME_RINVDSTADR."""
    async with scene_of(database, tmp_path, account="strict_34 = true").playing() as scene:
        tenant = await scene.tenant()
        assert await status_of(tenant, "【某某】百家乐") == const.ESME_RSUBMITFAIL
        assert await status_of(tenant, "【某某】您好", dest=b"8613900000000") == const.ESME_RINVDSTADR


async def test_parts_are_held_unless_the_set_judges_each(database: str, tmp_path: Path):
    """A part of a long message cannot be judged alone: by default it waits for the others; `each` judges what stands in it."""
    long = POLICY.replace('parts = "each"', "")
    header = write_udh([concat_element(Concat(7, 8, 2, 1))])
    body = header + "【某某】您好".encode("utf-16-be")
    fields = {"esm_class": 0x40, **NUMBERED}
    async with scene_of(database, tmp_path, long).playing() as scene:
        tenant = await scene.tenant()
        held = id_of(await tenant.submit(text=body, **fields))  # type: ignore[arg-type]
        assert (await scene.row(held))["state"] == State.HELD
        text = policed(tmp_path)
        await scene.provision(provisioning(scene.smsc.port, account='policy = "china"') + text)
        await scene.until(lambda: scene.daemon.docket.rule_sets()[0].table.text.parts == "each")
        gone = id_of(await tenant.submit(text=body, **fields))  # type: ignore[arg-type]
        await scene.in_state(gone, State.SENT)
        assert (await scene.row(held))["state"] == State.HELD


async def test_a_new_version_takes_over_and_the_old_one_comes_back(database: str, tmp_path: Path):
    """Applying a changed file changes what is refused without dropping the bind; a rollback names the version before again."""
    from smsgw.admin.provisioning import rollback

    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        first = scene.daemon.docket.rule_sets()[0].version
        assert await status_of(tenant, "【某某】彩票") == const.ESME_ROK
        text = policed(tmp_path, POLICY.replace('["百家乐"]', '["百家乐", "彩票"]'))
        await scene.provision(provisioning(scene.smsc.port, account='policy = "china"') + text)
        await scene.until(lambda: scene.daemon.docket.rule_sets()[0].version != first)
        assert await status_of(tenant, "【某某】彩票") == STATUSES["content"][0]
        await rollback(scene.connection, actor="test")
        await scene.until(lambda: scene.daemon.docket.rule_sets()[0].version == first)
        assert await status_of(tenant, "【某某】彩票") == const.ESME_ROK


@pytest.mark.parametrize("content", [b"x\x9c\x03\x00\x00\x00\x00\x01", b"nonsense"])
async def test_a_policy_that_is_not_loaded_lets_nothing_pass(database: str, tmp_path: Path, content: bytes):
    """Content that cannot be compiled any more: what its accounts send is held, all others go on, and it is told."""
    async with scene_of(database, tmp_path).playing() as scene:
        await scene.connection.execute("UPDATE policy_content SET content = $1", content)
        await scene.stop()
        await scene.start()
        tenant = await scene.tenant()
        assert await status_of(tenant, "【某某】您好") == const.ESME_ROK
        await scene.until(lambda: scene.daemon.hold.fates["review", "rules"] == 1)
        assert scene.daemon.directory.policy_faults[0][0] == "china"
        assert scene.daemon.docket.failures["china",] == 2
        assert scene.smsc.submits == []


@plain_only
async def test_an_engine_that_breaks_judges_by_the_fail_mode(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An exception in a rule has that message held or refused; a set that says `pass` lets it go, marked."""

    def broken(*_: object) -> None:
        raise RuntimeError

    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        monkeypatch.setattr("smsgw.policy.docket.judge", broken)
        assert await status_of(tenant, "【某某】您好") == const.ESME_ROK
        await scene.until(lambda: scene.daemon.hold.fates["review", "rules"] == 1)
        assert scene.smsc.submits == []
        await scene.provision(
            provisioning(scene.smsc.port, account='policy = "china"') + policed(tmp_path, f'fail = "reject"\n{POLICY}')
        )
        await scene.until(lambda: scene.daemon.docket.rule_sets()[0].table.fail == "reject")
        assert await status_of(tenant, "【某某】您好") == STATUSES["policy_failed"][0]
        await scene.provision(
            provisioning(scene.smsc.port, account='policy = "china"') + policed(tmp_path, f'fail = "pass"\n{POLICY}')
        )
        await scene.until(lambda: scene.daemon.docket.rule_sets()[0].table.fail == "pass")
        assert await status_of(tenant, "【某某】您好") == const.ESME_ROK


async def test_message_payload_is_judged_as_one_text(database: str, tmp_path: Path):
    """A long text in message_payload is read whole, in submit_sm and in data_sm."""
    from smsgw.smpp import tlv
    from smsgw.smpp.pdu import data_sm_body

    text = f"【某某】{'好' * 200}百家乐".encode("utf-16-be")
    payload = tlv.append(const.TAG_MESSAGE_PAYLOAD, text)
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        body = sm_body(source=b"10690001", dest=b"8613800138000", data_coding=8, tlvs=payload)
        assert (await tenant.ask(const.SUBMIT_SM, body)).status == STATUSES["content"][0]
        data = data_sm_body(source=b"10690001", dest=b"8613800138000", data_coding=8, tlvs=payload)
        assert (await tenant.ask(const.DATA_SM, data)).status == STATUSES["content"][0]
        good = tlv.append(const.TAG_MESSAGE_PAYLOAD, "【某某】您好".encode("utf-16-be"))
        body = sm_body(source=b"10690001", dest=b"8613800138000", data_coding=8, tlvs=good)
        assert id_of(await tenant.ask(const.SUBMIT_SM, body))


async def test_a_text_behind_another_in_the_same_message_does_not_go(database: str, tmp_path: Path):
    """Of two message_payload TLVs nobody knows which a carrier takes: neither goes, whichever command has them."""
    from smsgw.smpp import tlv
    from smsgw.smpp.pdu import data_sm_body

    texts = ["【某某】您好", "【某某】百家乐"]
    both = b"".join(tlv.append(const.TAG_MESSAGE_PAYLOAD, text.encode("utf-16-be")) for text in texts)
    hidden = tlv.append(const.TAG_MESSAGE_PAYLOAD, b"") + tlv.append(const.TAG_MESSAGE_PAYLOAD, texts[1].encode("utf-16-be"))
    ends = {"source": b"10690001", "dest": b"8613800138000", "data_coding": 8}
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        for command, body in (
            (const.SUBMIT_SM, sm_body(**ends, tlvs=both)),
            (const.DATA_SM, data_sm_body(**ends, tlvs=both)),
            (const.SUBMIT_SM, sm_body(**ends, short_message=texts[0].encode("utf-16-be"), tlvs=hidden)),
        ):
            assert (await tenant.ask(command, body)).status == const.ESME_RINVMSGLEN
        assert scene.daemon.meters.account("acme1").refused == {"short_message_and_payload": 3}


async def test_ten_new_versions_under_load_leave_nothing_unjudged(database: str, tmp_path: Path):
    """While versions come and go, each forbidden text is refused, each other one is accepted once and reaches the carrier."""
    good, bad = ("【某某】您好".encode("utf-16-be"), "【某某】百家樂".encode("utf-16-be"))
    bodies = [sm_body(dest=b"8613800138000", short_message=text, **NUMBERED) for text in (good, bad)]  # type: ignore[arg-type]
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        versions = set()
        sent = 0
        for change in range(10):
            text = policed(tmp_path, POLICY.replace('["百家乐"]', f'["百家乐", "词语{change}"]'))
            applying = asyncio.create_task(
                scene.provision(provisioning(scene.smsc.port, account='policy = "china"\nrate = 0') + text)
            )
            before = scene.daemon.docket.rule_sets()[0].version
            while not applying.done() or scene.daemon.docket.rule_sets()[0].version == before:
                sequences = [tenant.send(const.SUBMIT_SM, body) for body in bodies * 20]
                statuses = [(await tenant.answer_to(sequence)).status for sequence in sequences]
                assert statuses == [const.ESME_ROK, STATUSES["content"][0]] * 20
                sent += 20
            await applying
            versions.add(scene.daemon.docket.rule_sets()[0].version)
        assert len(versions) == 10
        assert {submit.content for submit in await scene.smsc.submitted(sent)} == {good}
        verdicts = scene.daemon.docket.verdicts
        assert (verdicts["china", "pass"], verdicts["china", "reject"]) == (sent, sent)


async def test_a_bad_set_changes_nothing(database: str, tmp_path: Path):
    """A fault in the rule set refuses the whole file: neither the set nor anything else in it is applied."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        version = scene.daemon.docket.rule_sets()[0].version
        text = policed(tmp_path, POLICY.replace('must = ["快加微信"]', 'must = ["别的"]'))
        with pytest.raises(ConfigError, match=r"set.toml:\d+: terms 'bait' does not find '别的'"):
            await scene.provision(provisioning(scene.smsc.port, account='policy = "china"\nrate = 1') + text)
        assert await scene.connection.fetchval("SELECT version FROM policy") == version
        assert await scene.count("provisioning_version") == 1
        assert await status_of(tenant, "【某某】百家乐") == STATUSES["content"][0]


async def test_the_record_line_names_the_rule(database: str, tmp_path: Path):
    """Refused and flagged messages bear set, version, rule and place; no line holds what was said."""
    records = tmp_path / "records.jsonl"
    async with scene_of(database, tmp_path).recording(records).playing() as scene:
        tenant = await scene.tenant()
        assert await status_of(tenant, "【某某】百家樂") == STATUSES["content"][0]
        assert await status_of(tenant, "【某某】稀奇") == const.ESME_ROK
        await scene.smsc.submitted(1)
        version = scene.daemon.docket.rule_sets()[0].version[:8]
        await scene.settled()
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    assert [(line["record"], line["reason"], line["rule"]) for line in lines] == [
        ("refused", "content", f"china@{version}:terms.gambling:n1[4:7]"),
        ("final", "", f"china@{version}:terms.odd:n1[4:6]"),
    ]
    assert "百家" not in records.read_text(encoding="utf-8")


async def test_the_category_that_a_policy_finds_has_its_price(database: str, tmp_path: Path):
    """A one-time password costs what is agreed for one, all else the price for any."""
    async with Scene(database, text=lambda *ports: judged_kinds(tmp_path, *ports)).playing() as scene:
        tenant = await scene.tenant()
        assert await status_of(tenant, "您的验证码是1234") == const.ESME_ROK
        assert await status_of(tenant, "您好") == const.ESME_ROK
        rows = await scene.connection.fetch("SELECT price FROM message ORDER BY id")
        assert [row["price"] for row in rows] == [50_000, 38_000]


async def test_a_refusal_of_a_policy_takes_no_token(database: str, tmp_path: Path):
    """With a rate of one, what rules refuse leaves the token to the next good message."""
    async with scene_of(database, tmp_path, account="rate = 1\nburst = 1").playing() as scene:
        tenant = await scene.tenant()
        for _ in range(3):
            assert await status_of(tenant, "【某某】百家乐") == STATUSES["content"][0]
        assert await status_of(tenant, "【某某】您好") == const.ESME_ROK


async def test_a_state_is_asked_before_a_policy(database: str, tmp_path: Path):
    """A frozen account is told so, and none of its texts is judged."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        await put(scene, "frozen")
        assert await status_of(tenant, "【某某】百家乐") == STATUSES["frozen"][0]
        assert not scene.daemon.docket.verdicts


async def test_no_route_is_no_fault_of_a_signature(database: str, tmp_path: Path):
    """Where no route leads, a text with a filed signature is told of the route."""
    text = lambda *ports: provisioning(*ports, account='policy = "china"').replace('prefix = ""\nlinks', 'prefix = "44"\nlinks')  # noqa: E731
    async with Scene(database, text=lambda *ports: text(*ports) + policed(tmp_path)).playing() as scene:
        tenant = await scene.tenant()
        assert await status_of(tenant, "【某某】您好") == const.ESME_RINVDSTADR
        assert scene.daemon.meters.account("acme1").refused == {"no_route": 1}


async def test_the_kind_of_a_message_sets_its_price(database: str, tmp_path: Path):
    """What the policy takes for marketing costs what the price list says of marketing."""
    kinds = '[category]\n[category.words]\nmarketing = ["优惠"]\n'
    policy = policed(tmp_path, kinds)
    dear = '[[price]]\ntenant = "acme"\nprefix = ""\ncategory = "marketing"\nprice = "0.1"\n'
    text = lambda *ports: provisioning(*ports, account='policy = "china"') + dear + policy  # noqa: E731 - the scene wants a function
    async with Scene(database, text=text).playing() as scene:
        tenant = await scene.tenant()
        notice = id_of(await tenant.submit(text="明天开会".encode("utf-16-be"), data_coding=8))
        offer = id_of(await tenant.submit(text="全场优惠".encode("utf-16-be"), data_coding=8))
        assert (await scene.row(notice))["price"] == 38_000
        assert (await scene.row(offer))["price"] == 100_000


async def test_a_missing_tlv_is_put_at_the_end(database: str, tmp_path: Path):
    """The carrier gets it behind what the tenant sent, octet for octet otherwise; what the tenant sent itself is left alone."""
    text = '[[tlv]]\nid = "entity"\ntag = 0x1400\ninject = "1101"\n'
    async with scene_of(database, tmp_path, text).playing() as scene:
        tenant = await scene.tenant()
        own = tlv.append(0x1400, b"99")
        plain, given = (
            sm_body(source=b"1", dest=b"2", short_message=b"hi"),
            sm_body(source=b"1", dest=b"2", short_message=b"hi", tlvs=own),
        )
        for body in (plain, given):
            assert (await tenant.ask(const.SUBMIT_SM, body)).status == const.ESME_ROK
        came = [submit.pdu.octets[16:] for submit in await scene.smsc.submitted(2)]
        assert came == [plain + tlv.append(0x1400, b"1101"), given]
        assert scene.daemon.docket.hits["china", "tlv.entity.injected", "flag"] == 1


async def test_what_waits_in_the_store_keeps_to_the_carrier_of_its_signature(database: str, tmp_path: Path):
    """A message whose carrier is down waits for it, also where another carrier has room when it is read again."""
    other = '[[carrier]]\nname = "beta"\n[[link]]\ncarrier = "beta"'

    def provisioned(*ports: int) -> str:
        text = provisioning(*ports, account='policy = "china"') + policed(tmp_path)
        head, _, tail = text.rpartition('[[link]]\ncarrier = "alpha"')
        return (head + other + tail).replace('["alpha-1", "alpha-2"]', '["alpha-2", "alpha-1"]')

    async with Scene(database, links=2, text=provisioned).playing() as scene:
        alpha, beta = scene.smscs
        await alpha.close()
        alpha.cut()
        await scene.until(lambda: len(alpha.live) == 0)
        tenant = await scene.tenant()
        assert await status_of(tenant, "【某某】您好") == const.ESME_ROK
        await scene.settled()
        row = (await scene.rows())[0]
        (message,) = await messages.load(scene.connection, [row["id"]], scene.daemon.desk.account_of)
        assert scene.daemon.dispatch._links_of(message) == (row["link"],)
        await alpha.open()
        await scene.hastened(lambda: len(alpha.submits) == 1)
        assert beta.submits == []


async def test_one_of_so_many_judgements_is_timed(database: str, tmp_path: Path):
    """Of each 64 messages that are judged at the door the histogram gets one."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        for _ in range(2 * TIMED + 1):
            tenant.send(const.SUBMIT_SM, sm_body(source=b"10690001", dest=b"8613800138000", short_message=b"hello"))
        await tenant.until(lambda: len(tenant.responses) > 2 * TIMED)
        judging = scene.daemon.meters.judging
        assert sum(judging.counts) == 2
        assert 0 < judging.total < 1
