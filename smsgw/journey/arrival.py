"""A receipt on the table: what came from a carrier, read, and what it was found to mean.

Never here: what is done about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mypy_extensions import mypyc_attr

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
