"""The process's own settings: config/smsgw.toml. Read once, at start; every limit has its name and its default here.

A bad file yields every error at once, each with file, line, key and a hint. References instead of secrets, for any key:
`{file = "…"}`, `{env = "…"}`, `{credential = "…"}` (systemd's LoadCredential).

Never here: what ops provision (that lives in the database), defaults hidden elsewhere, a password in an error or a repr.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from smsgw.config.api import Api
from smsgw.config.saying import said
from smsgw.config.values import REFERENCES, ConfigError, address_of, hint, resolve

__all__ = [
    "REFERENCES",
    "Admin",
    "Anomalies",
    "Api",
    "Compliance",
    "Config",
    "ConfigError",
    "Database",
    "Hold",
    "Limits",
    "Log",
    "Node",
    "Notices",
    "Receipts",
    "Rules",
    "Secrets",
    "Smpp",
    "Statements",
    "UnitOfWork",
    "address_of",
    "load",
    "missing_files",
    "parse",
    "resolve",
]

Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Some = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Seconds = Annotated[float, Meta(ge=0, le=366 * 86_400)]
Milliseconds = Annotated[float, Meta(ge=0, le=60_000)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
NodeId = Annotated[int, Meta(ge=0, le=1_023)]  # the ten bits that a MessageId has for it
Memory = Annotated[int, Meta(ge=1_024, le=1_048_576)]
WalAhead = Annotated[int, Meta(ge=0, le=1_024)]
Few = Annotated[int, Meta(ge=1, le=16)]
MaxPdu = Annotated[int, Meta(ge=1_024, le=16_777_216)]


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which node this is and where it keeps its data. `takeover_s`: how old a heartbeat makes another node dead."""

    id: NodeId = 1
    data_dir: str = "/var/lib/smsgw"
    takeover_s: Seconds = 10.0
    drain_s: Seconds = 10.0
    accept_clock: bool = False


class Database(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`dsn`: "embedded" or a PostgreSQL of your own; `pool`: connections for reading beside the unit of work.

    `wal_ahead_mib`: how much of its write-ahead log an embedded server keeps made ahead; 0 = as it comes.
    """

    dsn: str = "embedded"
    pool: Some = 4
    wal_ahead_mib: WalAhead = 1_024
    unsafe: bool = False

    def __repr__(self) -> str:
        """Hide the password that a dsn may have."""
        dsn = re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", self.dsn)
        dsn = re.sub(r"(password=)[^&\s]*", r"\1***", dsn)
        return f"Database(dsn={dsn!r}, pool={self.pool}, unsafe={self.unsafe})"


class Smpp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The side of the tenants: addresses, TLS, timers (seconds, 0 = off) and limits of connections."""

    listen: tuple[str, ...] = ("127.0.0.1:2775",)
    tls_listen: tuple[str, ...] = ()
    tls_cert: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    system_id: str = "smsgw"
    session_init_s: Seconds = 10.0
    enquire_link_s: Seconds = 30.0
    response_timeout_s: Seconds = 60.0
    inactivity_s: Seconds = 0.0
    slow_pdu_s: Seconds = 30.0
    stalled_s: Seconds = 30.0
    max_pdu: MaxPdu = 70_000
    bad_pdu_limit: Some = 1_000
    unbound: Some = 4_096
    per_address: Count = 0
    failed_binds: Some = 5
    bind_failures: Count = 20
    bind_status_34: bool = False
    write_buffer: Some = 262_144


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

    new: Some = 128
    owed: Some = 512
    changed: Some = 512
    pace_ms: Milliseconds = 2.0
    timeout_s: Seconds = 30.0
    undecided: Some = 20_000
    spill_after_s: Seconds = 5.0
    spill_over: Some = 50_000


class Receipts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`hold_ms`: how long after submit_sm_resp a receipt may go to another session; `unmatched`: receipts being looked for."""

    hold_ms: Milliseconds = 100.0
    claim_cap: Some = 10_000
    unmatched: Some = 50_000
    store_wait_s: Seconds = 10.0
    parked_ttl_s: Seconds = 259_200.0
    guess_after_s: Seconds = 10.0


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Token buckets of senders and recipients that are kept, and how often nodes tell each other what they let through.

    `recipient_caps`: counters of caps in the store. `watched`: accounts whose attempts are looked at for pumping. `cancellations`:
    carried out at a time; `cancel_page`: messages that one of them ends at a time.
    """

    buckets: Some = 100_000
    share_s: Annotated[float, Meta(ge=0.05, le=60)] = 1.0
    recipient_caps: Some = 5_000_000
    watched: Some = 2_000
    cancellations: Some = 20
    cancel_page: Some = 256


class Hold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long parts wait for each other, late ones share a verdict, a review is open; how many messages wait for what."""

    wait_s: Seconds = 30.0
    late_s: Seconds = 600.0
    review_s: Seconds = 86_400.0
    per_account: Some = 10_000
    total: Some = 100_000
    deferred_per_account: Some = 50_000
    deferred_total: Some = 200_000


class Anomalies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What about an account its tenant is told of as unusual; 0: that is not looked at."""

    known_sources: Count = 50
    places: Count = 1
    spike_factor: Annotated[float, Meta(ge=0, le=1e6)] = 10.0
    spike_least: Some = 1_000


class Statements(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When cycles are closed by themselves: so long after their end; 0: never."""

    close_after_s: Seconds = 86_400.0


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Versions of rule sets that `apply` keeps: those of the last files, and those in force within so many days."""

    keep_versions: Some = 10
    keep_days: Some = 180


class Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an argon2id hash costs whoever makes or verifies one: KiB of memory, passes over it, lanes."""

    memory_kib: Memory = 8_192
    passes: Few = 1
    lanes: Few = 1


class Notices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How tenants are told: at most so many notices a tenant and day, so many tries, the signature's secret, the mail server."""

    per_tenant_day: Some = 100
    tries: Some = 8
    timeout_s: Seconds = 10.0
    back_off_s: Seconds = 5.0
    webhook_secret: str = ""
    smtp_host: str = ""
    smtp_port: Port = 25
    smtp_tls: str = "starttls"
    smtp_user: str = ""
    smtp_password: str = ""
    mail_from: str = ""

    def __repr__(self) -> str:
        """Hide what signs and what logs in."""
        return f"Notices(per_tenant_day={self.per_tenant_day}, smtp_host={self.smtp_host!r}, mail_from={self.mail_from!r})"


class Compliance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What numbers without a country are taken for, and how complaints are kept: days, holidays, rates a million messages.

    Of a number both spellings, with and without its country, have to have one hash, or a refusal is not found again.
    """

    country_code: str = ""
    national_digits: Annotated[int, Meta(ge=0, le=14)] = 0
    complaint_days: Annotated[int, Meta(ge=1, le=366)] = 15
    holidays: str = ""
    complaint_rate: Annotated[float, Meta(ge=0)] = 0.25
    complaint_rate_high: Annotated[float, Meta(ge=0)] = 0.4
    complaints_least: Some = 2
    reply_interval_s: Some = 600


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of the process."""

    node: Node = Node()
    database: Database = Database()
    smpp: Smpp = Smpp()
    admin: Admin = Admin()
    api: Api = Api()
    log: Log = Log()
    unit_of_work: UnitOfWork = UnitOfWork()
    receipts: Receipts = Receipts()
    limits: Limits = Limits()
    notices: Notices = Notices()
    hold: Hold = Hold()
    rules: Rules = Rules()
    secrets: Secrets = Secrets()
    anomalies: Anomalies = Anomalies()
    statements: Statements = Statements()
    compliance: Compliance = Compliance()


_SECTIONS: Final[Mapping[str, Any]] = {field.name: field.type for field in msgspec.structs.fields(Config)}
_CHOICES: Final = {("log", "format"): ("json", "console"), ("log", "level"): ("debug", "info", "warning", "error"),
                   ("log", "messages"): ("all", "errors", "none"),
                   ("notices", "smtp_tls"): ("none", "starttls", "tls")}  # fmt: skip
_LONGEST_SYSTEM_ID: Final = 15  # octets of SMPP's field without its NUL


def load(path: Path | str) -> Config:
    """Read a file. Raises ConfigError with everything that is wrong in it."""
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{name}: cannot be read: {error.strerror} (--config, or SMSGW_CONFIG, says which file)"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{name}: is not UTF-8 at octet {error.start}"]) from None
    return parse(text, name)


def parse(text: str, name: str = "smsgw.toml") -> Config:
    """Read the text of a file; `name` is for the errors. Raises ConfigError."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{name}: {error}"]) from None
    reading = _Reading(name, text)
    sections = {section: reading.section(section, values) for section, values in raw.items()}
    if reading.errors:
        raise ConfigError(reading.errors)
    config = Config(**sections)
    errors = list(_contradictions(config, reading))
    if errors:
        raise ConfigError(errors)
    return config


class _Reading:
    """What has been found wrong in one file, and where its sections and keys stand."""

    def __init__(self, name: str, text: str) -> None:
        self.errors: list[str] = []
        self._name = name
        self._lines: dict[tuple[str, str], int] = {}
        section = ""
        for number, line in enumerate(text.splitlines(), 1):
            found = re.match(r"\s*(?:\[\s*([\w-]+)\s*\]|([\w-]+)\s*=)", line)
            if found:
                section = found[1] or section
                self._lines.setdefault((section, found[2] or ""), number)

    def where(self, section: str, key: str = "") -> str:
        """Say where a key stands: file:line: section.key."""
        line = self._lines.get((section, key)) or self._lines.get(("", section))
        return f"{self._name}{f':{line}' if line else ''}: {section}{f'.{key}' if key else ''}"

    def section(self, section: str, values: Any) -> Any:
        """Read one section key by key, so that every error is found."""
        kind = _SECTIONS.get(section)
        if kind is None:
            self.errors.append(f"{self.where(section)} is no section{hint(section, _SECTIONS)}")
            return None
        if not isinstance(values, dict):
            self.errors.append(f"{self.where(section)} must be a section: [{section}]")
            return None
        known = {field.name: field.type for field in msgspec.structs.fields(kind)}
        good: dict[str, Any] = {}
        for key, value in values.items():
            where = self.where(section, key)
            if key not in known:
                elsewhere = [other for other, of in _SECTIONS.items() if key in {f.name for f in msgspec.structs.fields(of)}]
                self.errors.append(
                    f"{where} is not known" + (f": it belongs to [{elsewhere[0]}]" if elsewhere else hint(key, known))
                )
                continue
            try:
                good[key] = _value(section, key, value, known[key], where)
            except msgspec.ValidationError as error:
                self.errors.append(f"{where}: {said(error)}")
            except ConfigError as error:
                self.errors += error.errors
        return kind(**good)


def _value(section: str, key: str, value: Any, kind: Any, where: str) -> Any:
    """Read one value. Raises ConfigError or msgspec.ValidationError."""
    value = msgspec.convert(resolve(value, where), kind)
    choices = _CHOICES.get((section, key))
    if choices is not None and value not in choices:
        raise ConfigError([f"{where}: {value!r} is none of {', '.join(choices)}"])
    if key in {"listen", "tls_listen"} and not (section == "api" and not value):
        for address in (value,) if isinstance(value, str) else value:
            try:
                address_of(address)
            except ValueError as error:
                raise ConfigError([f"{where}: {error}"]) from None
    if key == "dsn" and value != "embedded" and not value.startswith(("postgresql://", "postgres://")):
        raise ConfigError([f'{where}: must be "embedded" or postgresql://user@host/database'])
    if key == "system_id" and not (value.isascii() and value.isprintable() and len(value) <= _LONGEST_SYSTEM_ID):
        raise ConfigError([f"{where}: must be at most {_LONGEST_SYSTEM_ID} printable ASCII characters"])
    if key == "country_code" and not re.fullmatch(r"[1-9]\d{0,2}|", value):
        raise ConfigError([f'{where}: must be a calling code without + or 00, such as "86"'])
    if key == "data_dir" and not value:
        raise ConfigError([f"{where}: must name a directory"])
    return value


def _contradictions(config: Config, reading: _Reading) -> Iterable[str]:
    """Find what is wrong between keys that are each right alone."""
    smpp = config.smpp
    if smpp.tls_listen:
        for key, value in (("tls_cert", smpp.tls_cert), ("tls_key", smpp.tls_key)):
            if not value:
                yield f"{reading.where('smpp', 'tls_listen')} needs {key}: the path of a PEM file"
    if not smpp.listen and not smpp.tls_listen:
        yield f"{reading.where('smpp', 'listen')}: no tenant could reach the gateway: give listen or tls_listen"
    seen: set[tuple[str, int]] = set()
    for section, key, addresses in (
        ("smpp", "listen", smpp.listen),
        ("smpp", "tls_listen", smpp.tls_listen),
        ("admin", "listen", (config.admin.listen,)),
        ("api", "listen", (config.api.listen,) if config.api.listen else ()),
    ):
        for text in addresses:
            address = address_of(text)
            if address in seen and address[1]:
                yield f"{reading.where(section, key)}: {text} is listened on twice"
            seen.add(address)
    if bool(config.api.tls_cert) != bool(config.api.tls_key):
        yield f"{reading.where('api')}: tls_cert and tls_key go together: the paths of PEM files"
    work = config.unit_of_work
    numbers = config.compliance
    if bool(numbers.country_code) != bool(numbers.national_digits):
        yield f"{reading.where('compliance')}: country_code and national_digits go together, such as 86 and 11"
    if work.undecided < work.new:
        yield f"{reading.where('unit_of_work', 'undecided')}: {work.undecided} is less than one cycle takes (new = {work.new})"


def missing_files(config: Config) -> list[str]:
    """Say which files that the settings name cannot be read, for `smsgw check`: one line each."""
    smpp, api = config.smpp, config.api
    named = {"smpp.tls_cert": smpp.tls_cert, "smpp.tls_key": smpp.tls_key, "smpp.tls_client_ca": smpp.tls_client_ca}
    named |= {"api.tls_cert": api.tls_cert, "api.tls_key": api.tls_key}
    found = []
    for key, path in named.items():
        try:
            if path:
                Path(path).read_bytes()
        except OSError as error:
            found.append(f"{key}: {path} cannot be read: {error.strerror}")
    return found
