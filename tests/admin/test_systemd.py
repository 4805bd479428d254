from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from smsgw.admin.systemd import listening_sockets, notify, watchdog_s


def test_what_is_told_arrives(tmp_path: Path):
    """Each notification is one datagram with a line for each word."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        assert notify("READY=1", "STATUS=2 links bound", environ={"NOTIFY_SOCKET": path})
        assert systemd.recv(1000) == b"READY=1\nSTATUS=2 links bound"
        assert notify("WATCHDOG=1", environ={"NOTIFY_SOCKET": path})
        assert systemd.recv(1000) == b"WATCHDOG=1"


def test_an_abstract_address_is_understood():
    """A NOTIFY_SOCKET that begins with @ lives outside the file system."""
    name = f"smsgw-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name}")
        assert notify("STOPPING=1", environ={"NOTIFY_SOCKET": f"@{name}"})
        assert systemd.recv(1000) == b"STOPPING=1"


def test_without_systemd_nothing_happens(tmp_path: Path):
    """No address, a strange one and one where nobody listens are no error."""
    assert not notify("READY=1", environ={})
    assert not notify("READY=1", environ={"NOTIFY_SOCKET": "vsock:2:1"})
    assert not notify("READY=1", environ={"NOTIFY_SOCKET": str(tmp_path / "gone")})


def test_a_full_socket_does_not_hold_the_gateway(tmp_path: Path):
    """Where systemd does not read, a notification is lost instead of waited for."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        told = [notify("WATCHDOG=1", environ={"NOTIFY_SOCKET": path}) for _ in range(10_000)]
    assert told[0]
    assert not told[-1]


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "500000"}, 0.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_watchdog_is_for_one_process(environ: dict[str, str], seconds: float):
    """The time between two signs of life is this process's only when its pid is the one that was meant."""
    assert watchdog_s(environ, pid=7) == seconds


ADOPTING = """
import os, sys
from smsgw.admin.systemd import listening_sockets
os.environ["LISTEN_PID"] = str(os.getpid())
found = listening_sockets()
print(sorted((name, s.getsockname()[1], s.get_inheritable()) for name, s in found.items()))
print([key for key in os.environ if key.startswith("LISTEN_")])
"""


def test_listening_sockets_are_adopted_by_name():
    """A process that systemd starts with sockets takes each under its name, and leaves nothing of it to its children."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [listener.getsockname()[1] for listener in listeners]
    numbers = [os.dup(listener.fileno()) for listener in listeners]
    command = f"exec 3<&{numbers[0]} 4<&{numbers[1]}; exec {sys.executable} -c '{ADOPTING}'"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        check=True,
        pass_fds=numbers,
        env={"LISTEN_FDS": "2", "LISTEN_FDNAMES": "smpp:smpp", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    for number in numbers:
        os.close(number)
    for listener in listeners:
        listener.close()
    assert done.stdout.splitlines() == [f"[('smpp', {ports[0]}, False), ('smpp.2', {ports[1]}, False)]", "[]"]


def test_sockets_meant_for_another_process_are_left_alone():
    """LISTEN_PID of somebody else, no sockets or a strange count give none."""
    assert listening_sockets({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, pid=7) == {}
    assert listening_sockets({"LISTEN_PID": "7", "LISTEN_FDS": "many"}, pid=7) == {}
    assert listening_sockets({}) == {}


def test_what_does_not_listen_is_not_adopted(tmp_path: Path):
    """A file, a datagram socket and a stream that does not listen stay open and untouched."""
    with (tmp_path / "file").open("w") as file, socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        for one in (file, stream, datagram):
            environ = {"LISTEN_PID": "7", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smpp"}
            assert listening_sockets(environ, pid=7, first=one.fileno()) == {}
            os.fstat(one.fileno())
