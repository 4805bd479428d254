"""provisioning.toml → entities: every error of the file at once, each with file, line, key and a hint.

The optional keys of an account, a link and a dialect are the fields of the model, so that a new one needs no line here. What comes
out holds no secret but in two mappings of its own, which no repr shows.

Never here: the store, what is live, what was applied before.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_type_hints

import msgspec

from smsgw.admin.access_values import ACCESS_CHECKS
from smsgw.admin.contract_values import CONTRACT_CHECKS, contradictions
from smsgw.admin.naming_values import NAMING_CHECKS
from smsgw.admin.retention_values import PROFILES, retention
from smsgw.billing.tariff import parse_money
from smsgw.config import REFERENCES, ConfigError, resolve
from smsgw.model import Account, Dialect, Link, Tenant
from smsgw.policy.file import PolicyFile
from smsgw.policy.ruleset import Bundle
from smsgw.store.prices import PriceKey
from smsgw.store.provisioning import Entities

KINDS: Final = ("tenant", "carrier", "operator", "policy", "retention", "account", "link", "number", "route", "price")
"""In the order in which they can be put: each refers only to those before it."""

Password = str | dict[str, str]
_LONGEST_PASSWORD: Final = 8  # octets of SMPP's field: 9 with its NUL
_CHOICES: Final[Mapping[str, tuple[Any, ...]]] = {
    "mode": ("store", "relay"),
    "basis": ("submitted", "sent", "delivered"),
    "in_doubt": ("resend", "hold", "resend_if_no_receipt"),
    "cycle": ("day", "week", "month"),
    "quota_window": ("calendar", "rolling"),
    "bind": ("transceiver", "transmitter", "receiver", "pair"),
    "part_rule": ("gsm_ucs2", "cn_char", "octet"),
    "submit_id": ("as-is", "hex-to-dec", "dec-to-hex"),
    "receipt_id": ("as-is", "hex-to-dec", "dec-to-hex"),
    "prefer_id": ("tlv", "text"),
    "tlvs": ("auto", "always", "never"),
    "codes": ("", "china", "sgip"),
    "profile": tuple(PROFILES),
    "interface_version": (0x33, 0x34, 0x50),
}
_VERSIONS: Final = {"3.3": 0x33, "3.4": 0x34, "5.0": 0x50}
_AT_LEAST: Final = {
    **dict.fromkeys(("window", "binds", "cycle_start_day"), 1),
    **dict.fromkeys(("reconnect_min_s", "reconnect_max_s"), 0.05),
    "response_timeout_s": 0.1,
}
_AT_MOST: Final = {
    **dict.fromkeys(("max_binds", "max_tx", "max_rx", "max_trx", "window"), 10_000),
    "port": 65_535,
    "binds": 1_000,
    "max_resends": 100,
    "cycle_start_day": 28,
}
KEPT_APART: Final = frozenset({"id", "secrets", "password", "restriction", "expiring", "content_class", "sealed"})
"""Fields of the model that are no settings of a file: they have tables, and commands, of their own."""
_OTHER_WORDS: Final = {"mode": str, "in_doubt": str}  # enumerations in the model, words in a file
_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {**NAMING_CHECKS, **ACCESS_CHECKS, **CONTRACT_CHECKS}
_LISTS: Final[Mapping[str, Any]] = dict.fromkeys(("permanent", "retryable"), frozenset[int]) | {
    **dict.fromkeys(("allow_from", "certificates", "balance_alarms", "notice_mail"), tuple[str, ...]),
    "nodes": tuple[int, ...],  # said once more: of a compiled model one learns that it has lists, and not what they hold
}


@dataclass(frozen=True, slots=True)
class ProvisioningFile:
    """What a file asks for. `openings`: Money by tenant, at first. `bundles`: what rule sets are made of (see `policy_files`)."""

    filename: str
    entities: Entities
    openings: Mapping[str, int] = field(default_factory=dict)
    account_passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    link_passwords: Mapping[str, Password] = field(default_factory=dict, repr=False)
    bundles: Mapping[str, Bundle] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class _Kind:
    """The keys of one kind: all of them with their types, those that must be there, and which of them is the name."""

    name_key: str
    keys: Mapping[str, Any]
    required: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)


def _settings_of(model: type, *without: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the types and the defaults of a model's fields that a file may give."""
    hints = get_type_hints(model) | _OTHER_WORDS | dict(_LISTS)
    fields = [item for item in dataclasses.fields(model) if item.init and item.name not in {*KEPT_APART, *without}]
    defaults = {item.name: item.default for item in fields if item.default is not dataclasses.MISSING}
    return {item.name: hints.get(item.name, Any) for item in fields}, {**defaults, "mode": "store", "in_doubt": "resend"}


_ACCOUNT_KEYS, _ACCOUNT_DEFAULTS = _settings_of(Account, "tenant")
_LINK_KEYS, _LINK_DEFAULTS = _settings_of(Link, "carrier", "dialect")
_DIALECT_KEYS, _DIALECT_DEFAULTS = _settings_of(Dialect)
_TENANT_KEYS, _TENANT_DEFAULTS = _settings_of(Tenant, "name", "currency", "credit_limit", "basis")
_MONEY: Final = object()
_TABLES: Final[Mapping[str, _Kind]] = {
    "tenant": _Kind(
        "name",
        {"name": str, "currency": str, "basis": str, "credit_limit": _MONEY, "balance": _MONEY, **_TENANT_KEYS},
        ("name", "currency"),
        {"basis": "submitted", "credit_limit": 0},
    ),
    "carrier": _Kind("name", {"name": str}, ("name",)),
    "policy": _Kind("name", {"name": str, "files": list[str]}, ("name", "files")),
    "retention": _Kind(
        "name", {"name": str, "profile": str, "content_h": int, "numbers_days": int, "encrypted": bool}, ("name", "profile")
    ),
    "account": _Kind("system_id", {"tenant": str, "password": Any, **_ACCOUNT_KEYS}, ("tenant", "system_id")),
    "link": _Kind(
        "name",
        {"carrier": str, "password": Any, "dialect": dict, **_LINK_KEYS},
        ("carrier", "name", "host", "port", "system_id"),
    ),
    "number": _Kind("number", {"number": str, "account": str}, ("number", "account")),
    "operator": _Kind("name", {"name": str, "prefixes": list[str]}, ("name", "prefixes")),
    "route": _Kind(
        "prefix",
        {"prefix": str, "links": list[str], "part_rule": str, "name": str},
        ("prefix", "links"),
        {"part_rule": "gsm_ucs2"},
    ),
    "price": _Kind(
        "prefix",
        {"tenant": str, "prefix": str, "price": _MONEY, "operator": str, "category": str, "route": str, "from": Any},
        ("tenant", "prefix", "price"),
    ),
}


def parse_provisioning(text: str, filename: str = "provisioning.toml") -> ProvisioningFile:
    """Read the text of a file. Raises ConfigError with everything that is wrong in it."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{filename}: {error}"]) from None
    if raw and not _TABLES.keys() & raw and raw.keys() <= set(PolicyFile.__struct_encode_fields__):
        raise ConfigError([f"{filename}: this is a rule set: name it in the files of a [[policy]], and check the file with that"])
    reading = _Reading(filename, text)
    for kind, tables in raw.items():
        if kind not in _TABLES:
            reading.errors.append(f"{filename}: [[{kind}]] is not known{_hint(kind, _TABLES)}")
        elif not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            reading.errors.append(f"{filename}: {kind}: write [[{kind}]] in double brackets above each of them")
        else:
            for index, table in enumerate(tables):
                reading.table(kind, index, table)
    reading.check_references()
    if reading.errors:
        raise ConfigError(reading.errors)
    return ProvisioningFile(filename, reading.entities, reading.openings, reading.account_passwords, reading.link_passwords)


class _Reading:
    """What has been read of one file, and every error so far."""

    def __init__(self, filename: str, text: str) -> None:
        self.filename = filename
        self.errors: list[str] = []
        self.entities: Entities = {}
        self.openings: dict[str, int] = {}
        self.account_passwords: dict[str, str] = {}
        self.link_passwords: dict[str, Password] = {}
        self._places: dict[tuple[str, str], str] = {}
        self._named: dict[str, dict[str, None]] = {kind: {} for kind in KINDS}
        self._lines: dict[str, list[int]] = {}
        for number, line in enumerate(text.splitlines(), 1):
            header = re.match(r"\s*\[\[\s*(\w+)\s*\]\]", line)
            if header:
                self._lines.setdefault(header[1], []).append(number)

    def table(self, kind: str, index: int, table: dict[str, Any]) -> None:
        """Read one [[kind]], key by key."""
        lines = self._lines.get(kind, [])
        shape = _TABLES[kind]
        line = f":{lines[index]}" if index < len(lines) else ""
        where = f"{self.filename}{line}: {kind}.{table.get(shape.name_key, index + 1)}"
        values: dict[str, Any] = {}
        self._named[kind][str(table.get(shape.name_key))] = None
        for key, value in table.items():
            if key not in shape.keys:
                self.errors.append(f"{where}.{key} is not known{_misplaced(kind, key) or _hint(key, shape.keys)}")
            elif key != "password":
                try:
                    values[key] = self._value(key, value, shape.keys[key], f"{where}.{key}")
                except (ValueError, ConfigError) as error:
                    self.errors += error.errors if isinstance(error, ConfigError) else [f"{where}.{key}: {error}"]
        missing = [key for key in shape.required if key not in table]
        self.errors += [f"{where}.{key} is missing" for key in missing]
        if shape.name_key in values and not missing:
            self._keep(kind, shape, values, where)
        if "password" in table:
            self._password(kind, str(table.get(shape.name_key)), table["password"], f"{where}.password")

    def _value(self, key: str, value: Any, wanted: Any, where: str) -> Any:
        """Check one value. Raises ValueError, and ConfigError for what lies deeper."""
        if wanted is _MONEY:
            if not isinstance(value, str):
                raise ValueError(f'amounts are written in quotes, so that they stay exact: "{value}"')
            return _not_negative(parse_money(value)) if key != "balance" else parse_money(value)
        if key == "dialect":
            return self._dialect(value, where)
        if key == "interface_version" and isinstance(value, str):
            value = _VERSIONS.get(value, value)
        try:
            value = msgspec.convert(value, wanted)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        if key in _CHOICES and value not in _CHOICES[key]:
            near = _near(str(value), map(str, _CHOICES[key]))
            raise ValueError(f"{value!r} is none of {', '.join(map(_shown, _CHOICES[key]))}{near}")
        if isinstance(value, int | float) and not isinstance(value, bool):
            if value < _AT_LEAST.get(key, 0):
                raise ValueError(f"{value} is less than {_AT_LEAST.get(key, 0)}")
            if value > _AT_MOST.get(key, 2**31 - 1):
                raise ValueError(f"{value} is more than {_AT_MOST.get(key, 2**31 - 1)}")
        if key in _CHECKS:
            value = _CHECKS[key](value)
        return list(value) if isinstance(value, tuple) else sorted(value) if isinstance(value, frozenset) else value

    def _dialect(self, table: Any, where: str) -> dict[str, Any]:
        if not isinstance(table, dict):
            raise ConfigError([f"{where} is a table: {{key = value, …}}"])
        errors, values = [], {}
        for key, value in table.items():
            if key not in _DIALECT_KEYS:
                errors.append(f"{where}.{key} is not known{_hint(key, _DIALECT_KEYS)}")
                continue
            try:
                values[key] = self._value(key, value, _DIALECT_KEYS[key], f"{where}.{key}")
            except ValueError as error:
                errors.append(f"{where}.{key}: {error}")
        if errors:
            raise ConfigError(errors)
        return _differing(values, _DIALECT_DEFAULTS)

    def _keep(self, kind: str, shape: _Kind, values: dict[str, Any], where: str) -> None:
        name = str(values.pop(shape.name_key))
        if kind == "price":
            more = {key: values.pop(key, "") for key in ("operator", "category", "route")}
            name = PriceKey(values.pop("tenant"), name, **more, from_ms=values.pop("from", 0)).name
        elif kind == "tenant":
            self.openings[name] = values.pop("balance", 0)
            if self.openings[name] < -values.get("credit_limit", 0):
                self.errors.append(f"{where}.balance is below what credit_limit allows")
            self.errors += [f"{where}.{fault}" for fault in contradictions(values)]
            values = _differing(values, _TENANT_DEFAULTS)
        elif kind == "retention":
            try:
                values = retention(values)
            except ValueError as error:
                self.errors.append(f"{where}: {error}")
        elif kind == "account":
            if values.get("duplicate_window_s") and values.get("mode") == "relay":
                self.errors.append(f'{where}.duplicate_window_s needs mode = "store"')
            values = _differing(values, _ACCOUNT_DEFAULTS)
        elif kind == "link":
            if values.get("reconnect_min_s", 1.0) > values.get("reconnect_max_s", 60.0):
                self.errors.append(f"{where}.reconnect_min_s is more than reconnect_max_s")
            values = _differing(values, {**_LINK_DEFAULTS, "dialect": {}})
        if (kind, name) in self.entities:
            self.errors.append(f"{where} is given twice: {self._places[kind, name]} is the first")
            return
        self._places[kind, name] = where
        self.entities[kind, name] = {**shape.defaults, **values}

    def _password(self, kind: str, name: str, value: Any, where: str) -> None:
        """Follow an account's reference now; keep a link's for whoever binds with it."""
        if isinstance(value, dict):
            if len(value) != 1 or next(iter(value)) not in REFERENCES or not isinstance(next(iter(value.values())), str):
                self.errors.append(f'{where}: a reference is {{file = "…"}}, {{env = "…"}} or {{credential = "…"}}')
                return
            if kind == "link":
                self.link_passwords[name] = value
                return
            try:
                value = resolve(value, where)
            except ConfigError as error:
                self.errors += error.errors
                return
        if not isinstance(value, str):
            self.errors.append(f"{where} must be text in quotes, or a reference")
        elif len(value.encode()) > _LONGEST_PASSWORD:
            self.errors.append(f"{where} has more than the {_LONGEST_PASSWORD} octets that fit into a bind")
        elif kind == "link":
            self.link_passwords[name] = value
        elif not value:
            self.errors.append(f"{where} is empty: leave it out for an account that may not bind yet")
        else:
            self.account_passwords[name] = value

    def check_references(self) -> None:
        """Whatever an entity names must be in the file too."""
        for (kind, name), values in self.entities.items():
            told = values
            if kind == "price":
                price = PriceKey.parse(name)
                told = price.refers()
                self._check_route(name, price.route)
            for key in ("tenant", "account", "carrier", "operator", "policy", "retention"):
                self._check(kind, name, key, key, told.get(key) or None)
            for link in values.get("links", ()):
                self._check(kind, name, "links", "link", link)

    def _check_route(self, name: str, wanted: str) -> None:
        """Check that a price's route is the name of one."""
        names = {values["name"] for (kind, _), values in self.entities.items() if kind == "route" and "name" in values}
        if wanted and wanted not in names:
            where = self._places["price", name]
            self.errors.append(f"{where}.route: there is no route with name = {wanted!r}{_near(wanted, names)}")

    def _check(self, kind: str, name: str, key: str, of: str, wanted: str | None) -> None:
        if wanted is not None and wanted not in self._named[of]:
            where = self._places[kind, name]
            self.errors.append(f"{where}.{key}: there is no {of} {wanted!r}{_hint(wanted, self._named[of])}")


def _differing(values: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what says only the default."""
    plain = {key: list(value) if isinstance(value, tuple | frozenset) else value for key, value in defaults.items()}
    return {key: value for key, value in values.items() if key not in plain or plain[key] != value}


def _not_negative(amount: int) -> int:
    if amount < 0:
        raise ValueError("must not be negative")
    return amount


def _shown(choice: Any) -> str:
    return hex(choice) if isinstance(choice, int) else str(choice)


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f": did you mean {near[0]}?" if near else ""


def _hint(word: str, known: Iterable[str]) -> str:
    known = sorted(known)
    if not known:
        return ": there is none in this file"
    return _near(word, known) or f" (known: {', '.join(known[:12])}{', …' if len(known) > 12 else ''})"


def _misplaced(kind: str, key: str) -> str:
    """A key that stands in another kind's table is no slip of the pen."""
    owners = [f"[[{other}]]" for other, shape in _TABLES.items() if key in shape.keys and key not in {"name", "prefix"}]
    return f": it belongs to {' or '.join(owners)}" if owners and not _near(key, _TABLES[kind].keys) else ""
