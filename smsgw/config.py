"""The process's own settings: config/smsgw.toml. Read once, at start; every limit has its name and its default here.

A bad file yields every error at once, each with file, key and a hint. References instead of secrets: `{file = "…"}`, `{env = "…"}`,
`{credential = "…"}` (systemd's LoadCredential).

Never here: what ops provision (that lives in the database), defaults hidden elsewhere.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec


class ConfigError(Exception):
    """The file is not usable; `errors` has one line for each thing that is wrong."""

    exit_code = 78

    def __init__(self, errors: list[str]) -> None:
        """Keep all lines."""
        super().__init__("\n".join(errors))
        self.errors = errors


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which node this is and where it keeps its data. `takeover_s`: how old a heartbeat makes another node dead."""

    id: int = 1
    data_dir: str = "/var/lib/smsgw"
    takeover_s: float = 10.0
    drain_s: float = 10.0
    accept_clock: bool = False


class Database(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`dsn`: "embedded" or a PostgreSQL of your own; `pool`: connections for reading beside the unit of work."""

    dsn: str = "embedded"
    pool: int = 4
    unsafe: bool = False


class Smpp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The side of the tenants: addresses, TLS, timers (seconds, 0 = off) and limits of connections."""

    listen: tuple[str, ...] = ("127.0.0.1:2775",)
    tls_listen: tuple[str, ...] = ()
    tls_cert: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    system_id: str = "smsgw"
    session_init_s: float = 10.0
    enquire_link_s: float = 30.0
    response_timeout_s: float = 60.0
    inactivity_s: float = 0.0
    slow_pdu_s: float = 30.0
    stalled_s: float = 30.0
    max_pdu: int = 70_000
    bad_pdu_limit: int = 1_000
    unbound: int = 4_096
    per_address: int = 0
    failed_binds: int = 5
    bind_status_34: bool = False
    write_buffer: int = 262_144


class Admin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`listen`: /metrics, /livez, /readyz. Everything else is on the unix socket in data_dir."""

    listen: str = "127.0.0.1:8080"


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`messages`: which messages get a record line; `records`: the file they go to, "" = standard output."""

    format: str = "json"
    level: str = "info"
    messages: str = "all"
    records: str = ""


class UnitOfWork(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows a cycle takes at most, least time between cycles under light load, and when messages leave memory."""

    new: int = 128
    owed: int = 512
    changed: int = 2_048
    pace_ms: float = 2.0
    timeout_s: float = 30.0
    undecided: int = 20_000
    spill_after_s: float = 5.0
    spill_over: int = 50_000


class Receipts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`hold_ms`: how long after submit_sm_resp a receipt may go to another session; `unmatched`: receipts being looked for."""

    hold_ms: float = 100.0
    claim_cap: int = 10_000
    unmatched: int = 50_000
    store_wait_s: float = 10.0
    parked_ttl_s: float = 259_200.0


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of the process."""

    node: Node = Node()
    database: Database = Database()
    smpp: Smpp = Smpp()
    admin: Admin = Admin()
    log: Log = Log()
    unit_of_work: UnitOfWork = UnitOfWork()
    receipts: Receipts = Receipts()


_SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "node": Node,
    "database": Database,
    "smpp": Smpp,
    "admin": Admin,
    "log": Log,
    "unit_of_work": UnitOfWork,
    "receipts": Receipts,
}
_CHOICES = {("log", "format"): ("json", "console"), ("log", "level"): ("debug", "info", "warning", "error"),
            ("log", "messages"): ("all", "errors", "none")}  # fmt: skip


def load(path: Path | str) -> Config:
    """Read a file. Raises ConfigError with everything that is wrong in it."""
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{name}: cannot be read: {error.strerror}"]) from None
    return parse(text, name)


def parse(text: str, name: str = "smsgw.toml") -> Config:
    """Read the text of a file; `name` is for the errors. Raises ConfigError."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{name}: {error}"]) from None
    errors: list[str] = []
    sections: dict[str, Any] = {}
    for section, values in raw.items():
        kind = _SECTIONS.get(section)
        if kind is None:
            errors.append(f"{name}: [{section}] is no section{_hint(section, _SECTIONS)}")
        elif not isinstance(values, dict):
            errors.append(f"{name}: {section} must be a section: [{section}]")
        else:
            sections[section] = _section(kind, section, values, name, errors)
    if errors:
        raise ConfigError(errors)
    return Config(**sections)


def _section(kind: type[msgspec.Struct], section: str, values: dict[str, Any], name: str, errors: list[str]) -> Any:
    """Read one section key by key, so that every error is found."""
    known = {field.name: field for field in msgspec.structs.fields(kind)}
    good: dict[str, Any] = {}
    for key, value in values.items():
        where = f"{name}: {section}.{key}"
        if key not in known:
            errors.append(f"{where} is not known{_hint(key, known)}")
            continue
        try:
            good[key] = msgspec.convert(resolve(value, where), known[key].type)
        except msgspec.ValidationError as error:
            errors.append(f"{where}: {error}")
            continue
        except ConfigError as error:
            errors += error.errors
            continue
        choices = _CHOICES.get((section, key))
        if choices is not None and good[key] not in choices:
            errors.append(f"{where}: {good[key]!r} is none of {', '.join(choices)}")
    if section == "node" and not 0 <= good.get("id", 1) <= 1023:
        errors.append(f"{name}: node.id: must be 0 to 1023")
    for key in ("listen", "tls_listen"):
        addresses = good.get(key, ())
        for address in (addresses,) if isinstance(addresses, str) else addresses:
            try:
                address_of(address)
            except ValueError as error:
                errors.append(f"{name}: {section}.{key}: {error}")
    return kind(**good)


def resolve(value: Any, where: str) -> Any:
    """Follow a reference to where a secret is kept; anything else is itself. Raises ConfigError."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, target),) = value.items()
    try:
        if kind == "env":
            return os.environ[target]
        if kind == "file":
            return Path(target).read_text(encoding="utf-8").strip()
        if kind == "credential":
            return (Path(os.environ["CREDENTIALS_DIRECTORY"]) / target).read_text(encoding="utf-8").strip()
    except KeyError as error:
        raise ConfigError([f"{where}: {error.args[0]} is not set in the environment"]) from None
    except OSError as error:
        raise ConfigError([f"{where}: {target} cannot be read: {error.strerror}"]) from None
    return value


def address_of(text: str) -> tuple[str, int]:
    """Read "host:port" or "[v6]:port". Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{text!r} is no address: host:port")
    return host.strip("[]"), int(port)


def _hint(word: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f": did you mean {near[0]}?" if near else f" (known: {', '.join(sorted(known))})"
