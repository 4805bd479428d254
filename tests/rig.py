"""A gateway to test against: provisioned, in this process or as a process of its own, between simulated ends.

`GatewayProcess` is what the crash tests kill; `running` is a daemon in the test's own loop, for journeys.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from smsgw import config as settings
from smsgw.admin.provisioning import apply
from smsgw.admin.provisioning_file import parse_provisioning
from smsgw.admin.sealing import load_key
from smsgw.daemon import Daemon
from smsgw.store.database import connect

PROCESS = """
import sys
from smsgw import config
from smsgw.process import serve
sys.exit(serve(config.load(sys.argv[1])))
"""

ACCOUNTS = """
[[tenant]]
name = "acme"
currency = "CNY"
balance = "1000000.00"
{tenant}

[[account]]
tenant = "acme"
system_id = "acme1"
password = "secret"
max_binds = 1000
window = 1000
{account}

[[number]]
number = "10690001"
account = "acme1"

[[price]]
tenant = "acme"
prefix = ""
price = "0.038"

[[carrier]]
name = "alpha"
"""

PROVISIONED = "tenant, account, secret, number, carrier, link, route, price, policy, balance, ledger"
"""The tables that a provisioning fills: plans are made with what is known of them. Of the other 500 nothing new is known."""

LINK = """
[[link]]
carrier = "alpha"
name = "{name}"
host = "127.0.0.1"
port = {port}
system_id = "gw"
password = "gw"
window = 500
reconnect_min_s = 0.1
reconnect_max_s = 0.5
{link}
"""


def provisioning(*ports: int, tenant: str = "", account: str = "", link: str = "") -> str:
    """Return a provisioning file with one account and a link to each of these ports, in one route."""
    names = [f"alpha-{number}" for number, _ in enumerate(ports, 1)]
    links = "".join(LINK.format(name=name, port=port, link=link) for name, port in zip(names, ports, strict=True))
    route = f'[[route]]\nprefix = ""\nlinks = {names!r}\n'.replace("'", '"')
    return ACCOUNTS.format(tenant=tenant, account=account) + links + route


async def provision(dsn: str, data_dir: Path, text: str, filename: str = "provisioning.toml") -> None:
    """Apply a provisioning file to a database; the files that it names lie beside `filename`."""
    connection = await connect(dsn)
    try:
        plan = await apply(connection, parse_provisioning(text, filename), actor="test", seal=load_key(data_dir))
        assert not plan.conflicts, plan.conflicts
        await connection.execute(f"ANALYZE {PROVISIONED}")
    finally:
        await connection.close()


def process_settings(
    dsn: str,
    data_dir: Path,
    *,
    node: int = 1,
    port: int = 0,
    messages: str = "none",
    records: Path | str = "",
    more: str = "",
) -> str:
    """Return a smsgw.toml for a gateway on loopback; port 0 lets the system choose.

    `messages`: which record lines it writes; `records`: the file they go to, not given: standard output.
    """
    written = f'\nrecords = "{records}"' if records else ""
    return f"""
[node]
id = {node}
data_dir = "{data_dir}"
takeover_s = 3.0
[database]
dsn = "{dsn}"
[smpp]
listen = ["127.0.0.1:{port}"]
[admin]
listen = "127.0.0.1:0"
[log]
messages = "{messages}"{written}
{more}
"""


@contextlib.asynccontextmanager
async def running(dsn: str, text: str, *, node: int = 1, more: str = "") -> AsyncIterator[Daemon]:
    """Run a provisioned daemon in this loop; drained at the end."""
    with tempfile.TemporaryDirectory(prefix="smsgw-rig-") as directory:
        data_dir = Path(directory)
        await provision(dsn, data_dir, text)
        daemon = Daemon(settings.parse(process_settings(dsn, data_dir, node=node, more=more)))
        ready, stop = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(daemon.run(ready=ready, stop=stop))
            await ready.wait()
            try:
                yield daemon
            finally:
                stop.set()


async def _hear(told: socket.socket, word: bytes) -> None:
    """Wait until a process says this word among others."""
    while word not in await asyncio.get_running_loop().sock_recv(told, 4_096):
        pass


class GatewayProcess:
    """A gateway as a process: started, killed, started again on the same port."""

    def __init__(self, dsn: str, data_dir: Path, *, node: int = 1, port: int = 0, messages: str = "none", more: str = "") -> None:
        """Write its settings; nothing runs yet. Each node has a directory of its own below `data_dir`, with the one key."""
        key = load_key(data_dir)
        shared, data_dir = data_dir, data_dir / f"node-{node}"
        data_dir.mkdir(parents=True, exist_ok=True)
        for file in shared.iterdir():
            if file.is_file():
                shutil.copy2(file, data_dir / file.name)
        assert load_key(data_dir).same(key.seal("x"), "x")
        self.node = node
        self.port = port
        self.config = data_dir / f"smsgw-{node}.toml"
        self._text = {"dsn": dsn, "data_dir": data_dir, "node": node, "messages": messages, "more": more}
        self.log = data_dir / f"gateway-{node}.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    async def start(self, *, crash_point: str = "", timeout_s: float = 60.0) -> None:
        """Start it and wait until it says, as to systemd, that it is ready. Raises TimeoutError, RuntimeError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.setblocking(False)
            told.bind("")  # an abstract address that the system chooses
            at = await self.launch(crash_point=crash_point, notify=f"@{told.getsockname()[1:].decode()}")
            async with asyncio.timeout(timeout_s):
                if not await self._is_ready(told):
                    raise RuntimeError(f"the gateway ended: {self.log.read_text(encoding='utf-8')[-2000:]}")
        with self.log.open("rb") as log:
            log.seek(at)
            found = re.search(rb'"event":"listening"[^\n]*"port":(\d+)', log.read())
        assert found is not None
        self.port = int(found[1])

    async def _is_ready(self, told: socket.socket) -> bool:
        """Wait for READY=1; False when the process ends before it."""
        assert self._process is not None
        async with asyncio.TaskGroup() as group:
            ended, ready = group.create_task(self._process.wait()), group.create_task(_hear(told, b"READY=1"))
            await asyncio.wait([ended, ready], return_when=asyncio.FIRST_COMPLETED)
            there = ready.done()
            ended.cancel()
            ready.cancel()
        return there

    async def launch(self, *, crash_point: str = "", notify: str = "") -> int:
        """Start it and do not wait; `notify`: the socket that it tells how it is. Returns where its words begin in the log."""
        self.config.write_text(process_settings(port=self.port, **self._text), encoding="utf-8")  # type: ignore[arg-type]
        at = self.log.stat().st_size if self.log.exists() else 0
        environment = {**os.environ, "SMSGW_CRASH_POINT": crash_point, "NOTIFY_SOCKET": notify}
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", PROCESS, str(self.config), stdout=log, stderr=log, env=environment
            )
        return at

    async def kill(self) -> None:
        """kill -9."""
        if self.alive:
            assert self._process is not None
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    def pause(self, *, on: bool) -> None:
        """SIGSTOP, or SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    async def ended(self, timeout_s: float = 60.0) -> int:
        """Wait until it has ended by itself; returns its exit code. Raises TimeoutError."""
        assert self._process is not None
        async with asyncio.timeout(timeout_s):
            return await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
        return await self.ended()
