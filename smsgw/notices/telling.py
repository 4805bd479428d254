"""Telling: notices go to their tenants' webhooks and mail boxes, are tried again with back-off, and are given up at last.

The daemon's ticker calls `tick`; the work is an errand, and what several nodes find at once is claimed row by row in the store. At
least once: a notice whose answer was lost comes again, under the same number.

Must never: hold up the loop or a message; follow a redirect; tell more than the cap of a tenant and day; log an address's content.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
import aiosmtplib
import structlog

from smsgw.config import Notices
from smsgw.notices.letter import NOTICE, SIGNATURE, Letter, mail, payload, signature, tenant_key
from smsgw.store import deliveries
from smsgw.store.database import Connection, Pool

AT_ONCE: Final = 20
LONGEST_BACK_OFF_S: Final = 3_600.0
FAILURES: Final = (OSError, TimeoutError, aiohttp.ClientError, aiosmtplib.SMTPException, ValueError)


class Undeliverable(Exception):
    """The settings lack what this channel needs: trying again does not help."""


class Teller:
    """Delivers what is due; `ask(job)` has an errand done soon and says whether it will be."""

    def __init__(self, pool: Pool, ask: Callable[[Callable[[], Awaitable[None]]], bool], settings: Notices) -> None:
        """Take where notices are; nothing happens before the first tick."""
        self._pool = pool
        self._ask = ask
        self._settings = settings
        self._busy = False
        self._log = structlog.get_logger().bind()
        self.counts = {"done": 0, "retried": 0, "failed": 0, "capped": 0}

    def tick(self) -> None:
        """A second has passed: have the errand done, unless the last one is still under way."""
        if not self._busy:
            self._busy = self._ask(self.deliver)

    def counted(self) -> dict[tuple[str, ...], float]:
        """Return how many deliveries came to what, for the collector."""
        return {(result,): count for result, count in self.counts.items()}

    async def deliver(self) -> None:
        """Plan what is new, and try what is due, at most `AT_ONCE`."""
        try:
            async with self._pool.acquire() as borrowed:
                connection: Connection = borrowed  # type: ignore[assignment]  # the pool's proxy is one to all purposes
                self.counts["capped"] += await deliveries.plan(connection, self._settings.per_tenant_day)
                letters = await deliveries.claim(connection, AT_ONCE, lease_s=self._settings.timeout_s * 3)
            if letters:
                await self._try(letters)
        finally:
            self._busy = False

    async def _try(self, rows: list[deliveries.Due]) -> None:
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
        async with aiohttp.ClientSession(timeout=timeout) as http, asyncio.TaskGroup() as group:
            for row in rows:
                group.create_task(self._one(http, row))

    async def _one(self, http: aiohttp.ClientSession, due: deliveries.Due) -> None:
        letter = Letter(due.notice, due.tenant, due.kind, due.at, due.params, due.channel, due.target, due.tries)
        state, error, wait_s = "done", "", 0.0
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await (self._post(http, letter) if letter.channel == "webhook" else self._mail(letter))
        except Undeliverable as why:
            state, error = "failed", str(why)
        except FAILURES as why:
            error = f"{type(why).__name__}: {why}" if isinstance(why, ValueError) else type(why).__name__
            state = "open" if due.tries < self._settings.tries else "failed"
            wait_s = min(LONGEST_BACK_OFF_S, self._settings.back_off_s * 2 ** (due.tries - 1)) * random.uniform(0.75, 1.25)
        self.counts["retried" if state == "open" else state] += 1
        if state != "done":
            told = {"notice": due.notice, "tenant": due.tenant, "channel": due.channel, "tries": due.tries, "why": error}
            self._log.warning("notice_not_told", given_up=state == "failed", **told)
        async with self._pool.acquire() as connection:
            await deliveries.settle(connection, due, state, error, wait_s)  # type: ignore[arg-type]

    async def _post(self, http: aiohttp.ClientSession, letter: Letter) -> None:
        if not self._settings.webhook_secret:
            raise Undeliverable("notices.webhook_secret is not set: nothing is posted unsigned")
        body = payload(letter)
        signed = signature(tenant_key(self._settings.webhook_secret, letter.tenant), body, int(time.time()))
        headers = {"Content-Type": "application/json", SIGNATURE: signed, NOTICE: str(letter.notice)}
        async with http.post(letter.target, data=body, headers=headers, allow_redirects=False) as response:
            if not 200 <= response.status < 300:
                raise ValueError(f"it answered {response.status}")

    async def _mail(self, letter: Letter) -> None:
        settings = self._settings
        if not settings.smtp_host or not settings.mail_from:
            raise Undeliverable("notices.smtp_host and notices.mail_from are not set")
        await aiosmtplib.send(
            mail(letter, settings.mail_from),
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user or None,
            password=settings.smtp_password or None,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            timeout=settings.timeout_s,
        )
