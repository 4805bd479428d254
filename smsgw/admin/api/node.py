"""The HTTP API of one node, put together: nothing listens unless `[api] listen` says where.

Never here: what is answered.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self

import orjson
import structlog

from smsgw import config as settings
from smsgw.admin.api.cancelling import Cancelling
from smsgw.admin.api.gate import Gate
from smsgw.admin.api.openapi import document
from smsgw.admin.api.policies import Policies
from smsgw.admin.api.server import ApiServer, Counts
from smsgw.admin.api.trying import Trying
from smsgw.config import Config
from smsgw.journey.desk import Desk
from smsgw.policy.marks import Marks
from smsgw.store import tokens
from smsgw.store.database import Pool
from smsgw.telemetry import Meters
from smsgw.tenants.listener import server_context
from smsgw.wire import Clock


class NodeApi:
    """Listens from `async with` on until it ends. `port`: where, 0 while it does not."""

    def __init__(  # noqa: PLR0917 - what it answers from
        self,
        config: Config,
        pool: Pool,
        dsn: str,
        number_key: bytes,
        clock: Clock,
        meters: Meters,
        desk: Desk,
        why: Callable[[Mapping[str, Any]], Awaitable[list[dict[str, Any]]]],
        marks: Marks,
    ) -> None:
        """`number_key`: that of hashed numbers; `desk`: which snapshot this node judges by, and how it opens what is sealed.

        `marks`: what is on record of recipients.
        """
        counts = Counts()
        trying = Trying(config.api, number_key, counts.refused)
        gate = Gate(lambda digest: tokens.by_hash(pool, digest), clock.now, most=config.api.failures)
        policies = Policies(config, pool, dsn, lambda: desk.directory, why, desk.opened, trying, marks)
        self._server = ApiServer(config.api, gate, policies, Cancelling(pool, most=config.limits.cancellations), trying, counts)
        self._server.register(meters)
        self._config = config.api
        self.port = 0

    async def __aenter__(self) -> Self:
        """Listen, if that is wanted. Raises OSError where the address cannot be had, or the certificate not be read."""
        if not self._config.listen:
            return self
        host, port = settings.address_of(self._config.listen)
        tls = server_context(self._config.tls_cert, self._config.tls_key) if self._config.tls_cert else None
        written = await asyncio.to_thread(lambda: orjson.dumps(document()))
        self.port = await self._server.start(host, port, written, tls)
        log = structlog.get_logger().bind()
        log.info("api_listening", port=self.port, tls=tls is not None)
        if tls is None and not _is_local(host):
            log.warning("api_in_clear", meaning="whoever sees the traffic sees tokens: give api.tls_cert, or put TLS before it")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close."""
        await self._server.stop()


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
