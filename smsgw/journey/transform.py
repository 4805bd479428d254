"""transform: what is changed in a tenant's message on its way in, and the words that say so, kept with the message for good.

Nothing is changed but what a setting or a rule set asks for: an empty source gives way to the account's default, and
registered_delivery is raised where the price waits for the receipt (both in `reading`); a set puts its country's own sender in
place, and TLVs that the tenant left out. Every other octet stays.
The tenant goes on by his own addresses: what he is owed for the message has them.

Promises: a word for each change, and no change without its word; so what is stored, with its words, tells what came (`as_it_came`).
Must never: touch what the message says; cost anything where nothing is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from smsgw.journey.reading import REGISTERED_DELIVERY, SOURCE_DEFAULT
from smsgw.receipts.owed import addresses
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import encode, read_data_sm, read_sm

if TYPE_CHECKING:
    from smsgw.model import Message
    from smsgw.policy.senders import Replacement
    from smsgw.policy.verdict import Verdict

SOURCE_REPLACED: Final = "source_replaced"
_TLV: Final = "tlv_0x"
_KNOWN: Final = frozenset({SOURCE_REPLACED, SOURCE_DEFAULT, REGISTERED_DELIVERY})
_HEADER: Final = 16


def words_of(verdict: Verdict) -> tuple[str, ...]:
    """Return the words for what a verdict changes: the source, and each TLV that is put in, by its tag."""
    tlvs = (f"{_TLV}{tag:04X}" for tag, _, _ in tlv.iterate(verdict.added))
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


def as_it_came(
    command: int, body: bytes, words: Sequence[str], source: tuple[int, int, bytes] | None, registered: int
) -> bytes | None:
    """Return the body as its tenant sent it: what the words name is taken back. None where that cannot be told.

    `source`: TON, NPI and address as the tenant wrote them, None where they are not known any more; `registered`: his
    registered_delivery. Raises BadPdu for a body that is none.
    """
    tags = [int(word.removeprefix(_TLV), 16) for word in words if word.startswith(_TLV)]
    if not _KNOWN.issuperset(word for word in words if not word.startswith(_TLV)):
        return None
    octets = encode(command, 0, 0, body)
    sm = read_data_sm(octets) if command == const.DATA_SM else read_sm(octets, const.V50)
    if tags:  # they were put behind all others, in this order
        last = list(tlv.iterate(octets, sm.tlv_at))[-len(tags) :]
        if [tag for tag, _, _ in last] != tags:
            return None
        octets = octets[: last[0][1] - tlv.HEAD]
    if REGISTERED_DELIVERY in words:
        octets = octets[: sm.registered_at] + bytes((registered,)) + octets[sm.registered_at + 1 :]
    at = sm.source_at
    ends = octets[at : at + 2]
    if SOURCE_REPLACED in words:
        if source is None:
            return None
        ends = bytes(source[:2]) + source[2]
    if SOURCE_DEFAULT in words:
        ends = ends[:2]
    if SOURCE_REPLACED in words or SOURCE_DEFAULT in words:
        octets = octets[:at] + ends + octets[octets.index(0, at + 2) :]
    return octets[_HEADER:]
