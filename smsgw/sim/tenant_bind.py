"""One connection of the simulated tenant: it binds, sends, and answers for what it is sent.

Promises: each answer and each receipt is counted once in the ledger; a receipt is checked against the message that it
speaks of.

Never here: when to send (`tenant.Tenant` decides), how to connect.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from smsgw.smpp import const, pdu, receipt
from smsgw.smpp.pdu import BadPdu, Pdu
from smsgw.wire import Wire

if TYPE_CHECKING:
    from smsgw.sim.tenant import Tenant

_BIND: Final = "bind"
_NOTHING: Final = b"\0"

Sent = tuple[int, float]
"""The context of a submit_sm: index of the message, when it was sent (monotonic seconds)."""


class TenantBind:
    """A `Peer`: the tenant's side of one session, which may be dialled again after it was lost."""

    __slots__ = ("bound", "command", "lost", "refused", "tenant", "was_bound", "wire")

    def __init__(self, tenant: Tenant, command: int) -> None:
        """Make a session of this kind (BIND_TRANSCEIVER, …), not connected yet."""
        self.tenant = tenant
        self.command = command
        self.wire: Wire | None = None
        self.refused = 0
        self.was_bound = False
        self.bound = asyncio.Event()
        self.lost = asyncio.Event()

    def connected(self, wire: Wire) -> None:
        """The connection is up: bind."""
        self.wire = wire
        self.lost.clear()
        wire.request(self.command, self.tenant.bind_body, _BIND)

    @property
    def room(self) -> int:
        """How many more submit_sm may be unanswered here."""
        if self.wire is None or not self.bound.is_set() or self.command == const.BIND_RECEIVER:
            return 0
        return self.tenant.settings.window - len(self.wire.session.window)

    def submit(self, index: int, body: bytes, now: float) -> None:
        """Send a message. Only with room."""
        assert self.wire is not None
        self.tenant.ledger.sent += 1
        self.wire.request(const.SUBMIT_SM, body, (index, now))

    def unbind(self) -> None:
        """End the session politely."""
        if self.wire is not None and self.wire.open:
            if self.bound.is_set():
                self.wire.session.unbind(self.tenant.clock.now())
                self.wire.touch()
            else:
                self.wire.close("not_bound")

    # ---- Peer -----------------------------------------------------------------------------------------------------

    def on_response(self, response: Pdu, context: Any) -> None:
        """An own request was answered."""
        tenant = self.tenant
        if context.__class__ is tuple:
            tenant.on_answer(response, context)
            tenant.fill(self)
        elif context is _BIND:
            self._bound(response)
        else:
            tenant.ledger.late_responses += 1

    def _bound(self, response: Pdu) -> None:
        ledger = self.tenant.ledger
        assert self.wire is not None
        if response.status:
            ledger.binds_refused[response.status] += 1
            self.refused = response.status
            self.wire.close("bind_refused")
            return
        ledger.binds += 1
        self.refused = 0
        self.wire.session.bound_as(self.command, self.tenant.settings.version)
        self.bound.set()
        self.was_bound = True
        self.tenant.on_bound(self)

    def on_request(self, request: Pdu) -> None:
        """The peer wants something of us: a receipt, or a message for us."""
        assert self.wire is not None
        tenant = self.tenant
        if request.command != const.DELIVER_SM:
            tenant.ledger.other += 1
            self.wire.respond(request, const.ESME_RINVCMDID)
            return
        refusal = tenant.settings.deliver_status
        if refusal:
            self.wire.respond(request, refusal)
            return
        self.wire.session.answer(const.DELIVER_SM, request.sequence, 0, _NOTHING)
        self.wire.touch()
        try:
            sm = pdu.read_sm(request.octets, const.V34)
        except BadPdu as bad:
            tenant.ledger.wrong[f"deliver_sm: {bad.reason}"] += 1
            return
        found = receipt.parse(request.octets, sm)
        if found is None:
            tenant.on_message(request.octets, sm)
        else:
            tenant.on_receipt(found, sm)

    def on_expired(self, context: Any) -> None:
        """No answer within the time-out."""
        if context.__class__ is tuple:
            self.tenant.ledger.expired += 1
            self.tenant.ledger.unsure.append(context[0])
            self.tenant.fill(self)

    def on_lost(self, reason: str, contexts: list[Any]) -> None:
        """The connection has ended: nobody knows what became of what was not answered."""
        ledger = self.tenant.ledger
        ledger.disconnects[reason] += 1
        for context in contexts:
            if context.__class__ is tuple:
                ledger.lost += 1
                ledger.unsure.append(context[0])
        self.bound.clear()
        self.wire = None
        self.lost.set()
