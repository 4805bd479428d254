"""Text as the handset shows it: the octets of one submit_sm or data_sm, or of all parts of a long message → what is read.

A filter that reads otherwise than the handset is no filter. So all groups of data_coding are read, with the header's language
shifts, from short_message or message_payload; what a handset without those shift tables would show, and what octets of another
coding than they claim would be (UCS-2 or UTF-8 sent as 8-bit text), is read too and stands in `others`.

Promises: any octets give a Shown, never an exception. `exact` is False when the octets have no meaning in their coding, and for
binary and what goes to a port: then nobody can say what will be seen, and the policy's word on that holds.
Must never: change a message.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import read_data_sm, read_sm
from smsgw.smpp.text import Alphabet, alphabet, decode
from smsgw.smpp.udh import IEI_CONCAT_8, IEI_CONCAT_16, Concat, Udh, read_udh, sar, sar_again

_UDHI: Final = 0x40
_UCS2: Final = 8
_NO_HEADER: Final = b"\0"
_ESCAPE: Final = b"\x1b"
_PLAIN: Final = bytes((0x0A, 0x0D, *range(0x20, 0x7F)))
_SAME: Final = bytes(
    octet for octet in _PLAIN if octet not in {0x24, 0x40, 0x5B, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x7B, 0x7C, 0x7D, 0x7E}
)
"""Octets that mean the same in GSM 03.38 and in ASCII."""
_OVERRIDE: Final = "\u202e"
_OVERRIDDEN: Final = re.compile("\u202e([^\u202c\n]*)")
"""What is shown from its end: up to the mark that ends the override, or the end of its line."""
_BYTE_ORDER_MARKS: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


class Content(NamedTuple):
    """The content of one PDU. `octets` come after the header; `tlv_at` is an offset into the PDU.

    `told_once`: it says in one way which part of which text it is, or that it is none. Who says it in two, by two elements of a
    header or by a header and TLVs, leaves it to the carrier and the handset which one counts. `schedule`: as it is written.
    """

    octets: bytes
    data_coding: int
    header: Udh | None
    part: Concat | None
    tlv_at: int
    told_once: bool = True
    schedule: bytes = b""
    pdu: bytes = b""


class Shown(NamedTuple):
    """What is read: the text as the coding says, other readings that some handset may show, and whether it is certain."""

    text: str
    others: tuple[str, ...]
    exact: bool


def content_of(pdu: bytes, command: int = const.SUBMIT_SM, version: int = const.V50) -> Content:
    """Take the content out of a whole PDU that reading has found sound. The header's own octets are left out."""
    if command == const.DATA_SM:
        data = read_data_sm(pdu)
        octets = tlv.find(pdu, data.tlv_at, const.TAG_MESSAGE_PAYLOAD) or b""
        esm_class, data_coding, tlv_at = data.esm_class, data.data_coding, data.tlv_at
        schedule = b""
    else:
        sm = read_sm(pdu, version)
        esm_class, data_coding, tlv_at = sm.esm_class, sm.data_coding, sm.tlv_at
        schedule = sm.schedule
        octets = pdu[sm.sm_at : sm.sm_at + sm.sm_length]
        if tlv_at != len(pdu) and not octets:
            octets = tlv.find(pdu, tlv_at, const.TAG_MESSAGE_PAYLOAD) or b""
    header = read_udh(octets) if esm_class & _UDHI else None
    part = header.concat if header is not None else None
    if header is not None:
        octets = octets[header.length :]
    by_tlvs = sar(pdu, tlv_at) if tlv_at != len(pdu) else None
    told_once = (header is None or _told_once(header, by_tlvs)) and (by_tlvs is None or not sar_again(pdu, tlv_at))
    return Content(octets, data_coding, header, part if part is not None else by_tlvs, tlv_at, told_once, schedule, pdu)


def _told_once(header: Udh, by_tlvs: Concat | None) -> bool:
    """Tell whether all that a header and the SAR TLVs say of a part is the same."""
    said = [(iei, len(value)) for iei, value in header.elements if iei in {IEI_CONCAT_8, IEI_CONCAT_16}]
    if not said:
        return True
    if said[0] not in {(IEI_CONCAT_8, 3), (IEI_CONCAT_16, 4)}:
        return False  # none by its length; some handset may read it as one
    one = header.concat
    if by_tlvs is not None and one is not None:
        same = one.total == by_tlvs.total and one.sequence == by_tlvs.sequence
        return len(said) == 1 and same and one.ref == by_tlvs.ref & ((1 << one.width) - 1)
    return len(said) == 1


def plainly(pdu: bytes, source: str, destination: str, default_alphabet: str) -> str | None:
    """Return the text of a submit_sm that has nothing special about it, by the lengths of its addresses alone; None: read it.

    It was read before, by whoever knows its addresses: so its fields lie where those end, and need not be looked for. An
    address that reading has replaced (an empty source) is seen by its NUL standing elsewhere.
    """
    source_end = 19 + len(source)
    at = source_end + 3 + len(destination)
    try:
        if pdu[16] or not pdu[19] or pdu[source_end] or pdu[at] or pdu[at + 1] or pdu[at + 4] or pdu[at + 5]:
            return None  # a service type, no source, a header, a time
        octets = pdu[at + 11 :]
        if len(octets) != pdu[at + 10]:
            return None  # TLVs
        if not pdu[at + 8] and default_alphabet == "gsm7":  # as `_plain_text`, which most messages thus need not call
            return None if octets.translate(None, _SAME) else octets.decode("ascii")
        return _plain_text(octets, pdu[at + 8], default_alphabet)
    except IndexError:
        return None


def shown(contents: Sequence[Content], default_alphabet: str = "gsm7") -> Shown:
    """Read one content, or all parts of a long message in their order: joined before decoding, so that nothing hides in a cut."""
    first = contents[0]
    told_once = all(one.told_once for one in contents)
    if len(contents) == 1 and first.header is None:
        text = _plain_text(first.octets, first.data_coding, default_alphabet)
        if text is not None:
            return Shown(text, (), told_once)
    octets = first.octets if len(contents) == 1 else b"".join(one.octets for one in contents)
    header = first.header
    coding = first.data_coding
    if any(one.data_coding != coding for one in contents):
        return _apart(contents, default_alphabet)._replace(exact=False)
    kind = alphabet(coding, default_alphabet)
    if kind is Alphabet.GSM7_PACKED and (len(contents) > 1 or header is not None):
        read = _packed(contents, coding, default_alphabet)
        return read if told_once else read._replace(exact=False)
    if any(_shifts(one) != _shifts(first) for one in contents):
        return _apart(contents, default_alphabet)
    udh = None
    if header is not None and (header.single_shift or header.locking_shift):
        udh = Udh((), 1, True, None, None, header.single_shift, header.locking_shift)
    text, exact = decode(_NO_HEADER + octets if udh else octets, coding, udh=udh, default_alphabet=default_alphabet)
    if not told_once or any(one.header is not None and one.header.ports is not None for one in contents):
        exact = False
    cut = kind is Alphabet.GSM7 and any(one.octets.endswith(_ESCAPE) for one in contents[:-1])
    exact = exact and not cut  # a handset reads each part by itself: what was to be escaped stands in the next one
    if udh is None and exact and _sure(octets, kind):
        return Shown(text, _turned(text), exact)
    others = list(_others(octets, kind))
    others += [turned for one in (text, *others) for turned in _turned(one)]
    if cut:
        others += ["".join(shown((one,), default_alphabet).text for one in contents)]
    if udh is not None:
        others.append(decode(octets, coding, default_alphabet=default_alphabet).text)
    return Shown(text, tuple(one for one in others if one != text), exact)


def _turned(text: str) -> tuple[str, ...]:
    """Return what is seen of a text of which pieces are shown from their ends; () where none are."""
    if _OVERRIDE not in text:
        return ()
    return (_OVERRIDDEN.sub(lambda match: match[1][::-1], text),)


def _shifts(content: Content) -> tuple[int, int]:
    """Return which language's tables a part is read by: those of its own header (3GPP 23.040 §9.2.3.24.15)."""
    header = content.header
    return (header.single_shift, header.locking_shift) if header is not None else (0, 0)


def _apart(contents: Sequence[Content], default_alphabet: str) -> Shown:
    """Read parts that have not one coding, or not one language, each by its own, and then as one."""
    read = [shown((one,), default_alphabet) for one in contents]
    text = "".join(one.text for one in read)
    others = ("".join((one.others or (one.text,))[at] for one in read) for at in (0, -1))
    return Shown(text, tuple(dict.fromkeys(one for one in others if one != text)), all(one.exact for one in read))


def _plain_text(octets: bytes, data_coding: int, default_alphabet: str) -> str | None:
    """Return the text of what nearly all messages are, on a short path: UCS-2, or letters that are the same in GSM and ASCII."""
    if data_coding == _UCS2:
        if octets[:2] not in _BYTE_ORDER_MARKS:
            try:
                text = octets.decode("utf-16-be")
            except UnicodeDecodeError:
                return None
            return text if _OVERRIDE not in text else None
    elif data_coding == 0 and default_alphabet == "gsm7" and not octets.translate(None, _SAME):
        return octets.decode("ascii")
    return None


def _sure(octets: bytes, kind: Alphabet) -> bool:
    """Tell whether octets that mean something in their coding are hardly something else: no order mark, plain Latin letters."""
    if kind is Alphabet.UCS2:
        return octets[:2] not in _BYTE_ORDER_MARKS
    return not octets.translate(None, _PLAIN)


def _packed(contents: Sequence[Content], coding: int, default_alphabet: str) -> Shown:
    """Packed septets begin behind fill bits that depend on the header: each part is unpacked on its own."""
    texts = []
    exact = True
    for one in contents:
        header = bytes(one.header.length) if one.header is not None else b""
        udh = one.header
        text, whole = decode(header + one.octets, coding, udh=udh, default_alphabet=default_alphabet)
        texts.append(text)
        exact = exact and whole and (udh is None or udh.ports is None)
    return Shown("".join(texts), (), exact)


def _others(octets: bytes, kind: Alphabet) -> list[str]:
    """Return what octets may be when they are not what they claim: UTF-16 or UTF-8 under another name."""
    found = []
    mark = _BYTE_ORDER_MARKS.get(octets[:2])
    if mark is not None:
        found.append(octets[2:].decode(mark, "replace"))
    if kind is Alphabet.UCS2:
        return found
    if len(octets) % 2 == 0 and len(octets) >= 4 and _may_be_utf16(octets):
        found.append(octets.decode("utf-16-be", "replace"))
    if not octets.isascii():
        try:
            found.append(octets.decode("utf-8"))
        except UnicodeDecodeError:
            if kind in {Alphabet.GSM7, Alphabet.ASCII}:
                found.append(octets.decode("latin-1"))
    return found


def _may_be_utf16(octets: bytes) -> bool:
    """Tell whether high octets are those of Latin, punctuation, kana, ideographs or full-width forms, as in a text."""
    high = octets[::2]
    likely = sum(octet in {0x00, 0x20, 0x30, 0xFF} or 0x4E <= octet <= 0x9F for octet in high)
    return likely * 10 >= len(high) * 9
