from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

from smsgw.cli.statement import write
from smsgw.store.database import connect
from tests.cli.commands import EXAMPLE, Command
from tests.store.work import FORGING


@pytest.fixture
def command(tmp_path: Path, database: str) -> Command:
    """The command line on a database where acme was opened in October 2025."""
    command = Command(tmp_path, database)
    assert command.apply(text=EXAMPLE).exit_code == 0

    async def age() -> None:
        connection = await connect(database)
        await connection.execute(f"{FORGING} UPDATE ledger SET at = '2025-10-05T00:00:00Z', day = 20366")
        await connection.close()

    asyncio.run(age())
    return command


def test_a_cycle_is_closed_and_written(command: Command, tmp_path: Path):
    """Files in the forms asked for, their hashes on standard output; asked for again they are the same."""
    for _ in range(2):
        out = tmp_path / "out"
        formats = ("--format", "csv", "--format", "xlsx", "--format", "pdf", "--detail")
        told = command("statement", "acme", "--cycle", "2025-10", *formats, "--out", str(out), "--json")
        assert told.exit_code == 0, told.stderr
        rows = json.loads(told.stdout)
        assert [Path(row["file"]).name for row in rows] == [
            "acme-2025-10.csv",
            "acme-2025-10.xlsx",
            "acme-2025-10.pdf",
            "acme-2025-10-detail.csv",
        ]
        assert all(hashlib.sha256(Path(row["file"]).read_bytes()).hexdigest() == row["sha256"] for row in rows)
        assert all(row in rows for row in json.loads(told.stdout))
    assert "1000.00" in (out / "acme-2025-10.csv").read_text(encoding="utf-8-sig")


def test_a_draft_is_called_one(command: Command, tmp_path: Path):
    """--dry-run writes a draft of a cycle that goes on, and closes nothing."""
    told = command("statement", "acme", "--cycle", "2026-11", "--dry-run", "--out", str(tmp_path))
    assert told.exit_code == 0, told.stderr
    assert "Draft" in (tmp_path / "acme-2026-11-draft.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nobody", "--cycle", "2025-10"), 3, "no tenant"),
        (("acme", "--cycle", "2999-01"), 4, "nothing was closed: cycle 2099-01 may be closed from"),
        (("acme", "--cycle", "October"), 2, "no cycle"),
        (("acme", "--cycle", "2025-10", "--format", "doc"), 2, "csv, xlsx, pdf"),
        (("bob", "--cycle", "2025-10", "--partner"), 3, "no tenant"),
        (("bob", "--cycle", "2025-10", "--partner", "--detail"), 2, "--partner"),
    ],
)
def test_what_cannot_be_closed_exits_with_why(command: Command, arguments: tuple[str, ...], code: int, said: str):
    """Not found 3, not yet 4, wrongly asked 2: each with a reason."""
    told = command("statement", *(argument.replace("2999", "2099") for argument in arguments))
    assert (told.exit_code, said in told.stderr) == (code, True), told.stderr


def test_books_that_do_not_reconcile_exit_1(command: Command, database: str, tmp_path: Path):
    """The difference is named, a line for each, and no file is written."""

    async def spoil() -> None:
        connection = await connect(database)
        await connection.execute("UPDATE balance SET amount = amount - 7")
        await connection.close()

    asyncio.run(spoil())
    told = command("statement", "acme", "--cycle", "2025-10", "--out", str(tmp_path / "none"))
    assert (told.exit_code, "the balance is 999999993" in told.stderr) == (1, True)
    assert not (tmp_path / "none").exists()


def test_a_file_is_written_whole(tmp_path: Path):
    """It takes the place of the one before at once; nothing half is left beside it."""
    (tmp_path / "a.csv").write_text("before")
    assert write(tmp_path, "a.csv", b"after")["octets"] == 5
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_bytes() == b"after"


def test_the_form_of_a_cycle_is_the_contracts(command: Command, tmp_path: Path):
    """A contract by the week takes weeks, and says so for a month; a start day that no week has is refused."""
    assert command("tenant", "set", "acme", "cycle=week", "cycle_start_day=3", "--reason", "x").exit_code == 0
    told = command("statement", "acme", "--cycle", "2025-10", "--out", str(tmp_path))
    assert (told.exit_code, "such as 2026-W47" in told.stderr) == (2, True)
    told = command("statement", "acme", "--cycle", "2025-W41", "--out", str(tmp_path), "--json")
    assert told.exit_code == 0, told.stderr
    assert (tmp_path / "acme-2025-W41.csv").exists()
    told = command("tenant", "set", "acme", "cycle_start_day=8", "--reason", "x")
    assert (told.exit_code, "1 (Monday) to 7" in told.stderr) == (2, True)
    wrong = EXAMPLE.replace("#cycle_start_day = 1 ", 'cycle = "week"\ncycle_start_day = 8 ')
    told = command.apply("--dry-run", text=wrong)
    assert (told.exit_code != 0, "1 (Monday) to 7" in told.stderr) == (True, True)
