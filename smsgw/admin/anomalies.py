"""What is unusual about an account is told to its tenant: a bind from an address that is new for it, a burst of wrong credentials,
binds from several places at once, much more traffic than lately. Whoever reads that may lock it at once (`smsgw state freeze`).

The keeper alone looks: at what the door has noted, the binds in the store, the counters of accounts. A kind is told once an hour
and account, however often its cause comes, by whichever node sees it; binds from the same places once a day. Further addresses are
added to the notice. Addresses are told; a secret, or what a message says, never.

Must never: run for a message or within a bind; refuse or limit anybody.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import structlog

from smsgw.config import Anomalies
from smsgw.store import anomalies as store
from smsgw.store import notices
from smsgw.store.anomalies import Seen
from smsgw.store.database import Connection
from smsgw.telemetry.meters import OTHER, Meters
from smsgw.tenants.bind import Authenticator, Burst
from smsgw.wire import TimeSource

KINDS: Final = ("bind_failures", "new_source", "places", "rate_spike")
MINUTES: Final = 60
"""An account's recent level is the mean of so many minutes; it is known after `KNOWN`."""
KNOWN: Final = 10
PLACES_EVERY: Final = 10
"""Places are looked at once in so many errands."""
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400


class Level:
    """What an account has submitted in each of the last minutes, and whether the last one was told as high."""

    __slots__ = ("_before", "_minutes", "high")

    def __init__(self, count: int) -> None:
        """`count`: what its counter says now."""
        self._before = count
        self._minutes: deque[int] = deque(maxlen=MINUTES)
        self.high = False

    def minute(self, count: int) -> tuple[int, float | None]:
        """A minute is over: return what it had, and the mean of those before it; None while that is not known."""
        sent, self._before = count - self._before, count
        mean = sum(self._minutes) / len(self._minutes) if len(self._minutes) >= KNOWN else None
        self._minutes.append(sent)
        return sent, mean


class Watch:
    """Looks for what is unusual. `counts`: what was told by this node, by kind."""

    def __init__(self, settings: Anomalies, meters: Meters, clock: TimeSource) -> None:
        """Nothing happens before the first `look`."""
        self._settings = settings
        self._meters = meters
        self._clock = clock
        self._levels: dict[str, Level] = {}
        self._minute = int(clock.now() // 60)
        self._turn = 0
        self.counts: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self._log = structlog.get_logger().bind()
        meters.counter("smsgw_anomalies", "Unusual things about accounts that were told.", self._counted, ("kind",))

    def _counted(self) -> Mapping[tuple[str, ...], float]:
        return {(kind,): count for kind, count in self.counts.items()}

    async def look(self, connection: Connection, door: Authenticator) -> None:
        """An errand of the keeper: tell what there is. What the store does not take now is lost: it is told, not relied on."""
        settings = self._settings
        if door.bursts:
            bursts, door.bursts = door.bursts, []
            for burst in bursts:
                await self._burst(connection, burst)
        if door.came:
            came, door.came = door.came, {}
            if settings.known_sources:
                for seen in await store.note_sources(connection, came, settings.known_sources):
                    await self._new_source(connection, seen)
        if settings.places and not self._turn:
            for seen in await store.in_places(connection, settings.places):
                await self._in_places(connection, seen)
        self._turn = (self._turn + 1) % PLACES_EVERY
        minute = int(self._clock.now() // 60)
        if settings.spike_factor and minute != self._minute:
            self._minute = minute
            for system_id, told in self._spikes():
                await self._spike(connection, system_id, told)

    async def _burst(self, connection: Connection, burst: Burst) -> None:
        account = burst.account
        said = {"name": account.system_id, "failures": burst.failures, "address": burst.address}
        key = f"bind_failures:{account.id}:{self._hour()}"
        if await notices.add(connection, account.tenant.id, "bind_failures", said, account=account.id, coalesce_key=key):
            self._tell("bind_failures", account.system_id, failures=burst.failures, addresses=[burst.address])

    async def _new_source(self, connection: Connection, seen: Seen) -> None:
        key = f"new_source:{seen.account}:{self._hour()}"
        addresses = list(seen.addresses)
        if await notices.fold(connection, seen.tenant, seen.account, "new_source", seen.system_id, addresses, key):
            self._tell("new_source", seen.system_id, addresses=addresses[:10])

    async def _in_places(self, connection: Connection, seen: Seen) -> None:
        same = blake2b(",".join(seen.addresses).encode(), digest_size=8).hexdigest()
        day = int(self._clock.time() // _DAY_S)
        said = {"name": seen.system_id, "networks": list(seen.addresses[:10]), "places": len(seen.addresses)}
        key = f"places:{seen.account}:{day}:{same}"
        if await notices.add_seldom(connection, seen.tenant, "places", said, account=seen.account, coalesce_key=key):
            self._tell("places", seen.system_id, addresses=list(seen.addresses[:10]))

    def _spikes(self) -> list[tuple[str, dict[str, Any]]]:
        """Return accounts whose last minute rose above their own level; each once until it has fallen again."""
        found = []
        for name, meter in self._meters.accounts.items():
            count = meter.accepted + meter.refused.total()
            level = self._levels.get(name)
            if name == OTHER or level is None:
                self._levels[name] = Level(count)
                continue
            sent, mean = level.minute(count)
            high = mean is not None and sent >= self._settings.spike_least and sent > self._settings.spike_factor * mean
            if high and not level.high:
                found.append((name, {"submits": sent, "level": round(mean or 0.0, 1)}))
            level.high = high
        return found

    async def _spike(self, connection: Connection, system_id: str, told: dict[str, Any]) -> None:
        of = await store.account(connection, system_id)
        if of is None:
            return
        key = f"rate_spike:{of.account}:{self._hour()}"
        said = {"name": system_id, **told}
        if await notices.add(connection, of.tenant, "rate_spike", said, account=of.account, coalesce_key=key):
            self._tell("rate_spike", system_id, **told)

    def _hour(self) -> int:
        return int(self._clock.time() // _HOUR_S)

    def _tell(self, kind: str, system_id: str, **told: Any) -> None:
        self.counts[kind] += 1
        self._log.warning("account_anomaly", kind=kind, system_id=system_id, **told)
