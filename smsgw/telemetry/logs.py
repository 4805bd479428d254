"""Logs: structlog, JSON or for a terminal, with one stamp; numbers masked by whoever logs one.

Never here: a log event per message (that is the record line).
"""

from __future__ import annotations

import datetime
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_SHOWN = 4
_LEAST = 8


def mask(number: str) -> str:
    """Return a phone number with its middle hidden: 8613****8000; short ones keep their first two digits only."""
    if len(number) <= _LEAST:
        return number[:2] + "*" * max(0, len(number) - 2)
    return number[:_SHOWN] + "*" * (len(number) - 2 * _SHOWN) + number[-_SHOWN:]


def _stamp(_logger: Any, level: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC)
    return {"ts": now.isoformat(timespec="microseconds").replace("+00:00", "Z"), "level": level, "svc": "smsgw", **event}


def _line(_logger: Any, _level: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=str).decode()


def setup_logging(form: str = "json", level: str = "info") -> None:
    """Set structlog up for this process: `form` is json or console; to standard error."""
    last: list[Any] = [_line] if form == "json" else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    structlog.configure(
        processors=[_stamp, structlog.processors.format_exc_info, *last],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS.get(level, logging.INFO)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
