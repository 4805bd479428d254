"""The doctor: what stands wrong with a gateway's set-up, its store and its books, found by reading only.

Each question is asked by itself, so that one that cannot be answered does not hide the others. The exit code is Nagios's: 0 all is
well, 1 somebody should look, 2 something is broken.

Must never: change anything; name a secret, a number or content (rows of a broken invariant show ids and amounts alone).
"""

from __future__ import annotations

import datetime
import enum
import resource
import shutil
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import orjson

from smsgw.admin.content_keys import KEYS_FILE
from smsgw.admin.sealing import KEY_FILE
from smsgw.config import Config, address_of
from smsgw.store import audits, examination, invariants, mark_chain, partitions, retentions
from smsgw.store.database import Connection, check_durability, connect
from smsgw.store.errors import StoreError

SKEW_S: Final = (0.5, 10.0)
"""Our clock against the database's: from the first on somebody should look, from the second on it is broken."""
AHEAD_DAYS: Final = (5, 1)
DISK_SHARE: Final = (0.10, 0.02)
DISK_OCTETS: Final = (2 << 30, 256 << 20)
FILES: Final = (65_536, 8_192)
IDS_AHEAD_S: Final = 300.0
LONG_GONE_S: Final = 86_400.0
READY_S: Final = 3.0
AUDIT_ROWS: Final = 10_000
"""So many of the audit's newest rows are walked: `smsgw audit verify` walks all."""


class Level(enum.IntEnum):
    """How bad it is; also the exit code."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer: what was looked at, how it stands, and what to do (`hint`) when it stands badly."""

    what: str
    level: Level
    text: str
    hint: str = ""


def exit_code(findings: Iterable[Finding]) -> int:
    """Return the worst level: 0, 1 or 2."""
    return max((int(finding.level) for finding in findings), default=0)


async def examine(config: Config, dsn: str, *, books: bool = True, now: datetime.datetime | None = None) -> list[Finding]:
    """Look at everything. `dsn`: where the store is; `books=False` leaves the invariants out, which read every kept message."""
    data_dir = Path(config.node.data_dir)
    findings = [file_limit(), disk(data_dir), keys(data_dir), await gateway(config)]
    try:
        connection = await connect(dsn, name="smsgw doctor")
    except StoreError as error:
        return [*findings, Finding("database", Level.CRITICAL, str(error), "is it running? see [database] dsn")]
    at = now or datetime.datetime.now(datetime.UTC)
    try:
        findings.append(await _asked("database", durability(connection, config.database.unsafe)))
        schema = await _asked("schema", schema_state(connection))
        findings.append(schema)
        if schema.level is not Level.OK:
            return findings
        findings.append(await _asked("clock", clock(connection)))
        findings.append(await _asked("days ahead", days(connection, at)))
        findings.append(await _asked("default partitions", defaults(connection)))
        findings.append(await _asked("nodes", seats(connection)))
        findings.append(await _asked("audit", audit(connection)))
        findings.append(await _asked("retention", retention(connection, at)))
        if books:
            findings += await _books(connection)
    finally:
        await connection.close()
    return findings


async def _asked(what: str, question: Awaitable[Finding]) -> Finding:
    try:
        return await question
    except Exception as error:  # noqa: BLE001 - one question that fails does not hide the others
        return Finding(what, Level.CRITICAL, f"could not be looked at: {type(error).__name__}: {error}")


# ---- this machine ---------------------------------------------------------------------------------------------------


def file_limit(limit: int = 0) -> Finding:
    """Enough descriptors: a bind takes one. `limit` instead of this process's hard limit."""
    hard = limit or resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        return Finding("open files", Level.OK, "no limit")
    return Finding("open files", _below(hard, FILES), f"at most {hard}", "raise LimitNOFILE (systemd) or ulimit -n to 65536")


def disk(data_dir: Path) -> Finding:
    """Room for what is accepted: a full disk stops acceptance."""
    try:
        usage = shutil.disk_usage(data_dir)
    except OSError as error:
        return Finding("disk", Level.WARNING, f"{data_dir}: {error.strerror}", "see [node] data_dir")
    level = max(_below(usage.free / usage.total, DISK_SHARE), _below(usage.free, DISK_OCTETS))
    text = f"{usage.free / (1 << 30):.1f} GiB free ({usage.free / usage.total:.0%}) under {data_dir}"
    return Finding("disk", level, text, "make room, or keep messages for fewer days")


def keys(data_dir: Path) -> Finding:
    """Who may read the keys that open links' passwords and sealed content: the gateway's own user alone."""
    found = []
    for name in (KEY_FILE, KEYS_FILE):
        try:
            mode = (data_dir / name).stat().st_mode & 0o777
        except OSError:
            continue  # not made yet, or nothing is sealed; who may not look is told elsewhere
        if mode & 0o077:
            found.append(f"{data_dir / name} has mode {mode:04o}")
    if found:
        return Finding(
            "keys", Level.WARNING, "; ".join(found), "chmod 600; others may have read it: renew the passwords that it opens"
        )
    return Finding("keys", Level.OK, "their owner alone may read them")


async def gateway(config: Config) -> Finding:
    """Ask the running gateway whether it is ready."""
    host, port = address_of(config.admin.listen)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/readyz?verbose"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=READY_S)) as session,
            session.get(url) as response,
        ):
            missing = orjson.loads(await response.read()).get("missing", [])
    except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError, AttributeError) as error:
        text = f"nothing answers at {config.admin.listen} ({type(error).__name__})"
        return Finding("gateway", Level.WARNING, text, "start it: smsgw serve")
    if missing:
        return Finding("gateway", Level.CRITICAL, f"runs, but is not ready: {', '.join(missing)}", "see smsgw show links")
    return Finding("gateway", Level.OK, "runs and is ready")


# ---- the store ------------------------------------------------------------------------------------------------------


async def durability(connection: Connection, unsafe: bool) -> Finding:  # noqa: FBT001 - the setting's own name
    """The server keeps what it has committed."""
    try:
        off = await check_durability(connection, unsafe=True)
    except StoreError as error:
        return Finding("database", Level.CRITICAL, str(error))
    if off:
        level = Level.WARNING if unsafe else Level.CRITICAL
        return Finding("database", level, f"{', '.join(off)} is off: a crash loses acknowledged messages", "turn it on")
    return Finding("database", Level.OK, f"PostgreSQL {connection.get_server_version().major}, durable")


async def schema_state(connection: Connection) -> Finding:
    """The tables are those of this program."""
    missing = await examination.missing_migrations(connection)
    if missing:
        return Finding("schema", Level.CRITICAL, f"lacks {', '.join(missing)}", "start smsgw serve once: it migrates")
    return Finding("schema", Level.OK, "up to date")


async def clock(connection: Connection) -> Finding:
    """Both clocks tell one time: take-over of dead nodes and prices' days depend on it."""
    skew_s = await examination.clock_skew_s(connection)
    return Finding("clock", _above(abs(skew_s), SKEW_S), f"{skew_s:+.3f} s against the database's", "run NTP on both machines")


async def days(connection: Connection, now: datetime.datetime) -> Finding:
    """There are partitions for the days that come."""
    ahead = await examination.days_ahead(connection, now)
    if not ahead:
        return Finding("days ahead", Level.CRITICAL, "no table is partitioned by day", "is this smsgw's database?")
    name, least = min(ahead.items(), key=lambda entry: entry[1])
    return Finding("days ahead", _below(least, AHEAD_DAYS), f"{least} days from today on ({name})", "is a gateway running?")


async def defaults(connection: Connection) -> Finding:
    """No row has fallen into a DEFAULT partition."""
    found = {name: rows for name, rows in (await partitions.default_rows(connection)).items() if rows}
    if found:
        text = ", ".join(f"{rows} rows in {name}_default" for name, rows in sorted(found.items()))
        return Finding("default partitions", Level.WARNING, text, "a day was missing, or a clock was wrong")
    return Finding("default partitions", Level.OK, "empty")


async def seats(connection: Connection) -> Finding:
    """No node's ids run ahead of the time, and none has been away for so long that it was meant to be removed."""
    seen = await examination.nodes_seen(connection)
    ahead = [f"node {node.node} by {node.ids_at - time.time():.0f} s" for node in seen if node.ids_at - time.time() > IDS_AHEAD_S]
    if ahead:
        return Finding("nodes", Level.CRITICAL, f"ids ahead of the clock: {', '.join(ahead)}", "a clock was or is wrong")
    gone = [str(node.node) for node in seen if node.heartbeat_age_s > LONG_GONE_S]
    if gone:
        return Finding(
            "nodes", Level.WARNING, f"not seen for a day: {', '.join(gone)}", "stopped for good? its work was taken over"
        )
    return Finding("nodes", Level.OK, f"{len(seen)} known")


async def audit(connection: Connection) -> Finding:
    """The newest rows of the audit are those that were written."""
    found = await audits.verify(connection, last=AUDIT_ROWS)
    if found.fault is not None:
        text = f"number {found.fault.number} {found.fault.why}"
        return Finding("audit", Level.CRITICAL, text, "somebody wrote past smsgw: keep a dump, then smsgw audit verify")
    said = await mark_chain.verify(connection, last=AUDIT_ROWS)
    if said.fault is not None:
        text = f"number {said.fault.number} of what recipients said {said.fault.why}"
        return Finding("audit", Level.CRITICAL, text, "somebody wrote past smsgw: keep a dump, then smsgw audit verify")
    return Finding("audit", Level.OK, f"{found.rows} rows fit, up to number {found.head.number}; {said.rows} of marks")


async def retention(connection: Connection, now: datetime.datetime) -> Finding:
    """What messages said, and their numbers, are kept no longer than accounts' retentions say."""
    found = await retentions.behind(connection, now.timestamp())
    if found:
        return Finding("retention", Level.WARNING, "; ".join(found), "is a gateway running? see its log for upkeep_failed")
    return Finding("retention", Level.OK, "nothing is kept beyond its time")


async def _books(connection: Connection) -> list[Finding]:
    try:
        broken = await invariants.check(connection)
    except Exception as error:  # noqa: BLE001 - as in _asked
        return [Finding("books", Level.CRITICAL, f"could not be read: {type(error).__name__}: {error}")]
    hint = "keep a dump and look before anything is changed"
    wrong = [Finding("books", Level.CRITICAL, f"{one.name}: {_shown(one)}", hint) for one in broken]
    return wrong or [Finding("books", Level.OK, f"{len(invariants.INVARIANTS)} invariants hold")]


def _shown(broken: invariants.Broken) -> str:
    rows = "; ".join(", ".join(f"{name} {value}" for name, value in row.items()) for row in broken.rows[:2])
    return f"{rows}; …" if len(broken.rows) > 2 else rows


def _below(value: float, marks: tuple[float, float]) -> Level:
    warning, critical = marks
    return Level.CRITICAL if value < critical else Level.WARNING if value < warning else Level.OK


def _above(value: float, marks: tuple[float, float]) -> Level:
    warning, critical = marks
    return Level.CRITICAL if value > critical else Level.WARNING if value > warning else Level.OK
