from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from smsgw.admin import tokens
from smsgw.admin.api.server import DOCUMENT
from smsgw.store.database import connect
from tests.admin.api.scene import Client, make_token, serving


@pytest.fixture
async def ask(database: str, tmp_path: Path) -> AsyncIterator[Client]:
    """A gateway with small limits, and a client with every permission."""
    more = "max_body = 100000\nbody_s = 1.0\nrequests = 2\nfailures = 5\n"
    async with serving(database, tmp_path, more=more) as client:
        yield client


async def test_who_may_not_is_told_what_he_lacks(ask: Client, database: str):
    """No token, a wrong one, a revoked one: 401; one without the permission: 403, which names it."""
    good, ask.token = ask.token, ""
    status, told, headers = await ask("GET", "/v1/policies")
    assert (status, told["error"], headers["WWW-Authenticate"]) == (401, "unauthenticated", "Bearer")
    ask.token = await make_token(database, "reader", ["policy.read"])
    assert (await ask("GET", "/v1/policies"))[0] == 200
    for method, path, needs in (
        ("PUT", "/v1/policies/content", "policy.write"),
        ("DELETE", "/v1/policies/content", "policy.write"),
        ("POST", "/v1/policies/content/rollback", "policy.write"),
        ("POST", "/v1/policies/content/shadow", "policy.write"),
        ("POST", "/v1/policies/content/replay", "content.read"),
    ):
        status, told, _ = await ask(method, path, {})
        assert (status, told["permission"]) == (403, needs)
        assert needs in told["message"]
    connection = await connect(database)
    await tokens.revoke(connection, "reader", actor="test", reason="")
    await connection.close()
    assert (await ask("GET", "/v1/policies"))[0] == 401
    ask.token = good
    assert (await ask("GET", "/v1/policies"))[0] == 200
    failures = ask.daemon.meters.counters["smsgw_api_unauthenticated"][2]()
    assert failures == {("missing",): 1, ("revoked",): 1}


async def test_too_many_wrong_tokens_make_an_address_wait(ask: Client):
    """429 with when to come again; whoever has shown a token that works goes on."""
    good = ask.token
    await ask("GET", "/v1/policies")
    ask.token = "smsgw_" + "x" * 43
    answers = [await ask("GET", "/v1/policies") for _ in range(6)]
    assert [status for status, _, _ in answers] == [401] * 5 + [429]
    assert 0 < int(answers[-1][2]["Retry-After"]) <= 61
    ask.token = good
    assert (await ask("GET", "/v1/policies"))[0] == 200


async def test_the_document_is_there_for_everybody(ask: Client):
    """OpenAPI, without a token; every other path without one is told that there is none, or asks for a token."""
    ask.token = ""
    status, document, _ = await ask("GET", DOCUMENT)
    assert (status, document["openapi"]) == (200, "3.1.0")
    status, told, _ = await ask("GET", "/v1/nothing")
    assert (status, told["error"]) == (404, "no_such_route")
    status, told, headers = await ask("DELETE", "/v1/policies")
    assert (status, headers["Allow"]) == (405, "GET")
    assert (await ask("GET", "/v1/policies/..%2Fx"))[0] == 401


async def test_bodies_have_their_limits(ask: Client):
    """What is no JSON, too large, or compressed is refused by name, and counted."""
    status, told, _ = await ask("PUT", "/v1/policies/content", data=b"{")
    assert (status, told["error"]) == (400, "no_json")
    status, told, _ = await ask("PUT", "/v1/policies/content", data=b" " * 100_001)
    assert (status, "api.max_body" in told["message"]) == (413, True)
    assert (await ask("POST", "/v1/policies/content/rollback", data=b" " * 70_000))[0] == 413
    status, told, _ = await ask("PUT", "/v1/policies/content", data=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})
    assert (status, told["error"]) == (415, "encoded")
    assert (await ask("POST", "/v1/policies/content/why", data=b"", headers={"Content-Encoding": "gzip"}))[0] == 415
    status, told, _ = await ask("PUT", "/v1/policies/content", {"files": []}, headers={"If-Match": "x"})
    assert (status, told["error"]) == (400, "bad_header")
    status, told, _ = await ask("PUT", "/v1/policies/content", {"files": []}, headers={"If-None-Match": '"x"'})
    assert (status, told["error"]) == (400, "bad_header")
    assert ask.daemon.meters.counters["smsgw_api_refused"][2]() == {("max_body",): 2}


async def slow_body(ask: Client, *, more: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin a PUT whose body does not come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ask.daemon.api.port)
    writer.write(
        b"PUT /v1/policies/content HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nAuthorization: Bearer "
        + ask.token.encode() + b"\r\n\r\n" + more
    )  # fmt: skip
    await writer.drain()
    return reader, writer


async def test_a_slow_body_is_given_up_and_holds_nobody_up_for_longer(ask: Client):
    """One check at a time, and so many requests: others are told to come again, until the slow one is answered 408."""
    reader, writer = await slow_body(ask)
    while not ask.daemon.meters.gauges["smsgw_api_checks"][2]():  # noqa: ASYNC110 - another task of this loop does it
        await asyncio.sleep(0)
    status, told, headers = await ask.put("lottery")
    assert (status, told["error"], headers["Retry-After"]) == (503, "busy", "5")
    other = await slow_body(ask)
    assert b" 408 " in await reader.readline()
    writer.close()
    other[1].close()
    counts = ask.daemon.meters.counters["smsgw_api_refused"][2]()
    assert counts["checks",] >= 1
    assert counts["body_s",] == 1


async def test_so_many_requests_at_the_same_time(ask: Client):
    """Over api.requests one is told to come again, before anybody looks at its token."""
    server = ask.daemon.api._server
    with server._requests.take(), server._requests.take():
        status, told, _ = await ask("GET", "/v1/policies")
    assert (status, told["error"]) == (503, "busy")
    assert (await ask("GET", "/v1/policies"))[0] == 200


async def test_a_fault_of_ours_is_500_and_says_nothing(ask: Client, monkeypatch: pytest.MonkeyPatch):
    """What a request said stands neither in the answer nor in the log; a store that is away is 503."""

    async def fails(_digest: bytes) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(ask.daemon.api._server._gate, "_look_up", fails)
    status, told, _ = await ask("GET", "/v1/policies")
    assert (status, told["error"], "secret" in str(told)) == (500, "internal_error", False)

    async def away(_digest: bytes) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(ask.daemon.api._server._gate, "_look_up", away)
    status, told, _ = await ask("GET", "/v1/policies")
    assert (status, told["error"]) == (503, "store_unavailable")
    requests = ask.daemon.meters.counters["smsgw_api_requests"][2]()
    assert requests["listPolicies", "500"] == 1


async def test_the_open_admin_address_has_none_of_it(ask: Client):
    """Nothing of the API is asked or changed where no token is wanted."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{ask.daemon.admin_port}/v1/policies") as answer:
        assert answer.status == 404
