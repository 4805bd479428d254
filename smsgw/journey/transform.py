"""transform: what is changed in a tenant's message on its way in, and the words that say so, kept with the message for good.

Nothing is changed but what a setting or a rule set asks for: an empty source gives way to the account's default, and
registered_delivery is raised where the price waits for the receipt (both in `reading`); a set puts its country's own sender in
place, and TLVs that the tenant left out. Every other octet stays.
The tenant goes on by his own addresses: what he is owed for the message has them.

Promises: a word for each change, and no change without its word.
Must never: touch what the message says; cost anything where nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from smsgw.receipts.owed import addresses
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import encode, read_data_sm, read_sm

if TYPE_CHECKING:
    from smsgw.model import Message
    from smsgw.policy.senders import Replacement
    from smsgw.policy.verdict import Verdict

SOURCE_REPLACED: Final = "source_replaced"
_HEADER: Final = 16


def words_of(verdict: Verdict) -> tuple[str, ...]:
    """Return the words for what a verdict changes: the source, and each TLV that is put in, by its tag."""
    tlvs = (f"tlv_0x{tag:04X}" for tag, _, _ in tlv.iterate(verdict.added))
    return (SOURCE_REPLACED, *tlvs) if verdict.sender is not None else tuple(tlvs)


def change(message: Message, verdict: Verdict, version: int) -> None:
    """Change a message as its verdict says, and note it; `version` is that of the session which it came by."""
    if verdict.sender is not None:
        message.ends = addresses(message)
        message.body = _with_sender(message.command, message.body, verdict.sender, version)
    message.body += verdict.added
    message.transform += words_of(verdict)


def _with_sender(command: int, body: bytes, sender: Replacement, version: int) -> bytes:
    """Put an address where the source is: ton, npi, and the octets up to the NUL."""
    octets = encode(command, 0, 0, body)
    sm = read_data_sm(octets) if command == const.DATA_SM else read_sm(octets, version)
    at = sm.source_at - _HEADER
    return body[:at] + bytes((sender.ton, sender.npi)) + sender.address.encode("ascii") + body[body.index(0, at + 2) :]
