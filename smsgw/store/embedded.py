"""EmbeddedServer: a PostgreSQL of our own under the data directory.

Start makes it, adopts it if it runs, and brings it back after a kill -9 of it or of us: a server outlives the gateway
that was killed and the next start takes it up, only `stop` ends it. Promises durable settings, one unix socket, peer
authentication. Must never change the mode of a directory that was there before, and never touch the cluster's files but
through the server's own user.

    data_dir/                     the gateway's; entered by the server's user
      postgresql-18.6/            a copy of the programs, only if the user cannot reach the original
      postgres/                   the server user's, 0700
        data/  run/  start.log    the cluster, its socket (elsewhere if the path were over 90 octets), what a start said
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from smsgw.store.errors import DatabaseRefused, DatabaseUnavailable
from smsgw.store.processes import gone, is_zombie, lives, locked_by, processes, reaped, works_in
from smsgw.store.server_files import (
    LOCAL_FILE,
    ROLE,
    Programs,
    configuration,
    copy_programs,
    find_programs,
    host_based_authentication,
    ident_map,
    look_at,
)
from smsgw.store.server_user import ServerUser, server_user

SOCKET_DIRECTORY_OCTETS: Final = 90
"""Of the 107 that a unix socket's path may have, what is left beside the file's own name."""

_RETRY_S: Final = 60.0  # a killed server's children and its zombie may linger: a start is tried again for so long
_HOPELESS_S: Final = 5.0  # what says nothing of such remains is a mistake in the set-up
_REMAINS: Final = ("lock file", "shared memory", "starting up", "shutting down")
_SERVE: Final = 'exec "$1" -D "$2" >"$3" 2>&1'
_READY_S: Final = 600.0  # replaying the log after a crash takes its time; the server is alive and says so
_STOP_S: Final = 30.0  # a fast shutdown, then an immediate one
_ZOMBIE_S: Final = 1.0  # how long somebody may take to reap a killed server
_LOOK_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class _PidFile:
    """What postmaster.pid says: the process, and `ready`, `starting`, `stopping` or `standby`."""

    pid: int
    status: str


class EmbeddedServer:
    """One server, one data directory. Cancel `run` before `stop`, or it would start the server again.

    `programs` names a bin directory instead of the one that would be found; `settings` are added to postgresql.conf.
    """

    def __init__(self, data_dir: Path, *, programs: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
        self._data_dir = data_dir.absolute()
        self._home = self._data_dir / "postgres"
        self._cluster = self._home / "data"
        self._given = programs
        self._settings = dict(settings or {})
        self._child: int | None = None
        self._socket = self._socket_directory()

    @property
    def dsn(self) -> str:
        """Where to connect, for asyncpg and libpq."""
        return f"postgresql:///{ROLE}?host={quote(str(self._socket))}&port=5432&user={ROLE}"

    @property
    def log_directory(self) -> Path:
        """Where the server writes its log, a file for each day of the week."""
        return self._cluster / "log"

    @property
    def pid(self) -> int | None:
        """The running server's process, ours or adopted."""
        found = self._pid_file()
        return found.pid if found and self._runs(found.pid) else None

    async def start(self) -> str:
        """Make, start or adopt the server; the dsn. Raises `DatabaseRefused` (set-up) or `DatabaseUnavailable`."""
        await asyncio.to_thread(self._make_data_dir)
        with self._only_starter() as alone:
            await self._until(alone, _RETRY_S, "another process is starting the database")
            user = await asyncio.to_thread(self._prepare)
            if await self._running() and await self._serving():
                await asyncio.to_thread(self._write_files, user)
                self._signal(signal.SIGHUP)
            else:
                programs = await asyncio.to_thread(self._programs_for, user)
                await asyncio.to_thread(self._make_cluster, user, programs)
                await asyncio.to_thread(self._write_files, user)
                await self._start(user, programs)
        return self.dsn

    async def stop(self) -> None:
        """End the server and wait for it: open transactions are rolled back, nothing committed is lost."""
        for number in (signal.SIGINT, signal.SIGQUIT):
            pid = self.pid
            if pid is None:
                break
            self._signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await gone(pid)

    async def run(self) -> None:
        """Until cancelled: start the server again whenever it has died. Raises what `start` raises."""
        while True:
            pid = self.pid
            if pid is not None:
                await gone(pid)
            await self.start()

    # --- what has to be there ---------------------------------------------------------------------------------------

    def _prepare(self) -> ServerUser:
        """The server's own directories, made where they are missing, and whom they belong to."""
        owner = self._home.stat().st_uid if self._home.exists() else None
        user = server_user(owner_uid=owner)
        closed = user.first_closed(self._data_dir)
        if closed is not None:
            raise DatabaseRefused(
                f"the database runs as user {user.name}, who cannot enter {closed}, so it cannot "
                f"live in {self._data_dir}. {self._suggestion()}"
            )
        if owner is None:
            self._home.mkdir(mode=0o700)
            os.chown(self._home, user.uid, user.gid)
        elif not user.drop and owner != user.uid:
            raise DatabaseRefused(f"{self._home} belongs to user id {owner}, we are {user.name}: run as its owner or as root")
        user.make_directory(self._socket)
        entry = self._socket.lstat()
        if entry.st_uid != user.uid or entry.st_mode & 0o077:
            raise DatabaseRefused(f"{self._socket} must belong to {user.name} alone (0700): remove it")
        return user

    def _make_data_dir(self) -> None:
        """The data directory and its missing parents; only what we make gets a mode, others' stay as they are."""
        try:
            missing = [path for path in (self._data_dir, *self._data_dir.parents) if not path.exists()]
            for path in reversed(missing):
                with contextlib.suppress(FileExistsError):  # another process was first
                    path.mkdir()
                    path.chmod(0o711)
        except PermissionError as error:
            raise DatabaseRefused(f"cannot use {self._data_dir} for the database: {error}. {self._suggestion()}") from None

    def _suggestion(self) -> str:
        with contextlib.suppress(OSError):
            owner = self._data_dir.stat().st_uid
            if os.geteuid() not in {0, owner}:
                return f"It belongs to {_name_of(owner)}: run this as {' or '.join(dict.fromkeys((_name_of(owner), 'root')))}."
        best = "/var/lib/smsgw" if os.geteuid() == 0 else str(Path.home() / ".local/share/smsgw")
        return f'Set data_dir in [node] to a directory that it can enter, such as "{best}".'

    def _socket_directory(self) -> Path:
        beside = self._home / "run"
        if len(os.fsencode(beside)) <= SOCKET_DIRECTORY_OCTETS:
            return beside
        digest = hashlib.sha256(os.fsencode(self._cluster)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"smsgw-{digest}"

    def _programs_for(self, user: ServerUser) -> Programs:
        version = self._cluster / "PG_VERSION"
        major = int(version.read_text(encoding="ascii")) if version.exists() else None
        programs = look_at(self._given) if self._given else find_programs(major)
        if programs is None:
            raise DatabaseRefused(f"no PostgreSQL of version 14 or newer in {self._given}")
        return _for_user(programs, user, self._data_dir)

    def _make_cluster(self, user: ServerUser, programs: Programs) -> None:
        """Initdb beside, then renamed: a cluster that is there is whole."""
        if self._cluster.exists():
            return
        fresh = self._home / "data.new"
        user.shell('rm -rf "$1"', fresh)
        code, said = user.run(
            [
                str(programs.initdb),
                f"--pgdata={fresh}",
                f"--username={ROLE}",
                "--auth=peer",
                "--encoding=UTF8",
                "--locale=C",
                "--data-checksums",
            ]
        )
        if code:
            raise DatabaseRefused(f"initdb failed: {said}")
        user.shell('mv "$1" "$2"', fresh, self._cluster)

    def _write_files(self, user: ServerUser) -> None:
        gateway = pwd.getpwuid(os.geteuid()).pw_name
        local = (self._cluster / LOCAL_FILE).exists()
        user.write(self._cluster / "postgresql.conf", configuration(self._socket, self._settings, local=local))
        user.write(self._cluster / "pg_hba.conf", host_based_authentication())
        user.write(self._cluster / "pg_ident.conf", ident_map(user, gateway))

    # --- the process ------------------------------------------------------------------------------------------------

    async def _start(self, user: ServerUser, programs: Programs) -> None:
        """Start until it stays up: what a killed server left (its zombie, its children) may refuse us for a while."""
        log = self._home / "start.log"
        began = time.monotonic()
        while True:
            await asyncio.to_thread(self._clear_stale_locks, user)
            process = await asyncio.to_thread(
                user.start,
                ["/bin/sh", "-c", _SERVE, "sh", *map(str, (programs.postgres, self._cluster, log))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            self._child = process.pid
            process.returncode = 0  # from here on we wait for the number: the server is to outlive this object
            if await self._serving():
                break
            said = self._last_words()
            patience = _RETRY_S if any(words in said for words in _REMAINS) else _HOPELESS_S
            if time.monotonic() > began + patience:
                raise DatabaseUnavailable(f"the database does not start: {said} (see {self.log_directory})")
            await asyncio.sleep(0.1)
        await self._create_database()

    def _last_words(self) -> str:
        """Why the last start failed, as the server said it."""
        logs = [
            self._home / "start.log",
            *sorted(self.log_directory.glob("*.log"), key=lambda path: path.stat().st_mtime),
        ]
        text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in logs if path.exists())
        fatal = [line for line in text.splitlines() if "FATAL" in line]
        return fatal[-1] if fatal else text[-300:]

    async def _serving(self) -> bool:
        """Wait until the server in postmaster.pid is ready; False if it, or the child that would be it, has ended."""
        give_up = time.monotonic() + _READY_S
        while time.monotonic() < give_up:
            found = self._pid_file()
            child = self._child if self._child is not None and lives(reaped(self._child)) else None
            if found is None or (child is not None and found.pid != child):
                if child is None:
                    return False
            elif not self._runs(found.pid):
                return False
            elif found.status in {"ready", "standby"}:
                return True
            await asyncio.sleep(_LOOK_S)
        raise DatabaseUnavailable(f"the database is not ready after {_READY_S:.0f} s (see {self.log_directory})")

    async def _create_database(self) -> None:
        import asyncpg

        connection = await asyncpg.connect(self.dsn, database="postgres")
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", ROLE):
                await connection.execute(f"CREATE DATABASE {ROLE}")
        finally:
            await connection.close()

    def _pid_file(self) -> _PidFile | None:
        path = self._cluster / "postmaster.pid"
        pid = locked_by(path)
        if pid is None:
            return None
        try:
            lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            return None
        return _PidFile(pid, lines[7].strip() if len(lines) > 7 else "starting")

    def _runs(self, pid: int) -> bool:
        """Whether this process lives, is no zombie, and works in our cluster (a number may have been given again)."""
        return lives(pid) and works_in(pid, self._cluster.resolve())

    async def _running(self) -> bool:
        """Whether a server runs that is to be adopted; one that is stopping is waited for."""
        found = self._pid_file()
        if found is None or not self._runs(found.pid):
            return False
        if found.status == "stopping":
            await gone(found.pid)
            return False
        return True

    def _clear_stale_locks(self, user: ServerUser) -> None:
        """Take away the locks of a killed server that nobody reaps, once no process works in the cluster any more.

        PostgreSQL removes the locks of a dead process itself, but takes a zombie for a living one.
        """
        locks = (self._cluster / "postmaster.pid", self._socket / ".s.PGSQL.5432.lock")
        give_up = time.monotonic() + _ZOMBIE_S
        while stale := [lock for lock in locks if is_zombie(reaped(locked_by(lock)))]:
            if time.monotonic() > give_up:
                cluster = self._cluster.resolve()
                if not any(works_in(pid, cluster) for pid in processes()):
                    user.shell('rm -f "$@"', *stale)
                return
            time.sleep(_LOOK_S)

    def _signal(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @contextlib.contextmanager
    def _only_starter(self) -> Iterator[Callable[[], bool]]:
        """Gives a try for the lock that only one starting process holds."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._data_dir / "postgres.lock", flags, 0o600)
        except PermissionError as error:
            raise DatabaseRefused(f"cannot write to {self._data_dir}: {error}. {self._suggestion()}") from None

        def alone() -> bool:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        try:
            yield alone
        finally:
            os.close(descriptor)

    @staticmethod
    async def _until(true: Callable[[], bool], seconds: float, complaint: str) -> None:
        give_up = time.monotonic() + seconds
        while not true():
            if time.monotonic() > give_up:
                raise DatabaseUnavailable(complaint)
            await asyncio.sleep(_LOOK_S)


def reachable_programs(to: Path) -> Path:
    """A bin directory that the server's user can run: the one found, or a copy of it below `to`. Blocks."""
    return _for_user(find_programs(), server_user(), to).bin


def _for_user(programs: Programs, user: ServerUser, to: Path) -> Programs:
    if user.can_run(programs.postgres):
        return programs
    copied = copy_programs(programs, to)
    if not user.can_run(copied.postgres):
        raise DatabaseRefused(f"user {user.name} cannot run {programs.postgres}, nor a copy of it in {to}")
    return copied


def scratch_directory(prefix: str = "smsgw-") -> Path:
    """A new directory for temporary data that the server's user can enter and only we can fill: for demo and tests.

    Under TMPDIR if that user can enter it, else under /tmp or /var/tmp; raises `DatabaseRefused` where it can enter none. Blocks.
    """
    user = server_user()
    for parent in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108 - mkdtemp makes the name
        if parent.is_dir() and user.first_closed(parent) is None:
            path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            path.chmod(0o711)
            return path
    raise DatabaseRefused(f"no directory for temporary data that user {user.name} can enter: set TMPDIR to one")


def remove_scratch(directory: Path) -> None:
    """Take a scratch directory away, with the socket directory that its server may have had elsewhere. Blocks."""
    shutil.rmtree(EmbeddedServer(directory)._socket, ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"
