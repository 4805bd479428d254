"""`smsgw apply`, `rollback` and `check`: find the store, call admin/provisioning, tell what came of it.

What changes goes to standard output, one line each; how it ended to standard error. Exit codes: 0, 4 conflict, 69 and 78 as in
sysexits.h.

Never here: what differs and what is made of it (`admin.three_way`, `admin.provisioning`).
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smsgw.cli import face, stored

if TYPE_CHECKING:
    from smsgw.admin.provisioning import ProvisioningFile
    from smsgw.admin.three_way import Plan
    from smsgw.config import Config
    from smsgw.store.database import Connection

Overwrite = Annotated[bool, face.flag("--overwrite", help="Undo what others changed since the last apply.")]


def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Provisioning files to look at as well.")] = None,
    config: face.ConfigPath = face.CONFIG,
) -> None:
    """Say everything that is wrong with the settings and with provisioning files. The database is not asked."""
    errors = errors_of(config, files or [])
    if errors:
        face.fail(face.EX_CONFIG, *errors)
    print("ok")


def apply(
    file: Annotated[Path, typer.Argument(help="A provisioning.toml.")],
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    *,
    dry_run: stored.DryRun = False,
    overwrite: Overwrite = False,
    take_over: Annotated[
        list[str] | None,
        typer.Option("--take-over", help="Put this rule set back to what the file says, whoever edited it since; repeatable."),
    ] = None,
) -> None:
    """Make what a file says live, all or nothing; a running gateway follows within a second and drops no bind."""
    settings = face.settings(config)
    wanted = _read_or_fail(file)

    async def run(connection: Connection) -> Plan:
        from smsgw.admin import provisioning
        from smsgw.admin.credentials import hasher_of
        from smsgw.admin.sealing import load_key
        from smsgw.store import policies
        from smsgw.store import provisioning as store

        key = load_key(Path(settings.node.data_dir))
        hasher, who = hasher_of(settings.secrets), actor or stored.caller()
        made = await provisioning.apply(
            connection, wanted, actor=who, seal=key, hasher=hasher, dry_run=dry_run, overwrite=overwrite, take_over=take_over or ()
        )
        if not dry_run and not made.conflicts:
            kept = settings.rules
            async with connection.transaction():
                await store.lock(connection)
                gone = await policies.purge(connection, keep=kept.keep_versions, days=kept.keep_days)
            if gone:
                print(f"forgot {gone} old versions of rule sets (see rules.keep_days)", file=sys.stderr)
        return made

    tell(_planned(settings, run), dry_run=dry_run)


def rollback(
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    *,
    dry_run: stored.DryRun = False,
    overwrite: Overwrite = False,
) -> None:
    """Go back to the version applied before the last one; balances and passwords stay as they are."""
    settings = face.settings(config)

    async def run(connection: Connection) -> Plan:
        from smsgw.admin import provisioning

        return await provisioning.rollback(connection, actor=actor or stored.caller(), dry_run=dry_run, overwrite=overwrite)

    tell(_planned(settings, run), dry_run=dry_run)


def tell(plan: Plan, *, dry_run: bool) -> None:
    """Write a plan and how it ended; exits 4 when there are conflicts."""
    for line in plan.lines():
        print(line)
    count = len(plan.changes) + len(plan.passwords)
    said = "1 change" if count == 1 else f"{count} changes"
    if plan.conflicts:
        way = (
            ""
            if all(one.final for one in plan.conflicts)
            else " (write what others changed into the file, or let --overwrite take the file's word)"
        )
        face.fail(face.CONFLICT, f"nothing was changed: {len(plan.conflicts)} in conflict{way}")
    if not count:
        print("nothing to change", file=sys.stderr)
    elif dry_run:
        print(f"{said}, none of them made (--dry-run)", file=sys.stderr)
    else:
        print(f"{said}, now at version {plan.version}", file=sys.stderr)


def errors_of(config: Path, files: Sequence[Path]) -> list[str]:
    """Return everything that is wrong with the settings and the files."""
    from smsgw.admin.policy_files import NO_KEY, with_policies
    from smsgw.config import ConfigError, load, missing_files

    errors: list[str] = []
    try:
        settings = load(config)
        errors += missing_files(settings) or _certificate_errors(settings)
    except ConfigError as error:
        errors += error.errors
    for file in files:
        try:
            with_policies(read_file(file), NO_KEY)
        except ConfigError as error:
            errors += error.errors
    return errors


def _certificate_errors(config: Config) -> list[str]:
    """Return why certificate and key do not go together, without opening an address."""
    pairs = {"smpp": (config.smpp.tls_cert, config.smpp.tls_key)} if config.smpp.tls_listen else {}
    pairs |= {"api": (config.api.tls_cert, config.api.tls_key)} if config.api.tls_cert else {}
    found = []
    for section, pair in pairs.items():
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair)
        except OSError as error:
            found.append(f"{section}.tls_cert, {section}.tls_key: {error.strerror or error}")
    return found


def read_file(file: Path) -> ProvisioningFile:
    """Read a provisioning file. Raises ConfigError."""
    from smsgw.admin.provisioning import parse_provisioning
    from smsgw.config import ConfigError

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError([f"{file}: cannot be read: {why}"]) from None
    return parse_provisioning(text, str(file))


def _read_or_fail(file: Path) -> ProvisioningFile:
    from smsgw.config import ConfigError

    try:
        return read_file(file)
    except ConfigError as error:
        face.fail(error.exit_code, str(error))


def _planned(config: Config, work: Callable[[Connection], Awaitable[Plan]]) -> Plan:
    """Make a plan in the store. What else may go wrong than the settings and the store is ours, and keeps its traceback."""
    from smsgw.config import ConfigError
    from smsgw.store.errors import StoreError

    async def run() -> Plan:
        async with stored.opened(config) as connection:
            return await work(connection)

    try:
        return asyncio.run(run())
    except (ConfigError, StoreError) as error:
        face.fail(error.exit_code, str(error))
