"""The daemon as a process: it serves, ends well at SIGTERM, and has no crash point of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsgw.process import crash_point
from tests.rig import GatewayProcess, provision, provisioning


async def test_a_process_serves_and_ends_at_sigterm(database: str, tmp_path: Path):
    """As a process of its own: ready, then drained by SIGTERM, exit code 0."""
    await provision(database, tmp_path, provisioning(1))
    gateway = GatewayProcess(database, tmp_path)
    await gateway.start()
    assert await gateway.stop() == 0


def test_no_crash_point_is_set_by_itself(monkeypatch: pytest.MonkeyPatch):
    """Without the variable of the crash tests there is no probe at all."""
    monkeypatch.delenv("SMSGW_CRASH_POINT", raising=False)
    assert crash_point() is None
