"""The control socket: HTTP over a unix socket in data_dir, for who runs the gateway and for root.

GET /show/{what} answers a JSON list of rows, one object a row; so does POST /ask/{what} to a question, a JSON object; POST /drain
begins the drain. The socket has mode 0600, and the
caller's uid is asked of the kernel (SO_PEERCRED) as well: not every system heeds the mode of a socket.

Must never: serve another user; answer with a secret, content or a full number (the providers see to that).
"""

from __future__ import annotations

import contextlib
import errno
import inspect
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from smsgw.admin.http import SHUTDOWN_S

Rows = list[dict[str, Any]]
Answer = Callable[[Mapping[str, Any]], Rows | Awaitable[Rows]]
Provider = Callable[[], Rows | Awaitable[Rows]]

SOCKET_NAME: Final = "admin.sock"
BACKLOG: Final = 16
ANSWER_S: Final = 30.0
_PATH_OCTETS: Final = 107  # sun_path without its NUL
_UCRED: Final = struct.Struct("3i")


class ControlError(Exception):
    """The gateway cannot be asked, or it refused; the text says why. `status` is HTTP's, 0 when nobody answered."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status


class NotThere(Exception):
    """A question that has no answer: about what is not there, or without what it needs. The text says so."""


class ControlServer:
    """The server on the socket."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        *,
        drain: Callable[[], None] | None = None,
        answers: Mapping[str, Answer] | None = None,
    ) -> None:
        """`providers` and `answers` are asked in the loop; `drain` only begins one and returns at once."""
        self._providers = providers
        self._answers = answers or {}
        self._drain = drain
        self._runner: web.AppRunner | None = None
        self._path: Path | None = None
        self._log = structlog.get_logger().bind()

    async def start(self, path: Path | str) -> None:
        """Listen. Raises ControlError when another gateway listens there or the path is too long, and OSError."""
        path = Path(path)
        listener = _listener(path)
        app = web.Application(middlewares=[_own_user_only], client_max_size=65_536)
        app.add_routes(
            [
                web.get("/show", self._show),
                web.get("/show/{what}", self._show),
                web.post("/drain", self._begin_drain),
                web.post("/ask/{what}", self._ask),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
        self._runner, self._path = runner, path

    async def stop(self) -> None:
        """Close, and take the socket away."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            assert self._path is not None
            self._path.unlink(missing_ok=True)

    async def _show(self, request: web.Request) -> web.Response:
        what = request.match_info.get("what", "")
        provider = self._providers.get(what)
        if provider is None:
            text = f"there is no {what!r} to show" if what else "what to show?"
            return _json(404, {"error": text, "known": sorted(self._providers)})
        try:
            rows = provider()
            if inspect.isawaitable(rows):
                rows = await rows
            return _json(200, rows)
        except Exception as error:  # noqa: BLE001 - the question failed, the gateway goes on
            self._log.exception("show_failed", what=what)
            return _json(500, {"error": f"{what} cannot be shown: {type(error).__name__}"})

    async def _ask(self, request: web.Request) -> web.Response:
        what = request.match_info["what"]
        answer = self._answers.get(what)
        if answer is None:
            return _json(404, {"error": f"there is no {what!r} to ask", "known": sorted(self._answers)})
        try:
            asked = orjson.loads(await request.read())
            rows = answer(asked)
            return _json(200, await rows if inspect.isawaitable(rows) else rows)
        except NotThere as error:
            return _json(404, {"error": str(error)})
        except Exception as error:  # noqa: BLE001 - the question failed, the gateway goes on
            self._log.error("ask_failed", what=what, error=type(error).__name__)  # without its text, which may quote content
            return _json(500, {"error": f"{what} cannot be answered: {type(error).__name__}"})

    async def _begin_drain(self, _request: web.Request) -> web.Response:
        if self._drain is None:
            return _json(501, {"error": "this gateway is drained by SIGTERM only"})
        self._log.info("drain_asked", by="control socket")
        self._drain()
        return _json(202, {"status": "draining"})


async def ask(path: Path | str, what: str) -> Rows:
    """Return the rows of GET /show/{what}, for the command line. Raises ControlError."""
    answer = await _call(path, "GET", f"/show/{what}")
    if not isinstance(answer, list):
        raise ControlError("the gateway answered something else than rows")
    return answer


async def question(path: Path | str, what: str, asked: Mapping[str, Any]) -> Rows:
    """Return the rows that POST /ask/{what} answers a question with. Raises ControlError."""
    answer = await _call(path, "POST", f"/ask/{what}", orjson.dumps(asked))
    assert isinstance(answer, list)
    return answer


async def drain(path: Path | str) -> None:
    """Have the gateway drain. Raises ControlError."""
    await _call(path, "POST", "/drain")


async def _call(path: Path | str, method: str, target: str, body: bytes | None = None) -> Any:
    timeout = aiohttp.ClientTimeout(total=ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path)), timeout=timeout) as session,
            session.request(method, f"http://smsgw{target}", data=body) as response,
        ):
            answer = orjson.loads(await response.read())
            if response.status < 400:
                return answer
    except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError) as error:
        raise ControlError(f"no gateway answers at {path}: {_silence(error)}") from None
    known = f" (known: {', '.join(answer['known'])})" if "known" in answer else ""
    raise ControlError(f"{answer.get('error', 'refused')}{known}", response.status)


def _silence(error: Exception) -> str:
    """Say why there was no answer, and what to do."""
    match getattr(error, "errno", None):
        case errno.ENOENT | errno.ECONNREFUSED:
            return "none is running with this data_dir (smsgw serve starts one; --config says which)"
        case errno.EACCES:
            return "this user may not ask it: its own user and root may"
        case _:
            return f"it is busy or not well ({type(error).__name__}): see its log"


@web.middleware
async def _own_user_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    if peer_uid(request) not in {0, os.geteuid()}:
        return _json(403, {"error": "only the gateway's own user and root may ask"})
    return await handler(request)


def peer_uid(request: web.Request) -> int:
    """Return who is at the other end, as the kernel knows it; -1 when the connection is gone."""
    link = request.transport.get_extra_info("socket") if request.transport is not None else None
    if link is None or link.fileno() < 0:
        return -1
    # The loop's own socket object does not offer every call in every loop: ask by a copy of its descriptor.
    with socket.socket(fileno=os.dup(link.fileno())) as copy:
        return int(_UCRED.unpack(copy.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))[1])


def _listener(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > _PATH_OCTETS:
        raise ControlError(f"{path} is too long for a unix socket ({_PATH_OCTETS} octets): choose a shorter node.data_dir")
    _clear(path)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)  # before listen(): nobody can have connected with another mode
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, error.strerror, str(path)) from error  # the kernel's answer does not name it
    return listener


def _clear(path: Path) -> None:
    """Take away what a gateway that was killed left behind."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            return
    raise ControlError(f"another gateway is running: it answers at {path}")


def _json(status: int, body: Any) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body, default=str), content_type="application/json")
