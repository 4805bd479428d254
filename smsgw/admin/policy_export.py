"""A rule set written into files as it is stored, so that an apply of them finds nothing to change: edits come back to Git.

A set's names are paths from its provisioning file: that file's directory is where they belong. A list of numbers is written as the
keyed hashes that are stored of it; they mean something under the same `seal.key` alone.

Promises: nothing is written over that says something else, unless that is asked for; nothing is written outside the directory.
Never here: the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from smsgw.admin.api.trying import lists_of, outside
from smsgw.admin.standing import NotAllowed
from smsgw.policy.file import NUMBER_LISTS, Source, merged
from smsgw.policy.ruleset import Bundle

HASHES: Final = "# keyed hashes of numbers: they hold under the seal.key of the gateway that they come from\n"


def export(bundle: Bundle, directory: Path, *, force: bool = False) -> list[Path]:
    """Write a set; returns its files. Raises NotAllowed for what stands there, or would lie elsewhere; OSError."""
    files: dict[str, str] = {}
    for name, text in _files(bundle):
        lies = str(PurePosixPath(name))
        if files.setdefault(lies, text) != text:
            raise NotAllowed(f"{lies}: two files of the set would lie there: put the set with other names")
    astray = sorted(name for name in files if outside(name))
    if astray:
        raise NotAllowed(
            f"{', '.join(astray)}: names that lead out of a directory cannot be exported: put the set with other names"
        )
    paths = {directory / name: text for name, text in files.items()}
    if not force:
        other = [str(path) for path, text in paths.items() if path.exists() and path.read_bytes() != text.encode()]
        if other:
            raise NotAllowed(f"{', '.join(other)}: says something else already: --force writes over it")
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return list(paths)


def table(name: str, entity: Mapping[str, Any]) -> str:
    """Return the table of a provisioning file that names these files."""
    files = ", ".join(json.dumps(file, ensure_ascii=False) for file in entity["files"])
    return f'[[policy]]\nname = "{name}"\nfiles = [{files}]\n'


def _files(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """Yield (path, text): each list lies beside the file that names it."""
    lists = lists_of(bundle)
    for name, text in bundle.sources:
        yield name, text
        for listed in _named(Source(name, text)):
            if listed in lists:
                beside = str(PurePosixPath(name).parent / listed)
                yield beside, (HASHES if listed in bundle.numbers else "") + lists[listed]


def _named(source: Source) -> Iterator[str]:
    """Yield the lists that a file names."""
    found, _ = merged([source])
    yield from (rule.file for rule in found.terms if rule.file)
    yield from found.harmless
    yield from (cap.exempt for cap in found.cap if cap.exempt)
    if found.recipient is not None:
        yield from filter(None, (getattr(found.recipient, kind) for kind in NUMBER_LISTS))
