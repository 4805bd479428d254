"""The gateway under test: a process of its own on a fresh data directory, with the settings that it ships with.

Promises: durable as in production (`fsync`, `synchronous_commit`), billed, receipts on, message records written to a file; when the
block ends, process, server and directory are gone.

Must never: make durability or billing cheaper than in production.
"""

from __future__ import annotations

import asyncio
import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from smsgw.bench.ends import PASSWORD, SYSTEM_ID, Load
from smsgw.bench.processes import Started, free_port, running
from smsgw.model import State
from smsgw.store import invariants
from smsgw.store.database import EmbeddedServer, connect, remove_scratch, scratch_directory

_READY_S: Final = 90.0
_SETTLE_S: Final = 20.0

_CONFIG: Final = """
[node]
data_dir = "{data_dir}"
[smpp]
listen = ["127.0.0.1:{port}"]
[admin]
listen = "127.0.0.1:{admin}"
[log]
records = "{data_dir}/records.jsonl"
"""

_PROVISIONING: Final = """
[[tenant]]
name = "bench"
currency = "CNY"
balance = "100000000.00"
[[account]]
tenant = "bench"
system_id = "{system_id}"
password = "{password}"
mode = "{mode}"
max_binds = {binds}
window = {window}
{policy}
[[carrier]]
name = "bench"
[[link]]
carrier = "bench"
name = "bench-1"
host = "127.0.0.1"
port = {carrier}
system_id = "gw"
password = "gw"
bind = "transceiver"
binds = {link_binds}
window = {link_window}
[[route]]
prefix = ""
links = ["bench-1"]
[[price]]
tenant = "bench"
prefix = ""
price = "0.038"
"""


_POLICY: Final = """
policy = "bench"
[[policy]]
name = "bench"
files = ["{file}"]
"""


@dataclass(frozen=True, slots=True)
class LinkShape:
    """How the gateway binds to the carrier: binds, window of each; the account's mode, "store" or "relay"; its rule set, a file.

    `settings`: lines added to the smsgw.toml that it ships with.
    """

    binds: int = 1
    window: int = 2_000
    mode: str = "store"
    policy: str = ""
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway: where to bind, its process, and its database."""

    port: int
    started: Started
    server: EmbeddedServer
    data_dir: Path

    @property
    def postgres_pid(self) -> int:
        """The process of its PostgreSQL, 0 when there is none."""
        return self.server.pid or 0

    def books(self, load_ok: int) -> dict[str, int]:
        """Compare the books with what the tenant was told; returns what does not fit, {} when all does."""
        return asyncio.run(_books(self.server.dsn, load_ok))


@contextmanager
def gateway(load: Load, carrier_port: int, shape: LinkShape) -> Iterator[Gateway]:
    """Run a gateway with one tenant and one link within the block."""
    scratch = scratch_directory("smsgw-bench-")
    try:
        port, admin = free_port(), free_port()
        config = scratch / "smsgw.toml"
        config.write_text(_CONFIG.format(data_dir=scratch, port=port, admin=admin) + shape.settings)
        provisioning = scratch / "provisioning.toml"
        provisioning.write_text(
            _PROVISIONING.format(
                system_id=SYSTEM_ID,
                password=PASSWORD,
                mode=shape.mode,
                binds=max(10, load.sessions),
                window=load.window,
                carrier=carrier_port,
                link_binds=shape.binds,
                link_window=shape.window,
                policy=_POLICY.format(file=Path(shape.policy).resolve()) if shape.policy else "",
            )
        )
        log = scratch / "gateway.log"
        command = [sys.executable, "-m", "smsgw"]
        _apply([*command, "apply", str(provisioning), "--config", str(config)])
        with running([*command, "serve", "--config", str(config)], log=log) as started:
            _wait_ready(admin, started, log)
            yield Gateway(port, started, EmbeddedServer(scratch), scratch)
            started.end(_SETTLE_S + 20)
    finally:
        asyncio.run(EmbeddedServer(scratch).stop())
        remove_scratch(scratch)


def _apply(command: list[str]) -> None:
    done = subprocess.run(command, check=False, timeout=_READY_S, capture_output=True, text=True)  # noqa: S603 - our own command
    if done.returncode:
        raise RuntimeError(f"provisioning failed ({done.returncode}): {done.stderr.strip()}")


def _wait_ready(admin: int, started: Started, log: Path) -> None:
    until = time.monotonic() + _READY_S
    while time.monotonic() < until:
        if started.process.poll() is not None:
            break
        connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=2)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    tail = "\n".join(log.read_text().splitlines()[-10:])
    raise RuntimeError(f"the gateway did not become ready:\n{tail}")


async def _books(dsn: str, ok: int) -> dict[str, int]:
    """Wait until nothing is open, then count and check the invariants."""
    connection: Any = await connect(dsn, name="smsgw bench")
    try:
        until = time.monotonic() + _SETTLE_S
        while True:
            totals = await invariants.totals(connection)
            delivered = totals.get(State.DELIVERED, 0)
            if sum(totals.values()) == delivered or time.monotonic() > until:
                break
            await asyncio.sleep(0.2)
        wrong = {f"messages {State(state).name}": n for state, n in totals.items() if state != State.DELIVERED}
        if delivered != ok:
            wrong["DELIVERED in the books, less or more than acknowledged"] = abs(delivered - ok)
        for broken in await invariants.check(connection):
            wrong[f"invariant: {broken.name}"] = len(broken.rows)
        return wrong
    finally:
        await connection.close()
