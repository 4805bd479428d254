from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from smsgw import __version__
from smsgw.cli import build, serve
from smsgw.config import Config
from tests.cli.gateways import Answering, answering


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Answering]:
    """A gateway that answers."""
    with answering(tmp_path, {}) as answers:
        yield answers


def test_a_ready_gateway_is_healthy(gateway: Answering):
    """Nothing missing: `ok` and exit 0; quiet says nothing."""
    told = CliRunner().invoke(build("health"), ["health", "--config", str(gateway.config)])
    assert (told.stdout, told.exit_code) == ("ok\n", 0)
    quiet = CliRunner().invoke(build("health"), ["health", "-q", "--config", str(gateway.config)])
    assert (quiet.stdout, quiet.exit_code) == ("", 0)


def test_what_is_missing_is_told(gateway: Answering):
    """A gateway that is not ready exits 1 and says what it lacks; it lives all the same."""
    gateway.missing[:] = ["database", "no link is bound"]
    told = CliRunner().invoke(build("health"), ["health", "--config", str(gateway.config)])
    assert (told.stdout, told.exit_code) == ("unavailable: database, no link is bound\n", 1)
    live = CliRunner().invoke(build("health"), ["health", "--live", "--config", str(gateway.config)])
    assert (live.stdout, live.exit_code) == ("ok\n", 0)


def test_where_nothing_answers_is_not_healthy():
    """A closed port is `unreachable` and exit 1, not a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        told = CliRunner().invoke(build("health"), ["health", "--address", address])
    assert told.exit_code == 1
    assert told.stdout.startswith(f"unreachable: {address}: ")


@pytest.mark.parametrize("listen", ["0.0.0.0:{port}", "localhost:{port}", "127.0.0.1:{port}"])
def test_a_listener_on_every_address_is_asked_on_this_machine(gateway: Answering, listen: str):
    """[admin] listen says where it listens; health asks where that can be reached."""
    port = gateway.config.read_text().rpartition(":")[2].strip('"\n')
    assert serve.asked(listen.format(port=port), "/healthz") == ("ok", [])


def test_something_else_at_the_address_is_not_healthy():
    """Another server's answer is no health."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(10)
        port = other.getsockname()[1]
        other.close()
        assert serve.asked(f"127.0.0.1:{port}", "/healthz")[0] == "unreachable"
    assert serve.asked("nonsense", "/healthz")[0] == "unreachable"


def test_versions_are_told():
    """`version` names program, schema and what it runs on; --version is one line."""
    facts = json.loads(CliRunner().invoke(build("version"), ["version", "--json"]).stdout)
    assert facts["smsgw"] == __version__
    assert facts["schema"][:4].isdigit()
    assert {"python", "uvloop", "asyncpg", "aiosmpplib"} <= facts.keys()
    assert CliRunner().invoke(build(), ["--version"]).stdout == f"smsgw {__version__}\n"
    assert f"smsgw              {__version__}" in CliRunner().invoke(build("version"), ["version"]).stdout


def test_serve_takes_the_settings_to_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The daemon gets the file's settings and the options, and its exit code is the command's."""
    path = tmp_path / "smsgw.toml"
    path.write_text("[node]\nid = 7\n")
    given: list[tuple[Config, bool]] = []

    def run(config: Config, *, unsafe: bool) -> int:
        given.append((config, unsafe))
        return 73

    monkeypatch.setattr("smsgw.process.serve", run)
    result = CliRunner().invoke(build("serve"), ["serve", "--unsafe", "--accept-clock", "--config", str(path)])
    assert result.exit_code == 73
    ((config, unsafe),) = given
    assert (config.node.id, config.node.accept_clock, unsafe) == (7, True, True)


def test_serve_with_a_bad_file_exits_78(tmp_path: Path):
    """A bad file is told and nothing is started."""
    path = tmp_path / "smsgw.toml"
    path.write_text("[nood]\nid = 7\n")
    result = CliRunner().invoke(build("serve"), ["serve", "--config", str(path)])
    assert result.exit_code == 78
    assert "nood" in result.stderr
