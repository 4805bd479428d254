"""The user that an embedded PostgreSQL runs as, and what that user can reach.

PostgreSQL refuses to run as root. So root hands its server to an unprivileged user; anybody else runs it himself.
Promises that every file below the server's directory is made by that user, so that root never writes through a path
that somebody else controls. Must never change the mode of a directory that was there before.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from smsgw.store.errors import DatabaseRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CANDIDATES: Final = ("smsgw", "postgres", "nobody")
"""Whom root runs the server as: the first of these that exists."""

_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}

# In a directory that can be entered, everything below may be looked up: that is all a server needs of its parents.
_FIRST_CLOSED: Final = 'for d; do cd "$d" 2>/dev/null || { printf %s "$d"; exit 1; }; done'
_REPLACE_FILE: Final = 'cat >"$1.new" && mv -f "$1.new" "$1"'


@dataclass(frozen=True, slots=True)
class ServerUser:
    """A system user. `drop` says that we are root and every process has to become that user first."""

    name: str
    uid: int
    gid: int
    drop: bool

    def start(
        self, argv: Sequence[str], *, stdin: int, stdout: int, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start `argv` as this user in `/`, in a session of its own, with none of our environment but what is given."""
        environment = {**_ENVIRONMENT, **(environment or {})}
        if self.drop:
            return subprocess.Popen(  # noqa: S603 - our own argument lists, no shell text from outside
                argv,
                cwd="/",
                env=environment,
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.STDOUT,
                umask=0o077,
                start_new_session=True,
                user=self.uid,
                group=self.gid,
                extra_groups=[],
            )
        return subprocess.Popen(  # noqa: S603 - see above
            argv,
            cwd="/",
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            umask=0o077,
            start_new_session=True,
        )

    def run(
        self,
        argv: Sequence[str],
        *,
        given: bytes = b"",
        timeout_s: float = 120.0,
        environment: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """Run `argv` to its end; returns its exit code and all it said. Blocks: call it off the loop."""
        try:
            process = self.start(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, environment=environment)
        except OSError as error:
            return 126, str(error)
        with process:
            try:
                said, _ = process.communicate(given, timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return process.returncode, said.decode(errors="replace").strip()

    def shell(self, script: str, *arguments: str | Path, given: bytes = b"") -> str:
        """Run a line of shell as this user; what it says, or `DatabaseRefused` with it if it fails."""
        code, said = self.run(["/bin/sh", "-c", script, "sh", *map(str, arguments)], given=given)
        if code:
            raise DatabaseRefused(f"as user {self.name}: {said or script}")
        return said

    def make_directory(self, path: Path) -> None:
        """Make `path` for this user alone (0700), if it is not there."""
        self.shell('test -d "$1" || mkdir -m 700 "$1"', path)

    def write(self, path: Path, text: str) -> None:
        """Replace the file in one step, mode 0600."""
        self.shell(_REPLACE_FILE, path, given=text.encode())

    def first_closed(self, directory: Path) -> Path | None:
        """The first of `directory` and its parents, from the top, that this user cannot enter; None if he can."""
        chain = [str(parent) for parent in (*reversed(directory.parents), directory)]
        code, said = self.run(["/bin/sh", "-c", _FIRST_CLOSED, "sh", *chain])
        return Path(said) if code else None

    def can_run(self, program: Path) -> bool:
        """Whether `program --version` runs as this user."""
        return self.run([str(program), "--version"])[0] == 0


def server_user(*, owner_uid: int | None = None) -> ServerUser:
    """Who runs the server: ourselves, or as root the owner of existing data, else the first candidate that exists.

    `owner_uid` is the owner of the data directory if there is one. Raises `DatabaseRefused` if there is nobody.
    """
    uid = os.geteuid()
    if uid:
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            raise DatabaseRefused(
                f"user id {uid} has no name: PostgreSQL's peer authentication needs one; add it to /etc/passwd"
            ) from None
        return ServerUser(entry.pw_name, uid, os.getegid(), drop=False)
    if owner_uid:
        try:
            entry = pwd.getpwuid(owner_uid)
        except KeyError:
            raise DatabaseRefused(f"the database belongs to user id {owner_uid}, which has no name here") from None
        return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid, drop=True)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid:
            return ServerUser(name, entry.pw_uid, entry.pw_gid, drop=True)
    raise DatabaseRefused(f"PostgreSQL does not run as root and none of {', '.join(CANDIDATES)} exists: useradd -r smsgw")
