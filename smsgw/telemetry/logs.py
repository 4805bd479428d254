"""Logs: structlog, as JSON lines or for a terminal, to standard error. One stamp, one schema, nothing private.

Every event passes the same short chain: floods are thinned, secrets and content hidden, numbers masked, then it is
rendered. What libraries log through the standard library's `logging` takes the same way.

Promises: no password, no octets of a message and no full phone number in a line, also where an exception's words quote them; at
most `BURST` lines a second of one event of one party (errors are never thinned), the next one saying how many were left out.

Never here: a log event per message (that is the record line).
"""

from __future__ import annotations

import datetime
import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, TextIO

import orjson
import structlog

from smsgw import __version__

Event = MutableMapping[str, Any]

LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
BURST: Final = 20
KINDS: Final = 4_096
"""How many kinds of events are told apart when floods are thinned."""

_SHOWN = 4
_LEAST = 8
_DEPTH = 4
_SECRET = frozenset({"password", "passwd", "secret", "secrets", "token", "authorization"})
_CONTENT = frozenset({"body", "content", "text", "short_message", "message_payload", "octets", "pdu"})
_NUMBER = frozenset({"source", "destination", "dest", "src", "dst", "number", "msisdn", "sender", "recipient"})
_DIGITS = re.compile(r"(?<!\w)\+?\d{7,15}(?!\w)")
# An apostrophe within a word quotes nothing; a quote that is never closed quotes the rest.
_QUOTED = re.compile(r"""(?<!\w)b?(?:'(?:[^'\\]|\\.|'(?=\w))*(?:'|$)|"(?:[^"\\]|\\.|"(?=\w))*(?:"|$))""", re.DOTALL)
_USERINFO = re.compile(r"://([^:/@\s]+):[^@\s]+@")


def mask(number: str) -> str:
    """Return a phone number with its middle hidden: 8613****8000; short ones keep their first two digits only."""
    if len(number) <= _LEAST:
        return number[:2] + "*" * max(0, len(number) - 2)
    return f"{number[:4]}****{number[-4:]}"


def hide_numbers(text: str) -> str:
    """Mask what looks like a phone number (7 to 15 digits that stand alone), and the password of a URL."""
    return _DIGITS.sub(lambda found: mask(found[0]), _USERINFO.sub(r"://\1:***@", text))


def hide_quoted(text: str) -> str:
    """Blank what is quoted, and mask numbers: an exception's words may quote octets of a message."""
    return hide_numbers(_QUOTED.sub("…", text))


def told(error: BaseException, depth: int = _DEPTH) -> str:
    """Say on one line what was raised, where, and from what; nothing that was quoted in it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    line = f"{type(error).__qualname__}: {hide_quoted(str(error))}" + (f" at {where}" if where else "")
    if depth and isinstance(error, BaseExceptionGroup):
        line += "".join(f" [{told(part, depth - 1)}]" for part in error.exceptions[:_DEPTH])
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{line} from {told(cause, depth - 1)}" if cause is not None and depth else line


def _short(path: str) -> str:
    return "/".join(path.rsplit("/", 2)[-2:])


# ---- the chain ------------------------------------------------------------------------------------------------------


class Thinner:
    """Lets `BURST` events of a kind pass in a second and counts the rest; errors always pass."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Measure seconds with `clock`."""
        self._clock = clock
        self._second = -1
        self._counts: dict[tuple[Any, ...], int] = {}
        self._left_out: dict[tuple[Any, ...], int] = {}

    def __call__(self, _logger: Any, level: str, event: Event) -> Event:
        """Pass an event on, or drop it."""
        if level in {"error", "critical", "exception"}:
            return event
        party = event.get("account") or event.get("link") or event.get("system_id") or event.get("address")
        kind = (event.get("event"), str(party), str(event.get("reason")))
        second = int(self._clock())
        if second != self._second or len(self._counts) >= KINDS:
            self._second = second
            self._counts.clear()
            if len(self._left_out) >= KINDS:
                self._left_out.clear()
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count > BURST:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            raise structlog.DropEvent
        left_out = self._left_out.pop(kind, 0)
        if left_out:
            event["suppressed"] = left_out
        return event


def conceal(_logger: Any, _level: str, event: Event) -> Event:
    """Hide what nobody may read in a log, by the key it stands under and by what it looks like."""
    return {key: _concealed(key, value, _DEPTH) for key, value in event.items()}


def _concealed(key: str, value: Any, depth: int) -> Any:
    if key in _SECRET:
        return "***"
    if key in _CONTENT and isinstance(value, str | bytes | bytearray | memoryview):
        return f"<{len(value)} {'characters' if isinstance(value, str) else 'octets'}>"
    match value:
        case None | bool() | float():
            return value
        case int():
            return mask(str(value)) if key in _NUMBER else value
        case str():
            return mask(value) if key in _NUMBER and "*" not in value else hide_numbers(value)
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} octets>"
        case BaseException():
            return told(value)
        case Mapping() if depth:
            return {str(name): _concealed(str(name), part, depth - 1) for name, part in value.items()}
        case list() | tuple() | set() | frozenset() if depth:
            return [_concealed(key, part, depth - 1) for part in value]
        case _:
            return hide_quoted(str(value))


def _exception(_logger: Any, _level: str, event: Event) -> Event:
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1]
    if isinstance(given, tuple):
        given = given[1]
    if isinstance(given, BaseException):
        event["exception"] = told(given)
    return event


def _stamp(_logger: Any, level: str, event: Event) -> Event:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    name = "error" if level == "exception" else level
    return {
        "ts": now.replace("+00:00", "Z"),
        "level": name,
        "event": event.pop("event", ""),
        "svc": "smsgw",
        "v": __version__,
        **event,
    }


def _line(_logger: Any, _level: str, event: Event) -> bytes:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS)


def _for_terminal(_logger: Any, _level: str, event: Event) -> Event:
    event["timestamp"] = str(event.pop("ts"))[11:23]
    return {key: value for key, value in event.items() if key not in {"svc", "v"}}


class Lines:
    """Writes finished lines, at once. A log that cannot be written costs its line, never the gateway; `lost` counts them."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a text stream or to the binary one under it."""
        self._stream = stream
        self._raw = getattr(stream, "buffer", None)
        self.lost = 0

    def msg(self, line: str | bytes) -> None:
        """Write one line, which has no end yet."""
        try:
            if isinstance(line, bytes) and self._raw is not None:
                self._raw.write(line + b"\n")
                self._raw.flush()
            else:
                self._stream.write(f"{line if isinstance(line, str) else line.decode()}\n")
                self._stream.flush()
        except (OSError, ValueError):  # no reader, no room, closed
            self.lost += 1

    debug = info = warning = error = critical = exception = log = msg


class _Bridge(logging.Handler):
    """Takes what libraries log to where everything goes."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record; its words may quote anything, so what they quote is blanked."""
        words = hide_quoted(record.getMessage())
        structlog.get_logger().log(record.levelno, "library", library=record.name, said=words, exc_info=record.exc_info)


def setup_logging(
    form: str = "json",
    level: str = "info",
    *,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Set structlog up for this process: `form` is json or console, `level` one of LEVELS, `stream` standard error."""
    stream = stream or sys.stderr
    chain: list[Any] = [Thinner(clock), _exception, conceal, _stamp]
    if form == "json":
        chain.append(_line)
    else:
        chain += [_for_terminal, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    lines = Lines(stream)
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level, logging.INFO)),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [known for known in root.handlers if not isinstance(known, _Bridge)]
    root.addHandler(_Bridge(logging.WARNING))
