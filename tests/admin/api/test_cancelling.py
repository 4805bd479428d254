"""Messages cancelled over HTTP, by who may."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.admin.api.scene import make_token, serving
from tests.peers import WAIT_S


async def test_it_is_asked_for_and_seen(database: str, tmp_path: Path):
    """A dry run has no number; else it is carried out, and told by its number, with masked ones; the audit names the token."""
    async with serving(database, tmp_path) as ask:
        body = {"number": "8613800138000", "reason": "fraud"}
        assert (await ask("POST", "/v1/cancellations?dry_run=1", body))[1] == {"number": 0, "dry_run": True, "accounts": []}
        assert (await ask("GET", "/v1/cancellations"))[1] == []
        status, told, _ = await ask("POST", "/v1/cancellations", {**body, "since": "2h", "until": "30m"})
        assert (status, told["number"]) == (200, 1)
        async with asyncio.timeout(WAIT_S):
            while (await ask("GET", "/v1/cancellations/1"))[1]["cancellation"]["state"] == "open":  # noqa: ASYNC110
                await asyncio.sleep(0)
        (row,) = (await ask("GET", "/v1/cancellations"))[1]
        assert (row["of"], row["actor"], row["reason"], row["messages"]) == ("number=8613****8000", "token:ci", "fraud", 0)


async def test_what_cannot_be_done_is_told(database: str, tmp_path: Path):
    """No filter, no reason, no span: 422; no such account or number: 404; a token for other things: 403."""
    async with serving(database, tmp_path) as ask:
        for body in ({"reason": "x"}, {"account": "acme1"}, {"account": "acme1", "since": "x"}, {"number": "x", "reason": "x"}):
            status, told, _ = await ask("POST", "/v1/cancellations", body)
            assert (status, told["error"]) == (422, "faulty")
        assert (await ask("POST", "/v1/cancellations", {"account": "nobody", "reason": "x"}))[0] == 404
        assert (await ask("GET", "/v1/cancellations/7"))[0] == 404
        assert (await ask("GET", "/v1/cancellations/x"))[0] == 404
        ask.token = await make_token(database, "reader", ("policy.read",))
        status, told, _ = await ask("GET", "/v1/cancellations")
        assert (status, told["permission"]) == (403, "message.cancel")
