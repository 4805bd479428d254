"""inbound: a carrier's MO message → the account that owns its number → durable → answered, and owed.

The owner is found by service number, the longest one that the destination starts with. The PDU goes to the tenant as it came: body,
addresses, TLVs. One that is a keyword of the account's rule set (TD, STOP) is put on record first, and then goes the same way
(`optout` says why that order loses nothing).

Must never: answer before COMMIT; keep an MO message that nobody owns (the carrier is told, so that it can be put right).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from smsgw.journey.optout import Heard
from smsgw.model import Owed, OwedKind, Rejected
from smsgw.policy.keywords import LONGEST_OCTETS, LONGEST_PDU, wish_of
from smsgw.policy.numbers import canonical
from smsgw.smpp import const
from smsgw.smpp.pdu import BadPdu, read_data_sm, read_sm
from smsgw.telemetry import mask

if TYPE_CHECKING:
    from smsgw.carriers.link import LinkBind
    from smsgw.journey.deliver import Deliver
    from smsgw.journey.desk import Desk
    from smsgw.journey.optout import OptOuts
    from smsgw.model import Account
    from smsgw.smpp.pdu import Pdu

UNOWNED: Final = const.ESME_RX_R_APPN
STORE_AWAY: Final = const.ESME_RX_T_APPN


class _Arrival(msgspec.Struct, gc=False):
    bind: LinkBind
    pdu: Pdu
    owed: Owed


class Inbound:
    """The journey of MO messages."""

    def __init__(self, desk: Desk, deliver: Deliver, opt_outs: OptOuts, *, most: int) -> None:
        """Take the desk, who delivers what is owed, and who keeps what keywords say; `most`: that wait for their COMMIT."""
        self._desk = desk
        self._deliver = deliver
        self._opt_outs = opt_outs
        self._most = most

    def __call__(self, bind: LinkBind, pdu: Pdu) -> None:
        """Find the owner of an MO message and owe it to it."""
        desk = self._desk
        if not desk.commit.available or len(desk.commit.owed) >= self._most:
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
        )
        arrival = _Arrival(bind, pdu, owed)
        if account.policy and _short(pdu, sm) and self._is_keyword(account, arrival, sm):
            return
        self._owe(arrival)

    def _is_keyword(self, account: Account, arrival: _Arrival, sm: Any) -> bool:
        """Have a keyword put on record; the message goes on, or back, after that."""
        desk = self._desk
        policy = desk.directory.policies.get(account.policy)
        if policy is None:  # which words it has nobody knows now: later, so that no refusal is lost
            self._recorded(arrival, kept=False)
            return True
        wish = wish_of(policy.keywords, arrival.pdu.octets, arrival.pdu.command) if policy.keywords else None
        if wish is None:
            return False
        source, service = sm.source.decode("latin-1"), sm.dest.decode("latin-1")
        number, masked, mo = self._opt_outs.marks.hash_of(source), mask(canonical(source)), str(arrival.owed.id)
        ends = (sm.source_ton, sm.source_npi, sm.source), (sm.dest_ton, sm.dest_npi, sm.dest)
        now = desk.clock.time()
        heard = Heard(wish, policy, account, number, masked, service, mo, now, self._recorded, arrival, ends)
        if not self._opt_outs.keep(heard):
            self._recorded(arrival, kept=False)
        return True

    def _recorded(self, arrival: _Arrival, kept: bool) -> None:  # noqa: FBT001 - called by position
        """What a keyword says is on record: its message goes on. It is not: the carrier is to send it again."""
        if kept and self._desk.commit.available:
            self._owe(arrival)
        else:
            arrival.bind.answer(arrival.pdu, STORE_AWAY)

    def _owe(self, arrival: _Arrival) -> None:
        arrival.owed.claimed = self._deliver.takes(arrival.owed.account)
        self._desk.commit.owe(arrival.owed, self._durable, arrival)

    def _durable(self, arrival: _Arrival, rejected: Rejected | None) -> None:
        if rejected is not None:
            arrival.bind.answer(arrival.pdu, STORE_AWAY)
            return
        arrival.bind.answer(arrival.pdu, 0)
        self._deliver.push(arrival.owed)


def _short(pdu: Pdu, sm: Any) -> bool:
    """Tell whether a message may be a keyword, by its length alone: what it says is not looked at."""
    return len(pdu.octets) <= LONGEST_PDU and (pdu.command == const.DATA_SM or sm.sm_length <= LONGEST_OCTETS)
