"""Notices go out over real sockets: an HTTP server and a mail server of the test's own, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP

from smsgw.config import Notices
from smsgw.notices.letter import NOTICE, SIGNATURE, signature, tenant_key
from smsgw.notices.telling import Teller
from smsgw.store import notices
from smsgw.store.database import Connection, Pool, open_pool

Settings = Callable[..., Notices]


class Receiver:
    """What a tenant runs: a webhook and a mail box. `statuses`: of the next answers, 204 once they are used up."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.mails: list[email.message.EmailMessage] = []
        self.statuses: list[int] = []
        self.refused = 0
        self.port = 0
        self.smtp_port = 0

    async def post(self, request: web.Request) -> web.Response:
        """Take a webhook."""
        self.posts.append((dict(request.headers), await request.read()))
        status = self.statuses.pop(0) if self.statuses else 204
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a mail, or refuse it."""
        if self.refused:
            self.refused -= 1
            return "451 later"
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))  # type: ignore[arg-type]
        return "250 OK"

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Receiver]:
        """Listen on loopback."""
        app = web.Application()
        app.add_routes([web.post("/hook", self.post), web.get("/elsewhere", self.post), web.post("/elsewhere", self.post)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        loop = asyncio.get_running_loop()
        mail = await loop.create_server(lambda: SMTP(self, hostname="test", loop=loop), "127.0.0.1", 0)
        self.smtp_port = mail.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            mail.close()
            await mail.wait_closed()
            await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A tenant that listens."""
    async with Receiver().listening() as listening:
        yield listening


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """What the teller reads by."""
    opened = await open_pool(database)
    yield opened
    opened.terminate()


@pytest.fixture
async def acme(connection: Connection, receiver: Receiver) -> Connection:
    """A tenant with a webhook and a mail address."""
    settings = json.dumps({"notice_webhook": f"http://127.0.0.1:{receiver.port}/hook", "notice_mail": ["ops@acme.example"]})
    await connection.execute("INSERT INTO tenant (name, currency, settings) VALUES ('acme', 'CNY', $1)", settings)
    return connection


def teller(pool: Pool, receiver: Receiver, **changes: Any) -> Teller:
    """A teller that tries again at once."""
    settings = {"webhook_secret": "secret", "smtp_host": "127.0.0.1", "smtp_port": receiver.smtp_port, "smtp_tls": "none",
                "mail_from": "smsgw@example.org", "back_off_s": 0.0, "timeout_s": 5.0}  # fmt: skip
    return Teller(pool, lambda _job: True, Notices(**{**settings, **changes}))


async def states(connection: Connection) -> dict[str, tuple[str, int]]:
    """What became of the deliveries: channel → (state, tries)."""
    rows = await connection.fetch("SELECT channel, state, tries FROM notice_delivery")
    return {row["channel"]: (row["state"], row["tries"]) for row in rows}


async def test_a_notice_is_posted_signed_and_mailed(pool: Pool, acme: Connection, receiver: Receiver):
    """Webhook and mail box get it once, the webhook with a signature that its tenant can check; it counts as told."""
    await notices.add(acme, 1, "balance_low", {"balance": "5.00"})
    one = teller(pool, receiver)
    await one.deliver()
    await one.deliver()
    ((headers, body),) = receiver.posts
    said = json.loads(body)
    assert (said["tenant"], said["params"]) == ("acme", {"balance": "5.00"})
    seconds = int(headers[SIGNATURE].partition(",")[0].removeprefix("t="))
    assert headers[SIGNATURE] == signature(tenant_key("secret", "acme"), body, seconds)
    assert headers[NOTICE] == str(said["notice"])
    (mail,) = receiver.mails
    assert mail["To"] == "ops@acme.example"
    assert "balance: 5.00" in mail.get_content()
    assert await states(acme) == {"webhook": ("done", 1), "mail": ("done", 1)}
    assert await notices.untold(acme) == []
    assert one.counted()["done",] == 2


async def test_what_fails_is_tried_again_and_given_up_at_last(pool: Pool, acme: Connection, receiver: Receiver):
    """An error, a refusal and a redirect are tries that failed; after so many it is given up, and told where it got through."""
    await notices.add(acme, 1, "warning", {})
    receiver.statuses, receiver.refused = [500, 302, 404], 1
    one = teller(pool, receiver, tries=3)
    for _ in range(5):
        await one.deliver()
    assert await states(acme) == {"webhook": ("failed", 3), "mail": ("done", 2)}
    assert len(receiver.posts) == 3
    assert one.counts == {"done": 1, "retried": 3, "failed": 1, "capped": 0}
    assert await acme.fetchval("SELECT error FROM notice_delivery WHERE channel = 'webhook'") == "ValueError: it answered 404"


async def test_a_back_off_grows(pool: Pool, acme: Connection, receiver: Receiver):
    """The second try waits, the third twice as long, give or take a quarter."""
    await notices.add(acme, 1, "warning", {})
    receiver.statuses = [500, 500]
    one = teller(pool, receiver, back_off_s=1_000.0)
    waits = []
    for _ in range(2):
        await one.deliver()
        await one.deliver()
        waits.append(await acme.fetchval("SELECT extract(epoch FROM due - at)::int FROM notice_delivery WHERE channel = 'webhook'"))
        await acme.execute("UPDATE notice_delivery SET due = now()")
    assert 750 <= waits[0] <= 1_250
    assert 1_500 <= waits[1] <= 2_500
    assert len(receiver.posts) == 2


async def test_nobody_is_told_more_than_the_cap_a_day(pool: Pool, acme: Connection, receiver: Receiver):
    """Over the cap notices stand in the list alone, and are counted; another tenant is not held back by it."""
    settings = json.dumps({"notice_webhook": f"http://127.0.0.1:{receiver.port}/hook"})
    await acme.execute("INSERT INTO tenant (name, currency, settings) VALUES ('borg', 'EUR', $1)", settings)
    for _ in range(5):
        await notices.add(acme, 1, "warning", {})
    await notices.add(acme, 2, "warning", {})
    one = teller(pool, receiver, per_tenant_day=2)
    await one.deliver()
    await notices.add(acme, 1, "warning", {})
    await one.deliver()
    assert sorted(json.loads(body)["tenant"] for _, body in receiver.posts) == ["acme", "acme", "borg"]
    assert len(receiver.mails) == 2
    assert one.counts["capped"] == 4


async def test_two_nodes_tell_once(pool: Pool, acme: Connection, receiver: Receiver):
    """Several tellers at the same moment share the work: no notice comes twice."""
    for _ in range(30):
        await notices.add(acme, 1, "warning", {})
    tellers = [teller(pool, receiver) for _ in range(3)]
    for _ in range(4):
        await asyncio.gather(*(one.deliver() for one in tellers))
    numbers = [json.loads(body)["notice"] for _, body in receiver.posts]
    assert sorted(numbers) == sorted(set(numbers))
    assert (len(numbers), len(receiver.mails)) == (30, 30)


async def test_without_a_secret_or_a_server_nothing_is_sent(pool: Pool, acme: Connection, receiver: Receiver):
    """An unsigned webhook is never posted; what the settings lack stands with the delivery, and is not tried again."""
    await notices.add(acme, 1, "warning", {})
    await teller(pool, receiver, webhook_secret="", smtp_host="").deliver()
    assert await states(acme) == {"webhook": ("failed", 1), "mail": ("failed", 1)}
    assert receiver.posts == []
    errors = {row["error"] for row in await acme.fetch("SELECT error FROM notice_delivery")}
    assert any("webhook_secret is not set" in error for error in errors)
    assert not await acme.fetchval("SELECT told_at FROM notice")


async def test_a_tenant_without_an_address_has_nothing_planned(pool: Pool, acme: Connection, receiver: Receiver):
    """Its notices stand in the list; they hold nobody else's up."""
    await acme.execute("UPDATE tenant SET settings = '{}'")
    await notices.add(acme, 1, "warning", {})
    await teller(pool, receiver).deliver()
    assert await states(acme) == {}
    assert len(await notices.of(acme, "acme")) == 1


async def test_a_dead_address_costs_a_try(pool: Pool, acme: Connection, receiver: Receiver):
    """Where nobody listens the try fails at once, and the errand ends."""
    await acme.execute("UPDATE tenant SET settings = $1", json.dumps({"notice_webhook": "http://127.0.0.1:1/hook"}))
    await notices.add(acme, 1, "warning", {})
    await teller(pool, receiver, back_off_s=60.0).deliver()
    assert await states(acme) == {"webhook": ("open", 1)}


def test_an_errand_is_asked_for_once(receiver: Receiver):
    """Ticks while an errand is under way ask for no other."""
    asked: list[Any] = []

    def ask(job: Any) -> bool:
        asked.append(job)
        return True

    one = Teller(None, ask, Notices())  # type: ignore[arg-type]
    one.tick()
    one.tick()
    assert len(asked) == 1
    assert receiver.posts == []


def test_settings_hide_their_secrets():
    """Neither the signature's secret nor the mail password is in a repr."""
    shown = repr(Notices(webhook_secret="hunter2x", smtp_password="hunter3x"))
    assert "hunter" not in shown
