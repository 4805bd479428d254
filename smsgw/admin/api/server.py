"""The server of the HTTP API: routes with what they need, and HTTP around their answers.

A route is a line of the table; the OpenAPI document is made of the same lines. Whoever has no token learns that document alone.

Promises: one request's failure is its own; a change that was begun is finished whether or not its client waits.
Must never: read a body before its sender is known; log what a request says.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from smsgw.admin.api import shapes
from smsgw.admin.api.cancelling import Cancelling
from smsgw.admin.api.connections import Connections, Site
from smsgw.admin.api.gate import Gate
from smsgw.admin.api.policies import Asked, Policies, Told
from smsgw.admin.api.problems import Refused
from smsgw.admin.api.slots import Slots
from smsgw.admin.api.trying import Trying
from smsgw.admin.http import SHUTDOWN_S
from smsgw.admin.policy_sets import Expected, Moved
from smsgw.admin.standing import NotAllowed, NotFound
from smsgw.admin.tokens import CONTENT_READ, MESSAGE_CANCEL, POLICY_READ, POLICY_WRITE
from smsgw.config.addresses import listening_for
from smsgw.config.api import Api as Settings
from smsgw.store.database import LOST
from smsgw.telemetry.meters import Meters

_NAME: Final = re.compile(r"\w[\w.-]{0,62}")
_ETAG: Final = re.compile(r'(?:W/)?"([^"]*)"|(\*)')
_ACTOR: Final = "token:"


@dataclass(frozen=True, slots=True)
class Route:
    """One line: what may be asked, by whom, with which body and query, and what is answered."""

    id: str
    method: str
    path: str
    summary: str
    needs: tuple[str, ...]
    answer: type[msgspec.Struct]
    many: bool = False
    body: type[msgspec.Struct] | None = None
    query: tuple[str, ...] = ()
    guarded: bool = False
    errors: tuple[int, ...] = ()


_SET: Final = "/v1/policies/{name}"
_WRITE: Final = (POLICY_WRITE,)
_READ: Final = (POLICY_READ,)
_CANCEL: Final = (MESSAGE_CANCEL,)
ROUTES: Final = (
    Route("listPolicies", "GET", "/v1/policies", "All rule sets in force.", _READ, shapes.PolicyRow, many=True),
    Route("getPolicy", "GET", _SET, "The files of a set.", _READ, shapes.PolicyFiles, query=("version",), errors=(404, 409)),
    Route("listVersions", "GET", f"{_SET}/versions", "What became of a set.", _READ, shapes.VersionRow, many=True, errors=(404,)),
    Route(
        "putPolicy", "PUT", _SET, "Put a set in force, or see what that would do.", _WRITE, shapes.PolicyChange,
        body=shapes.PutBody, query=("dry_run",), guarded=True, errors=(404,),
    ),
    Route(
        "deletePolicy", "DELETE", _SET, "Take a set away that judges nobody.", _WRITE, shapes.PolicyChange,
        query=("reason",), guarded=True, errors=(404, 409, 422),
    ),
    Route(
        "rollbackPolicy", "POST", f"{_SET}/rollback", "Go back to a version that the set had.", _WRITE, shapes.PolicyChange,
        body=shapes.RollbackBody, guarded=True, errors=(404, 409),
    ),
    Route(
        "shadowPolicy", "POST", f"{_SET}/shadow", "Shadow mode on or off, for a rule or the set.", _WRITE, shapes.PolicyChange,
        body=shapes.ShadowBody, guarded=True, errors=(404, 409),
    ),
    Route(
        "replayPolicy", "POST", f"{_SET}/replay", "Try files or a version on stored texts.", (POLICY_READ, CONTENT_READ),
        shapes.ReplayAnswer, body=shapes.ReplayBody, errors=(404, 409),
    ),
    Route("explainMessage", "POST", f"{_SET}/why", "What would become of a message.", _READ, shapes.WhyRow, many=True,
          body=shapes.WhyBody, errors=(404,)),
    Route(
        "cancelMessages", "POST", "/v1/cancellations", "Cancel what was not sent, or count it.", _CANCEL, shapes.CancelAnswer,
        body=shapes.CancelBody, query=("dry_run",), errors=(404, 409),
    ),
    Route("listCancellations", "GET", "/v1/cancellations", "The newest cancellations.", _CANCEL, shapes.Cancellation, many=True),
    Route(
        "getCancellation", "GET", "/v1/cancellations/{number}", "What came of a cancellation.", _CANCEL, shapes.CancellationResult,
        errors=(404,),
    ),
)  # fmt: skip
DOCUMENT: Final = "/v1/openapi.json"


@dataclass(slots=True)
class Counts:
    """What the API counts: requests by (route, status), and those that a limit refused by (limit,)."""

    requests: Counter[tuple[str, ...]] = field(default_factory=Counter)
    refused: Counter[tuple[str, ...]] = field(default_factory=Counter)


class ApiServer:
    """The HTTP server of the API. It listens only where the settings say so."""

    def __init__(  # noqa: PLR0917 - what it answers from
        self, settings: Settings, gate: Gate, policies: Policies, cancelling: Cancelling, trying: Trying, counts: Counts
    ) -> None:
        """Nothing listens before `start`."""
        self._settings = settings
        self._gate = gate
        self._trying = trying
        self._counts = counts
        self._connections = Connections(settings.connections, settings.head_s, counts.refused)
        self._requests = Slots("requests", settings.requests, counts.refused, again_s=1)
        self._runner: web.AppRunner | None = None
        self._log = structlog.get_logger().bind()
        self._answers: dict[str, Callable[[Asked], Awaitable[Told]]] = {
            "listPolicies": policies.index,
            "getPolicy": policies.files,
            "listVersions": policies.versions,
            "putPolicy": policies.put,
            "deletePolicy": policies.delete,
            "rollbackPolicy": policies.roll_back,
            "shadowPolicy": policies.shadow,
            "replayPolicy": policies.replay,
            "explainMessage": policies.why,
            "cancelMessages": cancelling.cancel,
            "listCancellations": cancelling.index,
            "getCancellation": cancelling.result,
        }

    def register(self, meters: Meters) -> None:
        """Export what is counted."""
        gate, counts, trying = self._gate, self._counts, self._trying
        counter, gauge = meters.counter, meters.gauge
        counter(
            "smsgw_api_requests",
            "Requests of the HTTP API, by route and status.",
            lambda: dict[tuple[str, ...], float](counts.requests),
            ("route", "status"),
        )
        counter(
            "smsgw_api_unauthenticated",
            "Requests without a token that works, by reason.",
            lambda: dict[tuple[str, ...], float](gate.failures),
            ("reason",),
        )
        counter(
            "smsgw_api_refused",
            "Requests and connections that a limit of `[api]` refused.",
            lambda: dict[tuple[str, ...], float](counts.refused),
            ("limit",),
        )
        gauge("smsgw_api_connections", "Connections of the HTTP API.", lambda: len(self._connections))
        gauge("smsgw_api_checks", "Rule sets that are compiled and proved for the API.", lambda: trying.checks.taken)
        gauge("smsgw_api_replays", "Replays over stored texts that run.", lambda: trying.replays.taken)

    async def start(self, host: str, port: int, document: bytes, tls: ssl.SSLContext | None = None) -> int:
        """Listen; returns the port. Raises OSError if it cannot be had."""

        async def told(_request: web.Request) -> web.Response:
            return web.Response(body=document, content_type="application/json")

        app = web.Application(middlewares=[self._wall], client_max_size=self._settings.max_body)
        app.router.add_get(DOCUMENT, told, name="openapi")
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self._handler(route), name=route.id)
        settings = self._settings
        runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=settings.idle_s, shutdown_timeout=SHUTDOWN_S, auto_decompress=False
        )
        await runner.setup()
        try:
            with listening_for("api.listen", host, port):
                await Site(runner, host or None, port, tls, self._connections, settings.head_s).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Close; what is being done is given a second."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _handler(self, route: Route) -> Handler:
        answer = self._answers[route.id]

        async def handle(request: web.Request) -> web.StreamResponse:
            token = await self._gate.admit(request.headers.get("Authorization", ""), request.remote or "")
            for permission in route.needs:
                if permission not in token.may:
                    told = f"the token {token.name!r} may not do this: it needs {permission} (smsgw token add --may {permission})"
                    raise Refused(403, "not_permitted", told, permission=permission)
            name = request.match_info.get("name", "")
            if "{name}" in route.path and not _NAME.fullmatch(name):
                told = "that is no name of a rule set: letters, digits, dot, dash and underscore, at most 63"
                raise Refused(404, "no_such_policy", told)
            asked = Asked(
                f"{_ACTOR}{token.name}",
                name or request.match_info.get("number", ""),
                request.query,
                _expected(request) if route.guarded else Expected(),
                lambda most: self._body(request, most),
            )
            done = await answer(asked)
            if request.method == "GET" and done.version in _tags(request.headers.get("If-None-Match", "")):
                return web.Response(status=304, headers={"ETag": f'"{done.version}"'})
            return _response(done)

        return handle

    async def _body(self, request: web.Request, most: int) -> bytes:
        """Read a body, in its time and within its size. Raises Refused."""
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise Refused(415, "encoded", "send the body as it is, without Content-Encoding")
        octets = bytearray()
        try:
            async with asyncio.timeout(self._settings.body_s):
                async for chunk in request.content.iter_any():
                    octets += chunk
                    if len(octets) > most:
                        self._counts.refused["max_body",] += 1
                        raise Refused(413, "too_large", f"the body has more than {most} octets (api.max_body)")
        except TimeoutError:
            self._counts.refused["body_s",] += 1
            raise Refused(408, "too_slow", f"the body did not come within {self._settings.body_s:g} s (api.body_s)") from None
        return bytes(octets)

    @web.middleware
    async def _wall(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Make an answer of whatever comes, and count it."""
        try:
            with self._connections.at_work(request.protocol), self._requests.take():
                response = await handler(request)
        except Exception as error:  # noqa: BLE001 - one request's failure is its own
            response = self._failed(request, error)
        self._counts.requests[_route_of(request), str(response.status)] += 1
        return response

    def _failed(self, request: web.Request, error: Exception) -> web.Response:
        match error:
            case Refused():
                if error.status == 401:
                    self._log.warning("api_unauthenticated", address=request.remote)
                return _problem(error)
            case Moved():
                told = f"{error}: read it again (GET), and send what you want with If-Match"
                return _problem(Refused(412, "moved", told, version=error.version))
            case NotFound():
                return _problem(Refused(404, "not_found", str(error)))
            case NotAllowed():
                return _problem(Refused(409, "not_allowed", str(error)))
            case web.HTTPException(status=status, reason=reason) if status >= 400:
                allowed = error.headers.get("Allow", "")
                told = f"{reason}: {f'here are {allowed}' if allowed else f'the paths are in {DOCUMENT}'}"
                return _problem(Refused(status, "no_such_route" if status == 404 else "http", told), Allow=allowed)
            case _ if isinstance(error, LOST):
                # By its name an outage is told from a fault of ours in a statement.
                self._log.warning("api_store_failed", route=_route_of(request), error=type(error).__name__)
                return _problem(Refused(503, "store_unavailable", "the database is away", retry_after_s=5))
            case _:
                self._log.error("api_failed", route=_route_of(request), error=type(error).__name__)
                return _problem(Refused(500, "internal_error", "a fault of ours; it is in the log"))


def _route_of(request: web.Request) -> str:
    """Return the id of the route that a request found."""
    return request.match_info.route.name or "none"


def _expected(request: web.Request) -> Expected:
    """Read what the client expects to be in force. Raises Refused."""
    match, none = (request.headers.get(name, "") for name in ("If-Match", "If-None-Match"))
    if none and none.strip() != "*":
        raise Refused(400, "bad_header", "If-None-Match is * here: make a set that is not there yet")
    tags = _tags(match)
    if match and not tags:
        raise Refused(400, "bad_header", 'If-Match is the version in force, in quotes, as ETag tells it: "…", or *')
    return Expected(tuple(tags), absent=bool(none))


def _tags(header: str) -> list[str]:
    """Return the versions that a header names, or *."""
    return [one or star for one, star in _ETAG.findall(header)]


def _response(told: Told) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    if told.version:
        headers["ETag"] = f'"{told.version}"'
    body = msgspec.json.encode(told.value)
    return web.Response(status=told.status, body=body, content_type="application/json", headers=headers)


def _problem(refused: Refused, **headers: Any) -> web.Response:
    given = {"Cache-Control": "no-store", **{name: value for name, value in headers.items() if value}}
    if refused.retry_after_s:
        given["Retry-After"] = str(refused.retry_after_s)
    if refused.status == 401:
        given["WWW-Authenticate"] = "Bearer"
    body = msgspec.json.encode(refused.problem)
    return web.Response(status=refused.status, body=body, content_type="application/json", headers=given)
