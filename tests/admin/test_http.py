from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from smsgw.admin.http import AdminServer
from smsgw.telemetry.meters import Meters


@asynccontextmanager
async def served(
    meters: Meters | None = None, ready: Callable[[], list[str]] = list
) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """A server on a port of its own, and somebody to ask it."""
    server = AdminServer(meters or Meters(), ready)
    port = await server.start("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession() as session:
            yield f"http://127.0.0.1:{port}", session
    finally:
        await server.stop()


async def test_metrics_show_what_was_counted():
    """A scrape shows the meters' integers, with Prometheus' content type."""
    meters = Meters()
    meters.account("acme1").accepted += 3
    async with served(meters) as (url, session), session.get(f"{url}/metrics") as answer:
        text = await answer.text()
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        assert 'smsgw_submits_total{account="acme1",result="accepted"} 3.0' in text


async def test_metrics_are_compressed_for_who_takes_it():
    """A scrape is gzip only for a client that says that it takes gzip."""
    async with served() as (url, session):
        async with session.get(f"{url}/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert "smsgw_build_info" in await answer.text()
        async with session.get(f"{url}/metrics", headers={"Accept-Encoding": "identity"}) as answer:
            assert "Content-Encoding" not in answer.headers


async def test_a_gauge_that_fails_is_left_out():
    """One gauge that raises costs its own value, not the scrape."""
    meters = Meters()
    meters.gauge("smsgw_broken", "Raises.", lambda: 1 / 0)
    meters.gauge("smsgw_whole", "Does not.", lambda: {("a",): 2}, ("label",))
    async with served(meters) as (url, session), session.get(f"{url}/metrics") as answer:
        text = await answer.text()
        assert answer.status == 200
        assert 'smsgw_whole{label="a"} 2.0' in text
        assert "smsgw_broken" not in text


@pytest.mark.parametrize("path", ["/readyz", "/healthz"])
async def test_not_ready_is_503_with_what_is_missing(path: str):
    """While something is missing readiness is 503, and says what for ?verbose."""
    missing = ["database"]
    async with served(ready=lambda: missing) as (url, session):
        async with session.get(f"{url}{path}") as answer:
            assert (answer.status, await answer.text()) == (503, "unavailable\n")
        async with session.get(f"{url}{path}?verbose") as answer:
            assert await answer.json() == {"status": "unavailable", "missing": ["database"]}
        missing.clear()
        async with session.get(f"{url}{path}?verbose") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok", "missing": []})


async def test_living_is_not_being_ready():
    """A gateway that is not ready lives: restarting it would not help."""
    async with served(ready=lambda: ["no link is bound"]) as (url, session), session.get(f"{url}/livez") as answer:
        assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_nothing_can_be_changed():
    """The admin address answers reading requests to its four paths alone."""
    async with served() as (url, session):
        async with session.post(f"{url}/readyz") as answer:
            assert answer.status == 405
        async with session.get(f"{url}/show/binds") as answer:
            assert answer.status == 404


async def test_a_taken_address_is_an_error():
    """A port that somebody else has is an OSError at the start."""
    first, second = AdminServer(Meters(), list), AdminServer(Meters(), list)
    port = await first.start("127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match=r"admin\.listen: .* is taken"):
            await second.start("127.0.0.1", port)
    finally:
        await first.stop()
        await second.stop()
