from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from smsgw import config
from smsgw.cli import build, show
from tests.cli.gateways import Answering, answering

LINKS: list[dict[str, Any]] = [
    {"link": "alpha-1", "state": "bound", "sent": 12},
    {"link": "beta-1", "state": "down", "sent": 3},
]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    """A gateway that shows links, and queues that are empty."""
    with answering(tmp_path_factory.mktemp("gw"), {"links": lambda: LINKS, "queues": list}) as answers:
        yield answers


def asked(gateway: Answering, *arguments: str) -> Result:
    """Run `smsgw show …` against it."""
    return CliRunner().invoke(build("show"), ["show", *arguments, "--config", str(gateway.config)])


def test_rows_are_aligned_in_a_pipe(gateway: Answering):
    """Without a terminal the answer is plain columns."""
    result = asked(gateway, "links")
    assert result.stdout.splitlines() == ["link     state  sent", "alpha-1  bound    12", "beta-1   down      3"]
    assert result.exit_code == 0


def test_rows_as_json_and_csv(gateway: Answering):
    """--json and --csv are for programs; --columns chooses."""
    assert json.loads(asked(gateway, "links", "--json").stdout) == LINKS
    assert asked(gateway, "links", "--csv", "--columns", "sent,link").stdout == "sent,link\n12,alpha-1\n3,beta-1\n"


def test_nothing_to_show_is_no_failure(gateway: Answering):
    """An empty answer is said on standard error; JSON is an empty list."""
    result = asked(gateway, "queues")
    assert (result.stdout, result.stderr, result.exit_code) == ("", "no queues\n", 0)
    assert json.loads(asked(gateway, "queues", "--json").stdout) == []


def test_an_unknown_word_is_not_found(gateway: Answering):
    """What is not there exits 3 and names what is."""
    result = asked(gateway, "bindz")
    assert result.exit_code == 3
    assert "known: config, links" in result.stderr


def test_an_unknown_column_is_a_usage_error(gateway: Answering):
    """A column that is not there exits 2 and names those that are."""
    result = asked(gateway, "links", "--columns", "nope")
    assert result.exit_code == 2
    assert "link, state, sent" in result.stderr


def test_no_gateway_is_a_failure_with_a_reason(tmp_path: Path):
    """Where nothing runs, the exit code is 1 and the reason names the socket."""
    path = tmp_path / "smsgw.toml"
    path.write_text(f'[node]\ndata_dir = "{tmp_path}"\n')
    result = CliRunner().invoke(build("show"), ["show", "links", "--config", str(path)])
    assert result.exit_code == 1
    assert str(tmp_path / "admin.sock") in result.stderr


def test_settings_are_shown_without_a_gateway(tmp_path: Path):
    """`show config` reads the file: what is set, every default, no password."""
    path = tmp_path / "smsgw.toml"
    path.write_text('[database]\ndsn = "postgresql://gw:hunter2x@db/smsgw"\n[notices]\nwebhook_secret = "hunter2x"\n')
    result = CliRunner().invoke(build("show"), ["show", "config", "--json", "--config", str(path)])
    shown = {row["setting"]: row["value"] for row in json.loads(result.stdout)}
    assert shown["database.dsn"] == "postgresql://gw:***@db/smsgw"
    assert shown["smpp.enquire_link_s"] == config.Smpp().enquire_link_s
    assert "hunter2x" not in result.stdout


def test_watching_asks_again_until_it_is_stopped(gateway: Answering, monkeypatch: pytest.MonkeyPatch):
    """--watch prints answer after answer at its pace; Ctrl-C ends it with 0."""
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(show.time, "sleep", wait)
    result = asked(gateway, "links", "--watch", "0.5", "--columns", "link")
    assert result.exit_code == 0
    assert result.stdout.count("alpha-1") == 3
    assert waits == [0.5] * 3
