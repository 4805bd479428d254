from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from smsgw.store.errors import DatabaseRefused
from smsgw.store.server_user import CANDIDATES, server_user

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
not_root = pytest.mark.skipif(os.geteuid() == 0, reason="root can enter any directory")


def test_never_root():
    """The server's user is never root: PostgreSQL would refuse."""
    assert server_user().uid != 0


@as_root
def test_root_hands_the_server_to_the_first_candidate_there_is():
    """As root the server runs as the first of the candidates that exists on this machine."""
    there = {entry.pw_name for entry in pwd.getpwall()}
    assert server_user().name == next(name for name in CANDIDATES if name in there)


@as_root
def test_existing_data_decide_who_runs_the_server():
    """Data that belong to somebody are served by him, whoever would come first today."""
    nobody = pwd.getpwnam("nobody")
    assert server_user(owner_uid=nobody.pw_uid).name == "nobody"
    with pytest.raises(DatabaseRefused, match="4000000"):
        server_user(owner_uid=4_000_000)


def test_runs_commands_as_the_user_with_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch):
    """A command runs under the user's id, in `/`, without our variables, and its output and code come back."""
    monkeypatch.setenv("PGPASSWORD", "secret")
    user = server_user()
    code, said = user.run(["/bin/sh", "-c", "id -u; pwd; echo ${PGPASSWORD-none}; exit 3"])
    assert (code, said.split()) == (3, [str(user.uid), "/", "none"])


def test_writes_files_as_the_user_for_the_user_alone(scratch: Path):
    """A file is replaced in one step, belongs to the server's user and is closed to others."""
    user = server_user()
    home = scratch / "home"
    home.mkdir(0o700)
    os.chown(home, user.uid, user.gid)
    for text in ("one\n", "two's\n"):
        user.write(home / "file", text)
    assert (home / "file").read_text() == "two's\n"
    assert (home / "file").stat().st_mode & 0o777 == 0o600
    assert (home / "file").stat().st_uid == user.uid
    assert list(home.iterdir()) == [home / "file"]


def test_a_failing_shell_line_says_why(scratch: Path):
    """What the shell complained about is in the error, with the user's name."""
    with pytest.raises(DatabaseRefused, match="nowhere"):
        server_user().shell('ls "$1"', scratch / "nowhere")


@as_root
def test_names_the_first_parent_that_is_closed(scratch: Path):
    """The directory nearest to the root that the user cannot enter is named, and no mode is changed by asking."""
    closed = scratch / "a" / "closed"
    (closed / "b" / "c").mkdir(parents=True)
    closed.chmod(0o700)
    assert server_user().first_closed(closed / "b" / "c") == closed
    assert server_user().first_closed(scratch / "a") is None
    assert closed.stat().st_mode & 0o777 == 0o700


@not_root
def test_names_a_parent_that_is_closed_to_ourselves(scratch: Path):
    """Also an ordinary user is told which directory stands in the way."""
    (scratch / "closed").mkdir(0o600)
    assert server_user().first_closed(scratch / "closed") == scratch / "closed"


def test_can_run_tells_what_is_out_of_reach(scratch: Path):
    """A program that is missing or closed to the user cannot run."""
    assert server_user().can_run(Path("/bin/ls"))
    assert not server_user().can_run(scratch / "missing")
