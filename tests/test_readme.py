"""README.md and the map of the source tell of what there is, and of nothing else."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import typer.main

import smsgw
from smsgw.admin.provisioning_file import KEPT_APART, KINDS
from smsgw.cli import build
from smsgw.config import Config
from smsgw.model import Account, Dialect, InDoubt, Link, Mode, State, Tenant
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from smsgw.telemetry import Record
from tests.interface import NOT_ANSWERED, sources

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INTERFACE = README.partition("\n## Interface for tenants\n")[2].partition("\n## ")[0]
SETTINGS = README.partition("\n## Settings\n")[2].partition("\n## ")[0]
REFUSERS = [path for path, _ in sources()]


def rows(text: str) -> dict[str, str]:
    """Return name → default of tables with the columns name, default, meaning; several names may share a row."""
    found = {}
    for names, default in re.findall(r"^\| (`[^|]+`) \| ([^|]*) ?\|", text, re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"`([\w.]+)`", names), default.strip())
    return found


def toml(value: Any) -> str:
    """Return a value as a settings file has it."""
    match value:
        case InDoubt() | Mode():
            return f'"{value.name.lower()}"'
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple() | frozenset():
            return f"[{', '.join(map(toml, value))}]"
        case _:
            return str(value)


def words(path: Path) -> Iterator[str]:
    """Yield the reasons that a module refuses with: constants in calls, and constants that calls name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        match node:
            case (
                ast.Call(func=ast.Name(id="Rejected" | "BadPdu"), args=[_, reason, *_])
                | ast.Call(func=ast.Attribute(attr="refuse"), args=[reason])
            ):
                yield from (part.value for part in ast.walk(reason) if isinstance(part, ast.Constant) and type(part.value) is str)
            case ast.AnnAssign(value=ast.Constant(value=str(word))) if path.name == "bind.py" and re.fullmatch("[a-z_]+", word):
                yield word


def test_both_commands_are_told():
    """Whoever reads the README learns the two commands, and the Makefile has them."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in ("demo", "test"):
        assert re.search(rf"^    make {command} ", README, re.MULTILINE)
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


def test_every_make_target_exists():
    """`make` is told to make nothing that it cannot."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    assert set(re.findall(r"(?:`|^ {4})make (\w+)", README, re.MULTILINE)) <= targets


def test_every_setting_has_its_row():
    """Each setting of the process stands in the table with its default, and no other."""
    known = {
        f"{section.name}.{field.name}": f"`{toml(field.default)}`"
        for section in msgspec.structs.fields(Config)
        for field in msgspec.structs.fields(section.type)
    }
    told = {name: default for name, default in rows(SETTINGS).items() if name.partition(".")[0] in Config.__struct_fields__}
    assert told == known


def test_every_provisioned_name_has_its_row():
    """Each key of accounts, links and dialects that a file may give stands in the table with its default."""
    told = rows(SETTINGS)
    assert {name.partition(".")[0] for name in told if "." in name} == {*Config.__struct_fields__, *KINDS}
    for kind, model in (("tenant.", Tenant), ("account.", Account), ("link.", Link), ("", Dialect)):
        for field in dataclasses.fields(model):
            name = f"{kind}{field.name}"
            if not field.init or field.name in {*KEPT_APART, "dialect"} or name in {"tenant.basis", "tenant.credit_limit"}:
                continue
            default = "" if field.default is dataclasses.MISSING else f"`{toml(field.default)}`"
            told_default = told[name].replace('"3.4"', "52")
            assert told_default == default, name


def test_every_reason_is_explained():
    """Each word that a tenant's request is refused with stands in the interface section."""
    used = {word for path in REFUSERS for word in words(path)} | set(STATUSES) | {"not_storable"}
    assert {"window", "no_route", "balance", "wrong_password", "draining", "carrier", "sm_length"} <= used
    missing = {word for word in used - set(NOT_ANSWERED) if f"`{word}`" not in INTERFACE}
    assert not missing


def test_the_table_of_own_statuses_is_that_of_the_source():
    """Money, quota and states: the interface lists each reason with both of its statuses, as the source has them."""
    told = re.findall(r"^\| `(0x0\w{3})` \| (ESME_\w+) \| ((?:`\w+`(?:, )?)+) \|", INTERFACE, re.MULTILINE)
    pairs = {
        word: (int(own, 16), getattr(const, strict)) for own, strict, reasons in told for word in re.findall(r"`(\w+)`", reasons)
    }
    assert pairs == STATUSES


def test_no_reason_is_invented():
    """Each reason in the tables of statuses occurs in the source."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "smsgw").rglob("*.py"))
    told = re.findall(r"^\| (?:ESME_|the carrier)[^|]*\| ((?:`\w+`(?:, )?)+) \|", INTERFACE, re.MULTILINE)
    reasons = {word for cell in told for word in re.findall(r"`(\w+)`", cell)}
    assert len(reasons) > 40
    assert {word for word in reasons if f'"{word}"' not in source} == set()


def test_every_command_exists():
    """What the README calls `smsgw …` is a command, and each command is in it."""
    commands = set(typer.main.get_command(build()).commands)  # type: ignore[attr-defined]  # a group, as it has several
    told = set(re.findall(r"(?:`|^ {4}|-- \S*/|docker exec smsgw )smsgw ([a-z]+)\b", README, re.MULTILINE))
    assert told - commands == set()
    assert commands - told == set()


def test_states_and_record_keys_are_told():
    """Each state and each key of a record line is in the README under its own name."""
    names = [state.name for state in State] + [field.name for field in msgspec.structs.fields(Record)]
    assert [name for name in names if f"`{name}`" not in README] == []


def test_links_lead_somewhere():
    """Files and directories that the README names are there."""
    named = set(re.findall(r"\]\(([\w/.]+)\)|`((?:config|docs|smsgw|systemd|tests)/[\w/.]*)`", README))
    assert named
    assert [path for pair in named for path in pair if path and not (ROOT / path).exists()] == []


def test_the_map_names_every_room():
    """The docstring of the package has a line for each module and folder that there is, and for no other."""
    assert smsgw.__doc__ is not None
    rooms = smsgw.__doc__.partition("Rooms")[2].partition("Journeys.")[0]
    told = {
        name
        for line in re.findall(r"^    ((?:\w+(?:/|\.py)?,? +)+)", rooms, re.MULTILINE)
        for name in re.findall(r"(\w+)[/.]", line)
    }
    package = ROOT / "smsgw"
    there = {path.parent.name for path in package.glob("*/__init__.py")} | {path.stem for path in package.glob("*.py")}
    assert told == there - {"__init__", "__main__"}
