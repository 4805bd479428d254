"""The admin address: GET /metrics, /livez, /readyz, /healthz. Open to who reaches it, so it shows no row, no name, no number.

`/livez` says that the loop turns, by answering. `/readyz` asks `ready`, which lists what is missing: nothing missing is 200,
else 503; `/healthz` is both. Add `?verbose` for the list as JSON. Gauges are read in the loop (microseconds), then all is
rendered and compressed in a thread, one scrape at a time: a large scrape takes 150 ms, which the loop does not have.

Must never: change anything; say more than what is missing; fail a scrape because one gauge fails.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from typing import Final

import orjson
import structlog
from aiohttp import web

from smsgw.config.addresses import listening_for
from smsgw.telemetry.collector import Exposition
from smsgw.telemetry.meters import Meters, Reading
from smsgw.telemetry.records import RecordLog

Ready = Callable[[], list[str]]
"""What is missing before traffic may come, in words; [] when nothing is."""

KEEPALIVE_S: Final = 30.0
SHUTDOWN_S: Final = 1.0
_GZIP_LEVEL: Final = 4


class AdminServer:
    """The HTTP server on the admin address."""

    def __init__(self, meters: Meters, ready: Ready, records: RecordLog | None = None) -> None:
        """`ready` lists what is missing; it is called in the loop at each question. `records`: whose drops are shown."""
        self._meters = meters
        self._ready = ready
        self._exposition = Exposition(meters, records)
        self._scraping = asyncio.Lock()
        self._runner: web.AppRunner | None = None
        self._log = structlog.get_logger().bind()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which is the system's choice for 0. Raises OSError if it cannot be had."""
        app = web.Application()
        app.add_routes([web.get("/metrics", self._metrics), web.get("/livez", self._livez)])
        app.add_routes([web.get("/readyz", self._readyz), web.get("/healthz", self._readyz)])
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEPALIVE_S, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            with listening_for("admin.listen", host, port):
                await web.TCPSite(runner, host, port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Close; who asks at this moment still gets an answer, for a second."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        """Answer a scrape, compressed for who takes gzip."""
        compressed = "gzip" in request.headers.get("Accept-Encoding", "")
        accept = request.headers.get("Accept", "")
        async with self._scraping:
            body, content_type = await asyncio.to_thread(self._render, self._read(), accept, compressed=compressed)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if compressed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    async def _livez(self, request: web.Request) -> web.Response:
        """Answer, which is the proof."""
        return _verdict(request, [])

    async def _readyz(self, request: web.Request) -> web.Response:
        """Answer 200 when nothing is missing, else 503."""
        return _verdict(request, self._ready())

    def _read(self) -> dict[str, Reading]:
        """Read the gauges here in the loop, where what they look at stands still; one that fails is left out."""
        readings: dict[str, Reading] = {}
        for table in (self._meters.gauges, self._meters.counters):
            for name, (_, _, read) in table.items():
                try:
                    readings[name] = read()
                except Exception as error:  # noqa: BLE001 - one gauge must not take the others from the scrape
                    self._log.warning("gauge_failed", metric=name, err=type(error).__name__)
        return readings

    def _render(self, readings: dict[str, Reading], accept: str, *, compressed: bool) -> tuple[bytes, str]:
        body, content_type = self._exposition.render(readings, accept)
        return (gzip.compress(body, _GZIP_LEVEL) if compressed else body), content_type


def _verdict(request: web.Request, missing: list[str]) -> web.Response:
    status = 503 if missing else 200
    if "verbose" in request.query:
        body = orjson.dumps({"status": "unavailable" if missing else "ok", "missing": missing})
        return web.Response(status=status, body=body, content_type="application/json")
    return web.Response(status=status, text="unavailable\n" if missing else "ok\n")
