"""Marks: what is on record about recipients: who has refused marketing, who is on a block list, who has consented.

A mark is the keyed hash of a number within a scope: the platform, a tenant, an account, a signature or a service number of one.
Marks lie in two packed arrays, sorted by hash, 12 octets a mark, with what has changed since in a dict beside them. One look-up
tells all scopes of a number, and for nearly every number that there is none: a hash and a bisection, two to three microseconds.

Two numbers share a hash once in 10¹³ look-ups into a million. One message refused is the worst of it.

Promises: pure; never a number, hashes alone.
Must never: await, know the store (`smsgw.journey.optout` fills it).
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from smsgw.model import Account
from smsgw.policy.numbers import canonical, hashed

OPT_OUT: Final = "opt_out"
BLOCK: Final = "block"
CONSENT: Final = "consent"
_SIGN: Final = 1 << 63


class Scope(NamedTuple):
    """Within what a mark holds. `level`: platform, tenant, account, signature or number.

    `owner`: the id of the account, or of the tenant at that level; 0 for the platform. `key`: the signature or the service number.
    """

    kind: str
    level: str
    owner: int
    key: str = ""


Scopes = tuple[Scope, ...]
Packed = tuple["array[int]", "array[int]"]
"""Hashes, sorted, and the number of the scope of each."""
NOTHING: Final[Scopes] = ()


class Marks:
    """All marks, as this process knows them. `blocking`: whether there is any block list, which is all that most messages ask."""

    __slots__ = ("_changed", "_codes", "_country", "_key", "_numbers", "_scopes", "_width", "blocking")

    def __init__(self, key: bytes = b"", *, country_code: str = "", national_digits: int = 0) -> None:
        """`key` is that of numbers' hashes; numbers of exactly `national_digits` are taken for ones of `country_code`."""
        self._key = key
        self._country = country_code
        self._width = national_digits
        self._numbers: array[int] = array("q")
        self._codes: array[int] = array("i")
        self._changed: dict[int, dict[int, bool]] = {}
        self._scopes: dict[int, Scope] = {}
        self.blocking = False

    def __len__(self) -> int:
        """Return how many marks were loaded; what changed since is `changed`."""
        return len(self._numbers)

    @property
    def changed(self) -> int:
        """How many numbers have changed since."""
        return len(self._changed)

    @property
    def octets(self) -> int:
        """How much memory the loaded marks take."""
        return len(self._numbers) * self._numbers.itemsize + len(self._codes) * self._codes.itemsize

    def hash_of(self, number: str) -> int:
        """Return the hash of a number, signed as the store has it; + and 00 in front do not count, a national one is completed."""
        value = hashed(self._key, self.whole(number))
        return value - (1 << 64) if value & _SIGN else value

    def whole(self, number: str) -> str:
        """Return a number as it is known everywhere: without + or 00, a national one with its country's code."""
        digits = canonical(number)
        return self._country + digits if len(digits) == self._width and self._country else digits

    def spellings(self, number: str) -> tuple[str, ...]:
        """Return a number as it is known everywhere, and as it may be written within its country."""
        digits, code = self.whole(number), self._country
        if code and digits.startswith(code) and len(digits) == self._width + len(code):
            return digits, digits[len(code) :]
        return (digits,)

    def know(self, scopes: Mapping[int, Scope]) -> None:
        """Learn what scopes there are, by their numbers in the store."""
        self._scopes.update(scopes)
        self.blocking = any(scope.kind == BLOCK for scope in self._scopes.values())

    def load(self, packed: Packed) -> None:
        """Take all marks anew."""
        self._numbers, self._codes = packed
        self._changed = {}

    def learn(self, number: int, scope: int, *, active: bool) -> None:
        """A mark was set, or lifted."""
        self._changed.setdefault(number, {})[scope] = active

    def found(self, number: str) -> Scopes:
        """Return the scopes in which a number is marked; for nearly all, none."""
        value = self.hash_of(number)
        numbers = self._numbers
        at = bisect_left(numbers, value)
        changed = self._changed.get(value) if self._changed else None
        if changed is None and (at == len(numbers) or numbers[at] != value):
            return NOTHING
        active = {}
        while at < len(numbers) and numbers[at] == value:
            active[self._codes[at]] = True
            at += 1
        active.update(changed or {})
        return tuple(self._scopes[code] for code, there in active.items() if there and code in self._scopes)

    def block_of(self, account: Account, number: str) -> Scope | None:
        """Return the block list that keeps an account from a number; None: none does."""
        for scope in self.found(number):
            if scope.kind == BLOCK and _holds(scope, account):
                return scope
        return None


def packed(pages: Iterable[tuple[bytes, bytes]]) -> Packed:
    """Return what pages of (hashes, numbers of scopes) hold: big-endian int8 and int4, sorted by hash. May run in a thread."""
    numbers, codes = array("q"), array("i")
    for page, of in pages:
        numbers.frombytes(page)
        codes.frombytes(of)
    if sys.byteorder == "little":
        numbers.byteswap()
        codes.byteswap()
    return numbers, codes


def _holds(scope: Scope, account: Account) -> bool:
    """Tell whether a block list is one of an account."""
    match scope.level:
        case "platform":
            return True
        case "tenant":
            return scope.owner == account.tenant.id
        case _:
            return scope.owner == account.id


def block_word(scope: Scope) -> str:
    """Return how a block list is named in record lines."""
    return f"block.{scope.level}"


def opted_out(scopes: Scopes, account: Account, source: str, signature: str) -> Scope | None:
    """Return the refusal that marketing of an account, from a source and with a signature, meets; None: there is none."""
    for scope in scopes:
        if scope.kind != OPT_OUT or scope.owner != account.id:
            continue
        if scope.level == "account" or scope.key == (signature if scope.level == "signature" else canonical(source)):
            return scope
    return None


def consented(scopes: Scopes, account: Account) -> bool:
    """Tell whether a recipient has consented to an account's marketing."""
    return any(scope.kind == CONSENT and scope.owner == account.id for scope in scopes)


NO_MARKS: Final = Marks()
