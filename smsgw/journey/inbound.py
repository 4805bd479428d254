"""inbound: a carrier's MO message → the account that owns its number → durable → answered, and owed.

The owner is found by service number, the longest one that the destination starts with. The PDU goes to the tenant as it came: body,
addresses, TLVs.

Must never: answer before COMMIT; keep an MO message that nobody owns (the carrier is told, so that it can be put right).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from smsgw.model import Owed, OwedKind, Rejected
from smsgw.smpp import const
from smsgw.smpp.pdu import BadPdu, read_data_sm, read_sm

if TYPE_CHECKING:
    from smsgw.carriers.link import LinkBind
    from smsgw.journey.deliver import Deliver
    from smsgw.journey.desk import Desk
    from smsgw.smpp.pdu import Pdu

UNOWNED: Final = const.ESME_RX_R_APPN
STORE_AWAY: Final = const.ESME_RX_T_APPN


class _Arrival(msgspec.Struct, gc=False):
    bind: LinkBind
    pdu: Pdu
    owed: Owed


class Inbound:
    """The journey of MO messages."""

    def __init__(self, desk: Desk, deliver: Deliver) -> None:
        """Take the desk, and who delivers what is owed."""
        self._desk = desk
        self._deliver = deliver

    def __call__(self, bind: LinkBind, pdu: Pdu) -> None:
        """Find the owner of an MO message and owe it to it."""
        desk = self._desk
        if not desk.commit.available:
            bind.answer(pdu, STORE_AWAY)
            return
        try:
            sm: Any = read_data_sm(pdu.octets) if pdu.command == const.DATA_SM else read_sm(pdu.octets)
        except BadPdu as error:
            bind.answer(pdu, error.status)
            return
        account = desk.directory.owner_of(sm.dest.decode("latin-1"))
        bind.meter.mo += 1
        if account is None:
            desk.process.mo_unowned += 1
            bind.answer(pdu, UNOWNED)
            return
        owed = Owed(
            id=desk.ids.next(),
            account=account.id,
            message=0,
            kind=int(OwedKind.MO),
            body=pdu.octets[16:],
            command=pdu.command,
            expires_at=desk.clock.time() + account.receipt_ttl_s,
            claimed=self._deliver.takes(account.id),
        )
        desk.commit.owe(owed, self._durable, _Arrival(bind, pdu, owed))

    def _durable(self, arrival: _Arrival, rejected: Rejected | None) -> None:
        if rejected is not None:
            arrival.bind.answer(arrival.pdu, STORE_AWAY)
            return
        arrival.bind.answer(arrival.pdu, 0)
        self._deliver.push(arrival.owed)
