"""`smsgw serve`, `smsgw health` and `smsgw version`: start a gateway, ask one how it is, say what this is.

`health` speaks to the admin address alone, with the standard library alone: container engines run it every few seconds.
"""

from __future__ import annotations

import http.client
import json as json_module
import platform
from importlib import metadata, resources
from typing import Annotated, Final

import typer

from smsgw import __version__
from smsgw.cli import face

HEALTH_S: Final = 3.0
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where a listener listens is not where one asks
_SHOWN: Final = ("uvloop", "asyncpg", "aiosmpplib", "structlog", "prometheus-client", "msgspec")


def serve(
    config: face.ConfigPath = face.CONFIG,
    *,
    unsafe: Annotated[bool, face.flag("--unsafe", help="Also on a database that may lose what it has committed.")] = False,
    accept_clock: Annotated[bool, face.flag("--accept-clock", help="Also when ids are ahead of this machine's clock.")] = False,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C, then drain. Exits 69 without database, 73 without ports, 78 if set up wrongly."""
    settings = face.settings(config)
    if accept_clock:
        import msgspec

        settings = msgspec.structs.replace(settings, node=msgspec.structs.replace(settings.node, accept_clock=True))
    from smsgw.process import serve as run

    raise typer.Exit(run(settings, unsafe=unsafe))


def health(
    config: face.ConfigPath = face.CONFIG,
    *,
    quiet: Annotated[bool, face.flag("--quiet", "-q", help="Say nothing; the exit code is the answer.")] = False,
    live: Annotated[bool, face.flag("--live", help="Only whether it runs, not whether it is ready.")] = False,
    address: Annotated[str, typer.Option(help="host:port instead of admin.listen.")] = "",
) -> None:
    """Ask a running gateway whether it is ready. Exits 0 when it is, 1 when not."""
    status, missing = asked(address or face.settings(config).admin.listen, "/livez" if live else "/healthz")
    if not quiet:
        print(f"{status}: {', '.join(missing)}" if missing else status)
    raise typer.Exit(0 if status == "ok" else face.FAILED)


def asked(address: str, path: str) -> tuple[str, list[str]]:
    """Ask `address` ("host:port"); returns "ok", "unavailable" or "unreachable", and what is missing."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        connection = http.client.HTTPConnection(_ANY.get(host, host), int(port), timeout=HEALTH_S)
        try:
            connection.request("GET", f"{path}?verbose")
            answer = json_module.loads(connection.getresponse().read())
        finally:
            connection.close()
        return str(answer["status"]), [str(word) for word in answer["missing"]]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        return "unreachable", [f"{address}: {getattr(error, 'strerror', None) or type(error).__name__}"]


def version(*, json: Annotated[bool, face.flag("--json", help="A JSON object.")] = False) -> None:
    """Say which smsgw this is, its schema, and what it runs on."""
    from smsgw.telemetry.build import BUILD

    facts = {"smsgw": __version__, "build": BUILD, "schema": schema(), "python": platform.python_version()}
    facts |= {name: _version_of(name) for name in _SHOWN}
    if json:
        print(json_module.dumps(facts))
        return
    for name, number in facts.items():
        print(f"{name:18} {number}")


def schema() -> str:
    """Return the newest migration that this program brings: "0004_adopt"."""
    names = sorted(file.name for file in resources.files("smsgw.store").joinpath("schema").iterdir() if file.name.endswith(".sql"))
    return names[-1].removesuffix(".sql")


def _version_of(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "-"


def main_version(value: bool) -> None:  # noqa: FBT001 - typer's callback
    """`smsgw --version`: one line."""
    if value:
        print(f"smsgw {__version__}")
        raise typer.Exit
