"""The three tenants: two of `sim`, and an ESME of aiosmpplib as its users run it, with everything at its defaults.

Each of them says the same about itself (`Told`), for the table and for the check.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from aiosmpplib import ESME, AbstractHook, DeliverSm, PhoneNumber, SubmitSm, SubmitSmResp
from aiosmpplib.broker import SimpleBroker
from aiosmpplib.state import NPI, TON, SmppCommandStatus, SmppSessionState

from smsgw.sim.tenant import Tenant

_TEXTS: Final = (
    "Your code is {n:06d}. It is valid for five minutes.",
    "【演示】您的验证码是{n:06d}，五分钟内有效。",
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a tenant says of itself. `acknowledged`: ESME_ROK answers; `receipts`: final ones, by stat."""

    account: str
    client: str
    sent: int
    acknowledged: int
    unanswered: int
    receipts: dict[str, int]
    p99_ms: float
    wrong: int


def told_by(tenant: Tenant) -> Told:
    """Return what a simulated tenant has to say."""
    ledger = tenant.ledger
    return Told(
        tenant.settings.system_id,
        f"sim × {tenant.settings.sessions}",
        ledger.sent,
        ledger.ok,
        tenant.unanswered,
        dict(ledger.states),
        tenant.latency.percentile(0.99) * 1000,
        sum(ledger.wrong.values()),
    )


class _Counts(AbstractHook):  # type: ignore[misc]  # the library is not typed
    """The hook that a user of the library writes: it counts."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.answered = 0
        self.errors = 0
        self.receipts: Counter[str] = Counter()

    async def sending(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
        """Nothing to do before sending."""

    async def received(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:  # noqa: ARG002 - the library's signature
        """Count answers and receipts."""
        if isinstance(smpp_message, SubmitSmResp):
            self.answered += 1
            self.acknowledged += smpp_message.command_status == SmppCommandStatus.ESME_ROK
        elif isinstance(smpp_message, DeliverSm) and smpp_message.is_receipt():
            self.receipts[str(smpp_message.parse_receipt().get("stat", "?"))] += 1

    async def send_error(self, smpp_message: Any, error: Exception, client_id: str) -> None:  # noqa: ARG002 - see received
        """Count what the library could not send."""
        self.errors += 1


class PlainEsme:
    """An unmodified aiosmpplib ESME that sends a message now and then."""

    def __init__(self, port: int, system_id: str, password: str, rate: float) -> None:
        """Take where to bind and how many messages a second to send."""
        self.system_id = system_id
        self.hook = _Counts()
        self.sent = 0
        self._rate = rate
        self._broker = SimpleBroker()
        self._esme = ESME(
            smsc_host="127.0.0.1",
            smsc_port=port,
            system_id=system_id,
            password=password,
            hook=self.hook,
            broker=self._broker,
            log_level="CRITICAL",  # its log would write over the table, and may quote a password
        )
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Be bound until `leave`."""
        await self._esme.start()

    async def send(self) -> None:
        """Send messages at the rate until `stop`."""
        while not self._stop.is_set():
            await asyncio.sleep(1 / self._rate)
            if not self._stop.is_set() and self._esme.session_state == SmppSessionState.BOUND_TRX:
                await self._broker.enqueue(self._message(self.sent))
                self.sent += 1

    def _message(self, number: int) -> SubmitSm:
        return SubmitSm(
            short_message=_TEXTS[number % 2].format(n=number),
            source=PhoneNumber("10690001", TON.NATIONAL, NPI.ISDN),
            destination=PhoneNumber(f"86139{number % 100_000_000:08d}", TON.INTERNATIONAL, NPI.ISDN),
            log_id=str(number),
        )

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()

    async def leave(self) -> None:
        """Unbind."""
        await self._esme.stop()

    @property
    def unanswered(self) -> int:
        """How many messages wait for their answer."""
        return self.sent - self.hook.answered - self.hook.errors

    def told(self) -> Told:
        """Return what it has to say."""
        hook = self.hook
        return Told(
            self.system_id, "aiosmpplib", self.sent, hook.acknowledged, self.unanswered, dict(hook.receipts), 0.0, hook.errors
        )
