"""What a rule set's file looks like against the tables that there are: everything that is misshapen, not the first of it alone.

A table that is whole is kept, so that its words can be judged although another one is wrong; one with a fault is left out.

Never here: where in the file something stands (`file`), what a rule means.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import FieldInfo

_AT: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")


class Misshapen(NamedTuple):
    """One fault. `path`: such as terms[1].action, "" for the whole; `what`: in msgspec's words."""

    path: str
    what: str


class Shaped(NamedTuple):
    """What is sound: values by the names of fields; of lists of tables which ones (their places in the file)."""

    values: dict[str, Any]
    kept: dict[str, list[int]]
    faults: list[Misshapen]


def shaped(raw: Mapping[str, Any], kind: type[msgspec.Struct]) -> Shaped:
    """Read what a file or a body says as a struct, field by field."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    found = Shaped({}, {}, [*_unknown(raw, fields, ""), *_missing(raw, fields, "")])
    for name, value in raw.items():
        if name not in fields:
            continue
        of = _table_of(fields[name].type)
        if of is not None and _is_list(fields[name].type) and isinstance(value, list):
            sound = []
            for at, entry in enumerate(value):
                faults = list(_table(entry, of, f"{name}[{at}]"))
                found.faults.extend(faults)
                sound += [] if faults else [(at, msgspec.convert(entry, of))]
            found.values[name] = [one for _, one in sound]
            found.kept[name] = [at for at, _ in sound]
            continue
        faults = list(_field(value, fields[name].type, name))
        found.faults.extend(faults)
        if not faults:
            found.values[name] = msgspec.convert(value, fields[name].type)
    return found


def _field(value: Any, kind: Any, path: str) -> Iterator[Misshapen]:
    """Yield what is wrong with a value: of a table, or a list, with each thing in it."""
    of = _table_of(kind)
    if of is not None and _is_list(kind) and isinstance(value, list):
        for at, entry in enumerate(value):
            yield from _table(entry, of, f"{path}[{at}]")
    elif of is not None and isinstance(value, dict):
        yield from _table(value, of, path)
    else:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            match = _AT.search(str(error))
            inner, what = (match["path"], str(error)[: match.start()]) if match else ("", str(error))
            yield Misshapen(path + inner, what)


def _table(raw: Any, kind: type[msgspec.Struct], path: str) -> Iterator[Misshapen]:
    """Yield what is wrong with a table, key by key."""
    if not isinstance(raw, dict):
        yield from _field(raw, dict, path)
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    yield from _unknown(raw, fields, path)
    yield from _missing(raw, fields, path)
    for name, value in raw.items():
        if name in fields:
            yield from _field(value, fields[name].type, f"{path}.{name}")


def _unknown(raw: Mapping[str, Any], fields: Mapping[str, FieldInfo], path: str) -> Iterator[Misshapen]:
    return (Misshapen(path, f"Object contains unknown field `{name}`") for name in raw if name not in fields)


def _missing(raw: Mapping[str, Any], fields: Mapping[str, FieldInfo], path: str) -> Iterator[Misshapen]:
    missing = (name for name, field in fields.items() if field.required and name not in raw)
    return (Misshapen(path, f"Object missing required field `{name}`") for name in missing)


def _plain(kind: Any) -> Any:
    """Return a type without None."""
    if get_origin(kind) in {Union, types.UnionType}:
        others = [one for one in get_args(kind) if one is not type(None)]
        return others[0] if len(others) == 1 else kind
    return kind


def _is_list(kind: Any) -> bool:
    return get_origin(_plain(kind)) is list


def _table_of(kind: Any) -> type[msgspec.Struct] | None:
    """Return the struct that a field holds, by itself or in a list; None for another type."""
    plain = _plain(kind)
    inner = get_args(plain)[0] if get_origin(plain) is list else plain
    return inner if isinstance(inner, type) and issubclass(inner, msgspec.Struct) else None


def fields_at(path: str, kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the keys that the table at a path may have; () where there is none."""
    of: Any = kind
    for name in re.findall(r"[A-Za-z_]\w*", path):
        of = _table_of(get_type_hints(of).get(name)) if of is not None else None
    return tuple(field.encode_name for field in msgspec.structs.fields(of)) if of is not None else ()
