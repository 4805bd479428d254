"""What a final state gives back: at most one refund a message, by the basis its contract is billed on.

Never here: SQL (the debit and the refund are booked by the unit of work), rounding (Money is an integer).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from smsgw.model import Basis, Message, Mode, State

_ALL: Final = frozenset(Basis)

REFUNDED: Final[Mapping[tuple[State, bool], frozenset[Basis]]] = {
    (State.REJECTED, False): _ALL,
    (State.REJECTED, True): _ALL,
    (State.CANCELLED, False): _ALL,
    (State.EXPIRED, False): _ALL,
    (State.REFUSED, False): frozenset({Basis.SENT, Basis.DELIVERED}),
    (State.FAILED, True): frozenset({Basis.DELIVERED}),
    (State.EXPIRED, True): frozenset({Basis.DELIVERED}),
    (State.CANCELLED, True): frozenset({Basis.DELIVERED}),
}
"""(final state, had the carrier taken it) → bases on which the price is given back. What is absent is not refunded."""


def refund_due(message: Message) -> int:
    """Return the Money that the message's final state gives back; 0 when none, or when it was given back before."""
    if message.refund or not message.price:
        return 0
    if message.mode == Mode.RELAY and not message.sent_at:
        return message.price  # a relay tenant was answered with an error: it keeps the message and the money
    bases = REFUNDED.get((message.state, bool(message.sent_at)))
    return message.price if bases is not None and message.basis in bases else 0
