"""systemd, spoken by hand: what we tell it (sd_notify(3)) and the listening sockets that it hands over (sd_listen_fds(3)).

Without systemd both do nothing. The environment's words are read here and nowhere else; what was handed over is taken out of it, so
that the database server we start does not take it for its own.

Must never: block (a datagram that finds no room is lost), or fail the gateway because systemd cannot be reached.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping, MutableMapping
from typing import Final

FIRST_DESCRIPTOR: Final = 3


def notify(*lines: str, environ: Mapping[str, str] | None = None) -> bool:
    """Send READY=1, STATUS=…, WATCHDOG=1, STOPPING=1, EXTEND_TIMEOUT_USEC=…; tells whether systemd was there to hear it."""
    address = (os.environ if environ is None else environ).get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    target = address.encode() if address[0] == "/" else b"\0" + address[1:].encode()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), target)
    except OSError:
        return False
    return True


def watchdog_s(environ: Mapping[str, str] | None = None, *, pid: int = 0) -> float:
    """How many seconds may lie between two WATCHDOG=1 before systemd kills us; 0.0 when it does not watch this process."""
    env = os.environ if environ is None else environ
    if env.get("WATCHDOG_PID", str(pid or os.getpid())) != str(pid or os.getpid()):
        return 0.0
    usec = env.get("WATCHDOG_USEC", "")
    return int(usec) / 1e6 if usec.isdigit() else 0.0


def listening_sockets(
    environ: MutableMapping[str, str] | None = None, *, pid: int = 0, first: int = FIRST_DESCRIPTOR
) -> dict[str, socket.socket]:
    """Adopt what systemd listens on for us, by its FileDescriptorName; {} without.

    Sockets that share a name are numbered: smpp, smpp.2, smpp.3. Descriptors that are no listening stream sockets stay untouched.
    """
    env = os.environ if environ is None else environ
    for_pid, count, names = (env.pop(key, "") for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if for_pid != str(pid or os.getpid()) or not count.isdigit():
        return {}
    given = names.split(":") if names else []
    adopted: dict[str, socket.socket] = {}
    for index in range(int(count)):
        name = (given[index] if index < len(given) else "") or "unknown"
        taken = _adopt(first + index)
        if taken is not None:
            same = sum(key.partition(".")[0] == name for key in adopted)
            adopted[f"{name}.{same + 1}" if same else name] = taken
    return adopted


def _adopt(descriptor: int) -> socket.socket | None:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return None
        taken = socket.socket(fileno=descriptor)
    except OSError:
        return None
    if taken.type != socket.SOCK_STREAM or not taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        taken.detach()
        return None
    taken.set_inheritable(False)
    taken.setblocking(False)
    return taken
