"""The rule sets that a provisioning file names: their files read, compiled and proved, before anything is applied.

A name in [[policy]] is a path from the provisioning file; lists named in a rule set's file are paths from that one. What is stored
of a list of numbers are keyed hashes, made here.

Never here: the store; what a rule means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from smsgw.config import ConfigError
from smsgw.policy.check import UNREAD, check_set
from smsgw.policy.content import needs_store
from smsgw.policy.ruleset import Bundle, RuleSet

if TYPE_CHECKING:
    from smsgw.admin.provisioning_file import ProvisioningFile

NO_KEY: Final = b"check"
"""The key of a check, which stores nothing."""
MAX_OCTETS: Final = 64 << 20


def with_policies(file: ProvisioningFile, key: bytes) -> ProvisioningFile:
    """Read, compile and prove every rule set that a file names; it comes back with their versions. Raises ConfigError."""
    base = Path(file.filename).parent
    errors: list[str] = []
    entities = dict(file.entities)
    bundles: dict[str, Bundle] = {}
    for (kind, name), values in file.entities.items():
        if kind != "policy":
            continue
        checked = check_set(name, values["files"], reader(base), key)
        errors += (
            f"{file.filename}: policy.{name}: {fault}" if fault.message.startswith(UNREAD) else str(fault)
            for fault in checked.faults
        )
        if checked.made is not None:
            version = checked.bundle.version
            bundles[version] = checked.bundle
            entities[kind, name] = {**values, "version": version}
            errors += _in_relay(file, checked.made)
    if errors:
        raise ConfigError(errors)
    return replace(file, entities=entities, bundles=bundles)


def _in_relay(file: ProvisioningFile, policy: RuleSet) -> Iterator[str]:
    """Say for which accounts a set is none: a relay tenant is answered after its carrier, so its messages cannot wait."""
    why = needs_store(policy)
    for (kind, name), values in file.entities.items() if why else ():
        if kind == "account" and values.get("policy") == policy.name and values.get("mode") == "relay":
            yield f'{file.filename}: account.{name}: policy "{policy.name}" needs mode = "store": {why}'


def contents(file: ProvisioningFile) -> Mapping[str, bytes]:
    """Return the octets to store, by version."""
    return {version: bundle.encode() for version, bundle in file.bundles.items()}


def reader(base: Path) -> Callable[[str, str], str]:
    """Return what reads the files of a set, and the lists that they name, from below a directory."""

    def read(source: str, listed: str) -> str:
        path = base / source if not listed else (base / source).parent / listed
        if path.stat().st_size > MAX_OCTETS:
            raise OSError(27, f"is larger than {MAX_OCTETS} octets", str(path))
        return path.read_text(encoding="utf-8")

    return read
