"""What a tenant is owed for a message: whether it asked for this state, and the deliver_sm body that says it.

registered_delivery bits 1-0 (SMPP 3.4 §5.2.17): 01 success and failure, 10 failure only, 11 success only (5.0); bit 4 asks for
intermediate notifications. Nothing asked, nothing owed, even where smsgw itself asked the carrier.

Never here: queues, sessions, SQL.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from smsgw.model import MESSAGE_STATE, STAT, Ends, Message, State
from smsgw.smpp import receipt
from smsgw.smpp.clock import format_receipt_date
from smsgw.smpp.const import DATA_SM, TON_ALPHANUMERIC, TON_UNKNOWN
from smsgw.smpp.pdu import HEADER, read_data_sm, read_sm
from smsgw.store.ids import seconds_of

BOTH: Final = 1
FAILURE_ONLY: Final = 2
SUCCESS_ONLY: Final = 3
INTERMEDIATE: Final = 0x10
_PLACEHOLDER: Final = HEADER.pack(16, 0, 0, 0)


def wants(registered: int, state: State) -> bool:
    """Tell whether registered_delivery asks for a receipt of this final state."""
    asked = registered & 3
    if asked == 0:
        return False
    if asked == BOTH:
        return True
    return (state is State.DELIVERED) is (asked == SUCCESS_ONLY)


def wants_intermediate(registered: int) -> bool:
    """Tell whether registered_delivery asks for intermediate notifications."""
    return bool(registered & INTERMEDIATE)


def addresses(message: Message) -> Ends:
    """Return (ton, npi, address) of the message's source and of its destination, as the tenant wrote them."""
    return message.ends if message.ends is not None else _of_body(message)


def sent_from(message: Message) -> str:
    """Return the source that the carrier was told: another one than the tenant's where a rule set has replaced it."""
    return _of_body(message)[0][2].decode("latin-1")


def _of_body(message: Message) -> Ends:
    """Return the addresses that the body has. Where retention has taken it the row knows them, but neither TON nor NPI."""
    if not message.body:
        source = message.source.encode("latin-1")
        name = bool(source) and not source.lstrip(b"+").isdigit()
        return (TON_ALPHANUMERIC if name else TON_UNKNOWN, 0, source), (TON_UNKNOWN, 0, message.destination.encode("latin-1"))
    octets = _PLACEHOLDER + message.body
    sm = read_data_sm(octets) if message.command == DATA_SM else read_sm(octets)
    return (sm.source_ton, sm.source_npi, sm.source), (sm.dest_ton, sm.dest_npi, sm.dest)


def own_receipt(message: Message, now: float, text: bytes = b"") -> bytes:
    """Build the deliver_sm body for a final state that smsgw itself came to (SMPP 3.4 Appendix B); `text`: why."""
    source, dest = addresses(message)
    state = message.state
    return receipt.build(
        our_id=message.text_id,
        source=dest,
        dest=source,
        state=MESSAGE_STATE[state],
        stat=STAT[state],
        error=b"%03d" % (message.error % 1000),
        submit_date=format_receipt_date(datetime.fromtimestamp(message.accepted_at or seconds_of(message.id), UTC)),
        done_date=format_receipt_date(datetime.fromtimestamp(now, UTC)),
        sub=message.parts,
        dlvrd=message.parts if state is State.DELIVERED else 0,
        text=text,
    )
