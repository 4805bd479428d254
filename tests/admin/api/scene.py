"""A running gateway with its API, and somebody who has a token: what the API's tests ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from smsgw.admin import tokens
from smsgw.daemon import Daemon
from smsgw.store.database import connect
from tests.openapi import differences
from tests.rig import provisioning, running

TERMS = '[[terms]]\nid = "{id}"\nwords = ["{word}"]\nmust = ["{word}"]\n'
ALL = ("policy.read", "policy.write", "content.read", "message.cancel")
SOON_S = 3.0


class Client:
    """Asks with a token. `token` "" shows none."""

    def __init__(self, daemon: Daemon, session: aiohttp.ClientSession, token: str) -> None:
        self.daemon = daemon
        self.url = f"http://127.0.0.1:{daemon.api.port}"
        self.token = token
        self._session = session

    async def __call__(
        self, method: str, path: str, body: Any = None, *, data: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, Any]:
        """Return (status, the JSON of the answer, headers), once the OpenAPI document agrees with it."""
        given = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self._session.request(
            method, f"{self.url}{path}", json=body, data=data, headers={**given, **(headers or {})}
        ) as answer:
            told = await answer.json() if answer.status != 304 else None
            assert differences(method, path, answer.status, told) == []
            return answer.status, told, answer.headers

    async def put(self, word: str, name: str = "content", **more: Any) -> tuple[int, Any, Any]:
        """Put a set of one term in force."""
        files = [{"name": "a.toml", "text": TERMS.format(id="t", word=word)}]
        return await self("PUT", f"/v1/policies/{name}", {"files": files, **more})

    async def follows(self, version: str, name: str = "content") -> None:
        """Wait until the gateway judges by a version."""
        async with asyncio.timeout(SOON_S):
            while (found := self.daemon.directory.policies.get(name)) is None or found.version != version:  # noqa: ASYNC110
                await asyncio.sleep(0)


async def make_token(dsn: str, name: str = "ci", may: Sequence[str] = ALL) -> str:
    """Make a token."""
    connection = await connect(dsn)
    try:
        return (await tokens.add(connection, name, may, None, "test", "")).secret
    finally:
        await connection.close()


@asynccontextmanager
async def serving(dsn: str, directory: Path, *, account: str = 'policy = "content"', more: str = "") -> AsyncIterator[Client]:
    """Run a gateway whose account is judged by the set `content`, which forbids one word."""
    (directory / "a.toml").write_text(TERMS.format(id="t", word="casino"), encoding="utf-8")
    text = provisioning(1, account=account) + f'[[policy]]\nname = "content"\nfiles = ["{directory}/a.toml"]\n'
    async with running(dsn, text, more=f'[api]\nlisten = "127.0.0.1:0"\n{more}') as daemon:
        token = await make_token(dsn)
        async with aiohttp.ClientSession() as session:
            yield Client(daemon, session, token)
