"""A gateway process between a tap and a simulated carrier, and what must hold after a foreign ESME was there."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smsgw.sim.carrier import Carrier
from smsgw.sim.settings import CarrierSettings
from smsgw.smpp import const, pdu, receipt
from tests.interop.letters import Letter, key_of
from tests.interop.tap import Tap
from tests.rig import GatewayProcess, provision, provisioning

BINDS = (const.BIND_TRANSMITTER, const.BIND_RECEIVER, const.BIND_TRANSCEIVER)
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is up."""

    gateway: GatewayProcess
    carrier: Carrier
    tap: Tap

    async def run(self, command: Sequence[str | Path], plan: str, environment: dict[str, str]) -> list[dict[str, Any]]:
        """Run a foreign script with the plan on its standard input; returns what it says on its standard output."""
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                said, complained = await process.communicate(plan.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, complained.decode()
        told: list[dict[str, Any]] = json.loads(said)
        return told

    async def check(self, letters: Iterable[Letter], told: list[dict[str, Any]]) -> None:
        """Every letter came to the carrier as it was meant and octet for octet as it was sent; receipts bear our ids."""
        await self.tap.idle()
        tap = self.tap
        taken = list(self.carrier.ledger.bodies)
        wanted = Counter(letter.key() for letter in letters)
        seen = Counter(map(key_of, taken))
        assert seen == wanted, (wanted - seen, seen - wanted)
        assert Counter(octets[16:] for octets in taken) == Counter(asked.octets[16:] for asked in tap.sent(const.SUBMIT_SM))
        answers = tap.came(const.SUBMIT_SM_RESP)
        ids = sorted(pdu.read_message_id(answer.octets).decode() for answer in answers)
        assert {answer.status for answer in answers} == {0}
        assert len(set(ids)) == wanted.total()
        receipts = [self._receipt(asked.octets) for asked in tap.came(const.DELIVER_SM)]
        assert sorted(found.message_id.decode() for found in receipts) == ids
        assert {found.stat for found in receipts} == {b"DELIVRD"}
        for session in told:
            assert set(session["ids"]) <= set(ids)
            assert sorted(session["receipts"]) == sorted(session["ids"])
        self._check_lives()
        log = self.gateway.log.read_text(encoding="utf-8")
        assert "connection_failed" not in log
        assert '"level":"error"' not in log

    @staticmethod
    def _receipt(octets: bytes) -> receipt.Receipt:
        found = receipt.parse(octets, pdu.read_sm(octets))
        assert found is not None
        return found

    def _check_lives(self) -> None:
        """Each connection was bound once, and its unbind was the last thing asked and answered."""
        for line in self.tap.lines:
            assert [len(line.came(command | const.RESP)) for command in BINDS].count(1) == 1
            assert not line.came(const.GENERIC_NACK)
            assert [answer.status for answer in line.came(const.UNBIND_RESP)] == [0]
            assert len(line.sent(const.UNBIND)) == 1


@contextlib.asynccontextmanager
async def scene(dsn: str, directory: Path) -> AsyncIterator[Scene]:
    """Everything up within the block; the gateway is stopped by SIGTERM at its end and exits 0."""
    carrier = Carrier(CarrierSettings(keep_bodies=1_000, receipt_delay_ms=20))
    async with carrier.listening() as (_, port):
        await provision(dsn, directory, provisioning(port))
        gateway = GatewayProcess(dsn, directory)
        await gateway.start()
        try:
            async with Tap(gateway.port).listening() as tap:
                yield Scene(gateway, carrier, tap)
            assert await gateway.stop() == 0
        finally:
            await gateway.kill()
