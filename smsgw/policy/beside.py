"""What a message bears beside its text and a handset shows or dials: callback numbers, their names, subaddresses, reply addresses.

Read are the TLVs callback_num, callback_num_atag, source_subaddress and dest_subaddress (SMPP 3.4 §5.3.2.15, 16, 36, 39), and the
reply address of a header (IEI 0x22, 3GPP TS 23.040 §9.2.3.24.16). Clients write them in many ways, so a value is read in each that
makes sense: digits as letters, with and without the octets that say what they are, or two in an octet, either of them first.
`Written.forms` are these ways. Of a name all count; of a number one is meant, and nobody here knows which.

Promises: any octets give an answer, never an exception; what cannot be read gives nothing.
Never here: which numbers and links are allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from smsgw.policy.handset import Content, shown
from smsgw.policy.normal import n1
from smsgw.smpp import const, gsm7, tlv

IEI_REPLY_ADDRESS: Final = 0x22
_INTERNATIONAL: Final = 1
_ALPHANUMERIC: Final = 5
_HEAD: Final = 3
"""Digit mode, type of number and numbering plan before the digits of a callback_num."""
_CONTROLS: Final = bytes(range(0x21))
_FILLERS: Final = b"\0\xff "
_SUBADDRESS_TYPES: Final = frozenset({0x80, 0x88, 0xA0})
_PRIVATE: Final = frozenset({0x48, 0x49, 0x50})
"""What says that the rest of an NSAP is digits, or letters, as somebody likes."""
_LEAST: Final = 5
_DIGITS: Final = "0123456789"


class Written(NamedTuple):
    """Something beside the text: the name of its TLV or element, n1 of each way to read it. `number`: one of them is meant."""

    name: str
    forms: tuple[str, ...]
    number: bool


def beside(contents: Iterable[Content], default_alphabet: str) -> tuple[Written, ...]:
    """Return what the PDUs of a message bear beside its text, as far as it can be read."""
    return tuple(written for content in contents for written in _of(content, default_alphabet) if written.forms)


def _of(content: Content, default_alphabet: str) -> Iterator[Written]:
    if content.header is not None:
        for iei, value in content.header.elements:
            if iei == IEI_REPLY_ADDRESS:
                yield _reply_address(value)
    if content.tlv_at == len(content.pdu):
        return
    for tag, at, length in tlv.iterate_lenient(content.pdu, content.tlv_at):
        if tag not in _READ:
            continue
        value = content.pdu[at : at + length]
        if tag == const.TAG_CALLBACK_NUM:
            yield _number(const.TAG_NAMES[tag], _callback(value))
        elif tag == const.TAG_CALLBACK_NUM_ATAG:
            yield Written(const.TAG_NAMES[tag], _tag(value, default_alphabet), number=False)
        else:
            yield _number(const.TAG_NAMES[tag], _subaddress(value))


_READ: Final = frozenset({
    const.TAG_CALLBACK_NUM,
    const.TAG_CALLBACK_NUM_ATAG,
    const.TAG_SOURCE_SUBADDRESS,
    const.TAG_DEST_SUBADDRESS,
})  # fmt: skip


def _number(name: str, ways: Iterable[str]) -> Written:
    return Written(name, tuple(dict.fromkeys(n1(one) for one in ways if len(one) >= _LEAST)), number=True)


def _callback(value: bytes) -> Iterator[str]:
    """Yield the ways to read a callback_num: digit mode (0: two in an octet, 1: letters), type, plan, digits."""
    headed = len(value) > _HEAD and value[0] <= 1
    international = headed and value[1] == _INTERNATIONAL
    yield from _dialled(_letters(value), international=international)
    if headed:
        for digits in _packed(value[_HEAD:]):
            yield from _dialled(digits, international=international)


def _subaddress(value: bytes) -> Iterator[str]:
    """Yield the ways to read a subaddress: what kind it is, and what it is."""
    address = value[1:] if value and value[0] in _SUBADDRESS_TYPES else value
    yield _letters(address)
    yield from _packed(address)
    if address and address[0] in _PRIVATE:
        yield _letters(address[1:])
        yield from _packed(address[1:])


def _tag(value: bytes, default_alphabet: str) -> tuple[str, ...]:
    """Return the ways to read the name of a callback number: its data_coding, and the text."""
    if len(value) < 2:
        return ()
    read = shown((Content(value[1:], value[0], None, None, 0),), default_alphabet)
    texts = (read.text, *read.others) if read.exact or read.others else (_letters(value),)
    return tuple(dict.fromkeys(n1(text) for text in texts if text))


def _reply_address(value: bytes) -> Written:
    """Read an address as a handset has it: how many digits, what type, two of them in an octet, the first one low."""
    name = "reply_address"
    if len(value) < 3:
        return Written(name, (), number=True)
    kind = value[1] >> 4 & 7
    if kind == _ALPHANUMERIC:
        text, _ = gsm7.decode(gsm7.unpack7(value[2:], 0, value[0] * 4 // 7))
        return Written(name, (n1(text),) if text else (), number=False)
    digits = _half_octets(value[2:], low_first=True)
    ways = [way for one in (digits[: value[0]], digits) for way in _dialled(one, international=kind == _INTERNATIONAL)]
    return _number(name, ways)


def _dialled(digits: str, *, international: bool) -> Iterator[str]:
    """Yield digits, with a + where they are international and begin like a country: many write so whatever they have."""
    if international and digits[:1].isdecimal() and not digits.startswith(("0", "10")):
        yield f"+{digits}"
    else:
        yield digits


def _letters(value: bytes) -> str:
    """Return octets that are letters and digits, without what stands before and behind them; "" for others."""
    bare = value.lstrip(_CONTROLS).rstrip(_FILLERS)
    return bare.decode("ascii") if bare.isascii() and bare.decode("ascii").isprintable() else ""


def _packed(value: bytes) -> Iterator[str]:
    """Yield what two digits in an octet may say: the first one low (TBCD), or high; there a 0 may fill up the last octet.

    Octets that are digits as letters are not read so as well.
    """
    if value.isdigit():
        return
    yield _half_octets(value, low_first=True)
    digits = _half_octets(value, low_first=False)
    yield digits
    if digits.endswith("0"):
        yield digits[:-1]


def _half_octets(value: bytes, *, low_first: bool) -> str:
    """Return the digits of half octets, of which 10 is the 0 of a keypad and 15 fills up; "" where there is anything else."""
    text = value.hex()
    if low_first:
        text = "".join(text[at + 1] + text[at] for at in range(0, len(text), 2))
    text = text.rstrip("f").replace("a", "0")
    return text if text and not text.strip(_DIGITS) else ""
