"""What the commands on the store share."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import typer

from smsgw.admin.books import NoSuchTenant, Refused
from smsgw.admin.standing import NotAllowed, NotFound
from smsgw.cli import stored
from smsgw.config import parse
from smsgw.store.database import Connection, connect
from smsgw.store.embedded import EmbeddedServer


def test_moments_are_written_in_one_way_everywhere():
    """How long ago, a day, or a time with its offset (UTC without one); anything else ends the command with 2."""
    assert datetime.now(UTC) - stored.moment("12h", "--since") - timedelta(hours=12) < timedelta(minutes=1)
    assert stored.moment("2026-12-31", "--since") == datetime(2026, 12, 31, tzinfo=UTC)
    assert stored.moment("2026-12-31T18:00+08:00", "--since") == datetime(2026, 12, 31, 10, tzinfo=UTC)
    for wrong in ("2h ago", "yesterday", "", "12"):
        with pytest.raises(typer.Exit) as ended:
            stored.moment(wrong, "--since")
        assert ended.value.exit_code == 2


def test_spans_and_days():
    """30m and 7d are spans, 2026-12-31 is a day, none is none; anything else ends the command with 2."""
    assert stored.span("30m", "--for") == timedelta(minutes=30)
    assert stored.span("7d", "--for") == timedelta(days=7)
    assert (stored.day("2026-12-31", "--ends"), stored.day("none", "--ends")) == (date(2026, 12, 31), None)
    assert stored.until("") is None
    for wrong in (lambda: stored.span("7 days", "--for"), lambda: stored.day("31.12.", "--ends"), lambda: stored.who("smsgw")):
        with pytest.raises(typer.Exit) as ended:
            wrong()
        assert ended.value.exit_code == 2


def test_rows_go_out_in_the_form_that_was_asked_for(capsys: pytest.CaptureFixture[str]):
    """JSON, CSV or columns; moments in UTC; without rows only standard error says something."""
    rows = [{"at": datetime(2026, 1, 1, tzinfo=UTC), "day": date(2026, 1, 2)}]
    stored.show(rows, "rows", json=True)
    stored.show(rows, "rows", json=False, csv=True)
    stored.show(rows, "rows", json=False)
    assert capsys.readouterr().out.splitlines() == [
        '[{"at": "2026-01-01T00:00:00Z", "day": "2026-01-02"}]',
        "at,day",
        "2026-01-01T00:00:00Z,2026-01-02",
        "at                    day",
        "2026-01-01T00:00:00Z  2026-01-02",
    ]
    stored.show([], "rows", json=True)
    stored.show([], "rows", json=False)
    assert capsys.readouterr() == ("[]\n", "no rows\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [(NotFound("who"), 3), (NoSuchTenant("who"), 3), (NotAllowed("no way"), 4), (Refused("no"), 4), (ValueError("what"), 2)],
    ids=["found", "tenant", "allowed", "booked", "value"],
)
def test_what_goes_wrong_has_its_code(database: str, tmp_path: Path, error: Exception, code: int):
    """Errors of the admin room end the command with the code of the handbook."""
    config = tmp_path / "smsgw.toml"
    config.write_text(f'[node]\ndata_dir = "{tmp_path}"\n[database]\ndsn = "{database}"\n', encoding="utf-8")

    async def fails(_connection: Connection) -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        stored.ask(config, fails)
    assert ended.value.exit_code == code


async def test_a_gateway_that_came_meanwhile_keeps_the_server(scratch: Path):
    """The server that apply has started is left to whoever uses it by then."""
    server = EmbeddedServer(scratch)
    config = parse(f'[node]\ndata_dir = "{scratch}"\n')
    async with stored.opened(config):
        gateway = await connect(server.dsn, name="smsgw start")
    try:
        assert await gateway.fetchval("SELECT 1") == 1
        assert server.pid is not None
    finally:
        await gateway.close()
        await server.stop()
