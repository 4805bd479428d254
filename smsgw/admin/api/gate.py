"""The gate: which token a request shows, whether it works, and how often an address may show a wrong one.

A token is looked up by its hash, so that neither the look-up nor its time says how much of a guess was right; what is found is
compared again in constant time. Wrong ones are counted by address: over `api.failures` in a minute an address is told to wait, and
the store is not asked; but whoever shows a token that has worked here goes on: nobody is locked out by others behind his address.

Never here: what a token may (its route says what it needs), a token or its hash in a log.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from smsgw.admin.api.problems import Refused
from smsgw.admin.tokens import digest_of
from smsgw.store.tokens import Token

LookUp = Callable[[bytes], Awaitable[Token | None]]

WINDOW_S: Final = 60.0
ADDRESSES: Final = 4_096
"""Addresses whose failures are remembered; over it the one unseen for longest is forgotten."""
KNOWN: Final = 1_024
"""Hashes that have worked here."""
_SCHEME: Final = "Bearer "


class Gate:
    """Knows tokens when it sees them. `failures`: (reason,) → requests without a token that works."""

    def __init__(self, look_up: LookUp, now: Callable[[], float], *, most: int) -> None:
        """`look_up` asks the store for a hash; `most`: failures of an address in a minute."""
        self._look_up = look_up
        self._now = now
        self._most = most
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self.failures: Counter[tuple[str, ...]] = Counter()

    async def admit(self, header: str, address: str) -> Token:
        """Return the token of an Authorization header. Raises Refused: 401, and 429 for too many wrong ones."""
        address = party_of(address)
        digest = digest_of(header.removeprefix(_SCHEME)) if header.startswith(_SCHEME) else None
        if digest not in self._known:
            self._check(address)
        if digest is None:
            raise self._refused(address, "missing" if not header else "malformed")
        token = await self._look_up(digest)
        if token is None or not hmac.compare_digest(token.hash, digest):
            raise self._refused(address, "unknown")
        if not token.live:
            self._known.pop(digest, None)
            raise self._refused(address, "revoked" if token.revoked is not None else "expired")
        self._known[digest] = None
        self._known.move_to_end(digest)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return token

    def _check(self, address: str) -> None:
        since, count = self._wrong.get(address, (0.0, 0))
        left = since + WINDOW_S - self._now()
        if count >= self._most and left > 0:
            self.failures["throttled",] += 1
            told = "too many requests without a token that works came from your address (api.failures): wait a minute"
            raise Refused(429, "too_many_failures", told, retry_after_s=max(1, int(left) + 1))

    def _refused(self, address: str, reason: str) -> Refused:
        """Count a failure; one answer for all that are wrong, so that nobody learns which."""
        self.failures[reason,] += 1
        now = self._now()
        since, count = self._wrong.pop(address, (now, 0))
        if since + WINDOW_S <= now:
            since, count = now, 0
        self._wrong[address] = since, count + 1
        if len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)
        told = "no token that works: send Authorization: Bearer smsgw_… (smsgw token add makes one)"
        return Refused(401, "unauthenticated", told)


def party_of(address: str) -> str:
    """Return whom an address is counted as: of IPv6 its /64, which is one party's as a rule."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
