"""`smsgw policy replay`: a new rule set over the texts that are stored, and what it would do otherwise than the one in force.

It runs in the command's own process, with readings of its own: the gateway's loop has no part in it. Nothing is changed or sent.
What was refused at the door was never stored, so that nobody can say what a milder set would let pass of it.

Must never: tell a text or a whole number unless it is asked for; end in the books.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from smsgw.admin.policy_files import reader
from smsgw.admin.sealing import Key
from smsgw.admin.standing import NotFound
from smsgw.compliance.optout import marks_of
from smsgw.config import Compliance, ConfigError
from smsgw.directory import Directory, load_directory
from smsgw.model import Account
from smsgw.policy.file import PolicyFault
from smsgw.policy.marks import Marks, Scope, packed
from smsgw.policy.matcher import EngineFailed
from smsgw.policy.replay import Difference, Replay, Said
from smsgw.policy.ruleset import RuleSet, compile_set, make_bundle
from smsgw.smpp.pdu import encode
from smsgw.store import marks, texts
from smsgw.store.database import Connection
from smsgw.store.ids import seconds_of
from smsgw.store.sealed import Opener, plain
from smsgw.telemetry import mask

MOST: Final = 1_000_000
_WORDS: Final[Mapping[tuple[str, str], str]] = {
    ("pass", "reject"): "newly refused",
    ("flag", "reject"): "newly refused",
    ("hold", "reject"): "refused, no longer held",
    ("pass", "hold"): "newly held",
    ("flag", "hold"): "newly held",
    ("reject", "hold"): "held, no longer refused",
    ("reject", "pass"): "newly passed",
    ("reject", "flag"): "newly passed",
    ("hold", "pass"): "newly passed",
    ("hold", "flag"): "newly passed",
    ("pass", "flag"): "newly flagged",
    ("flag", "pass"): "no longer flagged",
}


class Answer(NamedTuple):
    """Rows of differences, the most frequent first, and what to say at the end."""

    rows: list[dict[str, Any]]
    told: str


async def replay(
    connection: Connection,
    key: Key,
    name: str,
    files: Sequence[Path],
    *,
    account: str = "",
    since: timedelta,
    most: int,
    compliance: Compliance,
    show_text: bool = False,
    opened: Opener = plain,
) -> Answer:
    """Judge what is stored, as `opened` opens it, by the files as version of the set `name`. Raises ConfigError, NotFound.

    `compliance`: how numbers are spelled.
    """
    now = _compiled(name, files, key.derived("numbers"))
    directory = await load_directory(connection, key.unseal, number_key=key.derived("numbers"))
    accounts = {one.id: one for one in directory.accounts() if (one.system_id == account if account else one.policy == name)}
    if not accounts:
        raise NotFound(
            f"there is no account {account!r}" if account else f"no account has the policy {name!r}: name one, --account"
        )
    told = Replay(_in_force(directory, name), now, directory.owner_of, await _on_record(connection, key, compliance))
    await over_stored(connection, told, accounts, since=since, most=most, opened=opened)
    rows = [_row(told, difference, count, show_text=show_text) for difference, count in told.differences.most_common()]
    return Answer(rows, _told(told))


async def over_stored(
    connection: Connection, told: Replay, accounts: Mapping[int, Account], *, since: timedelta, most: int, opened: Opener
) -> None:
    """Have what these accounts sent judged by both sets, each page in a thread: whoever else uses this loop goes on."""
    until = time.time()

    def judge(page: list[texts.Stored]) -> None:
        for one in page:
            pdu = encode(one.command, 0, 1, one.body)
            of = accounts[one.account]
            told.take(Said(one.id, of, one.source, one.destination, one.command, pdu, seconds_of(one.id)))

    async for page in texts.pages(connection, list(accounts), max(0.0, until - since.total_seconds()), until, opened):
        await asyncio.to_thread(judge, page[: most - told.judged])
        if told.judged >= most:
            break
    told.end()


def word_of(difference: Difference) -> str:
    """Return what a difference is called."""
    return _WORDS.get((difference.before, difference.now), "by another rule")


async def _on_record(connection: Connection, key: Key, compliance: Compliance) -> Marks:
    """Return what is on record of recipients."""
    known, everything = marks_of(key.derived("numbers"), compliance), await marks.snapshot(connection)
    known.know({code: Scope(*scope) for code, scope in everything.scopes.items()})
    known.load(await asyncio.to_thread(packed, everything.pages))
    return known


def _in_force(directory: Directory, name: str) -> RuleSet | None:
    return directory.policies.get(name)


def _compiled(name: str, files: Sequence[Path], key: bytes) -> RuleSet:
    """Compile and prove the new version, as apply would. Raises ConfigError."""
    try:
        bundle = make_bundle([str(file.resolve()) for file in files], reader(Path()), key)
        return compile_set(name, bundle, key)
    except PolicyFault as fault:
        raise ConfigError(fault.errors) from None
    except (OSError, UnicodeDecodeError, EngineFailed) as error:
        raise ConfigError([f"{getattr(error, 'filename', None) or name}: {getattr(error, 'strerror', None) or error}"]) from None


def _row(told: Replay, difference: Difference, count: int, *, show_text: bool) -> dict[str, Any]:
    examples = [
        f"{said.id} to {mask(said.destination)}" + (f": {text}" if show_text else "") for said, text in told.examples[difference]
    ]
    return {
        "change": word_of(difference),
        "messages": count,
        "rule": difference.rule_now,
        "rule_before": difference.rule_before,
        "examples": "; ".join(examples),
    }


def _told(told: Replay) -> str:
    """Say how many were judged and what becomes of them by both sets."""
    ends = {
        which: ", ".join(f"{end} {told.verdicts[which, end]}" for end in ("pass", "flag", "hold", "reject"))
        for which in ("before", "now")
    }
    parts = f"; {told.incomplete} parts of texts that are not whole were not judged" if told.incomplete else ""
    return (
        f"{told.judged} texts judged, {told.differences.total()} of them otherwise{parts}\n"
        f"in force: {ends['before']}\nnew: {ends['now']}"
    )
