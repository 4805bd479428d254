"""Senders that take the place of others: what a set's countries put where a tenant's own sender may not be.

A name is at most eleven characters of the GSM alphabet that are ASCII, with a letter among them (TON 5, NPI 0 unless the file says
otherwise); a number has three to fifteen digits (TON 1, NPI 1), a short one its TON said by the file.

Never here: whether a sender is replaced (`address`), the octets of a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from smsgw.policy.file import Country, Sender
from smsgw.smpp import const

_NUMBER: Final = re.compile(r"\d{3,15}")
_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &._+-]{1,11}")
_INTERNATIONAL: Final = 7
"""Digits from which a number that says no TON is taken for an international one."""


class Replacement(NamedTuple):
    """An address that is put where the tenant's own was."""

    ton: int
    npi: int
    address: str


def replacements_of(sender: Sender | None) -> tuple[Mapping[str, Replacement], list[str]]:
    """Return what each country puts in place, and what is wrong with what the file says."""
    found: dict[str, Replacement] = {}
    faults: list[str] = []
    for one in sender.country if sender is not None else ():
        wanted = "replace" in {one.alphanumeric, one.numeric}
        if not wanted and one.replacement:
            faults.append(f"sender.country {one.country}: a replacement is given, and nothing says replace")
        elif wanted and not one.replacement:
            faults.append(f"sender.country {one.country}: replace wants a replacement: the sender that is put in place")
        elif wanted:
            made, fault = _replacement(one)
            faults += [fault] if fault else []
            found.setdefault(one.country, made)
    return found, faults


def _replacement(one: Country) -> tuple[Replacement, str]:
    """Return an address with its TON and NPI, and what is wrong with it."""
    name = _NUMBER.fullmatch(one.replacement) is None
    ton = (const.TON_ALPHANUMERIC if name else const.TON_INTERNATIONAL) if one.ton is None else one.ton
    npi = (const.NPI_UNKNOWN if name else const.NPI_ISDN) if one.npi is None else one.npi
    where, fault = f"sender.country {one.country}: replacement {one.replacement!r}", ""
    if name and _NAME.fullmatch(one.replacement) is None:
        fault = f"{where} is neither a number of 3 to 15 digits nor a name of 1 to 11 characters with a letter"
    elif name is not (ton == const.TON_ALPHANUMERIC):
        fault = f"{where}: ton {const.TON_ALPHANUMERIC} is for names, and for them alone"
    elif not name and len(one.replacement) < _INTERNATIONAL and one.ton is None:
        fault = f"{where} is a short number: say its ton (3 network specific, 6 abbreviated)"
    return Replacement(ton, npi, one.replacement), fault
