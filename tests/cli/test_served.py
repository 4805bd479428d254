"""`smsgw serve` as systemd runs it: it says when it is ready, other processes ask it, and its exit code means something."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SMSGW = [sys.executable, "-m", "smsgw"]
WAIT_S = 30


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(directory: Path, dsn: str, *, smpp: int = 0) -> Path:
    """A file for a gateway in `directory`; nothing is provisioned."""
    path = directory / "smsgw.toml"
    path.write_text(
        f"""
[node]
data_dir = "{directory}"
[database]
dsn = "{dsn}"
[smpp]
listen = ["127.0.0.1:{smpp}"]
[admin]
listen = "127.0.0.1:{free_port()}"
[log]
records = "{directory}/records.jsonl"
"""
    )
    return path


class Supervisor:
    """What systemd is to a gateway: the socket that it tells its state to."""

    def __init__(self, path: Path) -> None:
        """Listen on `path`."""
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(WAIT_S)

    def hear(self, word: str) -> str:
        """Wait for a state that has this word. Raises TimeoutError."""
        while True:
            told = self.socket.recv(4096).decode()
            if word in told:
                return told


@contextmanager
def served(config: Path, directory: Path) -> Iterator[tuple[subprocess.Popen[str], Supervisor]]:
    """Start `smsgw serve`; killed at the end if it has not ended."""
    supervisor = Supervisor(directory / "notify")
    process = subprocess.Popen(
        [*SMSGW, "serve", "--config", str(config)],
        env={**os.environ, "NOTIFY_SOCKET": str(supervisor.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, supervisor
    finally:
        process.kill()
        process.communicate()
        supervisor.socket.close()


def run(*arguments: str, config: Path) -> subprocess.CompletedProcess[str]:
    """Another process of the command line."""
    return subprocess.run(
        [*SMSGW, *arguments, "--config", str(config)], capture_output=True, text=True, timeout=WAIT_S, check=False
    )


def test_a_gateway_says_when_it_is_ready_answers_and_drains(tmp_path: Path, database: str):
    """READY=1 comes when it can be asked; health and show answer from other processes; SIGTERM drains it and ends with 0."""
    config = settings(tmp_path, database)
    with served(config, tmp_path) as (process, supervisor):
        supervisor.hear("READY=1")
        health = run("health", config=config)
        assert (health.stdout, health.returncode) == ("ok\n", 0)
        stats = run("show", "stats", "--json", config=config)
        assert {row["what"] for row in json.loads(stats.stdout)} >= {"cycles", "in doubt"}
        assert run("show", "binds", config=config).stderr == "no binds\n"
        supervisor.hear("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        supervisor.hear("STOPPING=1")
        out, err = process.communicate(timeout=WAIT_S)
        assert process.returncode == 0, err
    events = [json.loads(line)["event"] for line in err.splitlines()]
    assert events.index("ready") < events.index("drained")
    assert out == ""
    assert run("show", "stats", config=config).returncode == 1
    assert not (tmp_path / "admin.sock").exists()


def test_a_port_that_is_taken_exits_73(tmp_path: Path, database: str):
    """Who cannot have its address says which, and ends with EX_CANTCREAT."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other_port = other.getsockname()[1]
        config = settings(tmp_path, database, smpp=other_port)
        done = run("serve", config=config)
    assert done.returncode == 73
    assert "cannot_serve" in done.stderr
    assert f"smpp.listen: 127.0.0.1:{other_port} is taken: another program listens there" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_database_exits_69(tmp_path: Path):
    """Without its database it ends with EX_UNAVAILABLE, so that systemd tries again."""
    done = run("serve", config=settings(tmp_path, f"postgresql://smsgw@127.0.0.1:{free_port()}/smsgw"))
    assert done.returncode == 69
    assert "cannot_serve" in done.stderr


@pytest.mark.parametrize("arguments", [["serve", "--nonsense"], ["serve", "one", "two"]])
def test_a_wrong_command_line_exits_64(arguments: list[str]):
    """systemd does not start a gateway again that was called wrongly."""
    done = subprocess.run([*SMSGW, *arguments], capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 64
