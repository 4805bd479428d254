"""A receipt on the table: what came from a carrier, read, and what it was found to mean.

Never here: what is done about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mypy_extensions import mypyc_attr

from smsgw.model import STATE_OF_RECEIPT, State
from smsgw.receipts.codes import is_code, look_up, number_of
from smsgw.smpp import const
from smsgw.smpp import receipt as receipts
from smsgw.smpp.pdu import read_data_sm, read_sm
from smsgw.smpp.receipt_plain import PlainReceipt, read_plain

if TYPE_CHECKING:
    from smsgw.carriers.link import LinkBind
    from smsgw.model import Link, Message, Owed
    from smsgw.smpp.pdu import Pdu
    from smsgw.smpp.receipt import Receipt
    from smsgw.store.receipts import ParkedReceipt


@mypyc_attr(acyclic=True)
class Arrival:
    """A receipt on the table: what came, from where, and what it was found to mean.

    `sm`: its fields, whose `source` and `dest` are its addresses; `address`: the number that it is about, as the carrier writes it.
    `bind` None: it had been parked, as `parked_id`. `parked`: what it is being parked as. `ends`: it brought its message to an end,
    so that what is said then is said once.
    """

    __slots__ = (
        "address",
        "arrived",
        "bind",
        "ends",
        "key",
        "link",
        "message",
        "owed",
        "parked",
        "parked_id",
        "pdu",
        "receipt",
        "sm",
    )

    def __init__(  # noqa: PLR0917 - what is known of it
        self,
        pdu: Pdu,
        link: Link,
        key: str,
        receipt: Receipt | PlainReceipt,
        sm: Any,
        address: str,
        bind: LinkBind | None,
        arrived: float,
        parked_id: int = 0,
    ) -> None:
        """Put it on the table."""
        self.pdu = pdu
        self.link = link
        self.key = key
        self.receipt = receipt
        self.sm = sm
        self.address = address
        self.bind = bind
        self.arrived = arrived
        self.message: Message | None = None
        self.owed: Owed | None = None
        self.ends = False
        self.parked_id = parked_id
        self.parked: ParkedReceipt | None = None

    @property
    def to(self) -> str:
        """The address that the receipt goes to: the message's source."""
        dest: bytes = self.sm.dest
        return dest.decode("latin-1")


def read(octets: bytes, command: int) -> tuple[Any, Receipt | PlainReceipt | None]:
    """Read a receipt: its fields, and what it says; None for what is none. Raises BadPdu."""
    if command == const.DATA_SM:
        data_sm = read_data_sm(octets)
        return data_sm, receipts.parse(octets, data_sm)
    plain = read_plain(octets)
    if plain is not None:
        return plain, plain
    sm = read_sm(octets)
    return sm, receipts.parse(octets, sm)


def error_of(arrival: Arrival) -> int:
    """Return the carrier's error of what was not delivered, as the row keeps it: err, or a code in place of the state's word."""
    error = arrival.receipt.error
    stat = _stat_of(arrival)
    return number_of(stat if not is_code(error) and is_code(stat) else error)


def state_of_code(arrival: Arrival) -> State:
    """Return the state that a code in the place of the state's word stands for, by the link's table; UNKNOWN where none says."""
    stat = _stat_of(arrival)
    if stat in receipts.STATE_OF_STAT:
        return State.UNKNOWN
    code = look_up(arrival.link.dialect.codes, error_of(arrival))
    return STATE_OF_RECEIPT[receipts.STATE_OF_STAT[code.stat.encode()]] if code is not None else State.UNKNOWN


def _stat_of(arrival: Arrival) -> bytes:
    receipt = arrival.receipt
    if type(receipt) is not PlainReceipt:
        return receipt.stat
    octets = arrival.pdu.octets
    at = octets.index(b" stat:", receipt.id_end) + 6
    return octets[at : at + 7]
