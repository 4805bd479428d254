"""`smsgw show`: what a running gateway says of itself, over its control socket.

binds, links, queues, tenants, stats and whatever else it offers; `config` is read here, from the file. `--watch` asks again
and again, and ends with the gateway.

Never here: what the rows mean; the gateway makes them.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from smsgw.cli import face

if TYPE_CHECKING:
    from smsgw.config import Config

LEAST_S: Final = 0.1
HTTP_NOT_FOUND: Final = 404
_SECRET: Final = frozenset({"webhook_secret", "smtp_password"})


def show(
    what: Annotated[str, typer.Argument(help="binds, links, queues, tenants, stats, policies, rules, stalls or config.")],
    config: face.ConfigPath = face.CONFIG,
    *,
    json: face.Json = False,
    csv: face.Csv = False,
    columns: Annotated[str, typer.Option(help="Only these, in this order: a,b,c.")] = "",
    watch: Annotated[float, typer.Option(help="Ask again every so many seconds; 0: once.")] = 0.0,
) -> None:
    """Show what a running gateway has: binds, links, queues, tenants, stats, policies, rules, stalls, config."""
    settings = face.settings(config)
    form = "json" if json else "csv" if csv else "table" if sys.stdout.isatty() else "text"

    def ask() -> list[dict[str, Any]]:
        return config_rows(settings) if what == "config" else _asked(settings, what)

    if watch > 0:
        _watch(ask, form, columns, max(watch, LEAST_S), what)
    else:
        _print(ask(), form, columns, what)


def config_rows(config: Config) -> list[dict[str, Any]]:
    """Return every setting with the value in force, defaults included; passwords in it are hidden."""
    import msgspec

    sections = msgspec.to_builtins(config)
    return [
        {"setting": f"{section}.{key}", "value": "***" if value and key in _SECRET else _hidden(value)}
        for section, values in sections.items()
        for key, value in values.items()
    ]


def _hidden(value: Any) -> Any:
    from smsgw.telemetry import hide_numbers

    return hide_numbers(value) if isinstance(value, str) else value


def _asked(config: Config, what: str) -> list[dict[str, Any]]:
    """Ask the gateway; say why not, and exit with what fits."""
    from smsgw.admin.control import ControlError, ask

    try:
        return asyncio.run(ask(face.control_socket(config), what))
    except ControlError as error:
        if error.status == HTTP_NOT_FOUND:  # the gateway does not know what is read here
            face.fail(face.NOT_FOUND, str(error).replace("(known: ", "(known: config, "))
        face.fail_as(error)


def _print(rows: list[dict[str, Any]], form: str, wanted: str, title: str) -> None:
    try:
        columns = face.columns_of(rows, wanted)
    except KeyError as error:
        face.fail(2, str(error.args[0]))
    match form:
        case "json":
            print(face.as_json(rows, columns), flush=True)
        case "csv":
            print(face.as_csv(rows, columns), flush=True)
        case _ if rows:
            face.print_rows(rows, columns)
        case _:
            print(f"no {title}", file=sys.stderr)


def _watch(ask: Callable[[], list[dict[str, Any]]], form: str, wanted: str, every_s: float, title: str) -> None:
    """Ask for ever: in place on a terminal, one answer after the other otherwise. Ctrl-C ends it."""
    try:
        if form != "table":
            while True:
                _print(ask(), form, wanted, title)
                time.sleep(every_s)
        from rich.live import Live

        with Live(auto_refresh=False, screen=True) as live:
            while True:
                rows = ask()
                said = f"{title}  {time.strftime('%H:%M:%S')}"
                live.update(face.as_fits(rows, face.columns_of(rows, wanted), live.console.width, said), refresh=True)
                time.sleep(every_s)
    except KeyboardInterrupt:
        return
    except KeyError as error:
        face.fail(2, str(error.args[0]))
