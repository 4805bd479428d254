"""recall: what memory does not know is read from the store, in the background, for the journeys that asked.

One task serves all: receipts without a message in memory, owed rows just leased, waiting messages just claimed, short ids. What is
asked for while it reads is served with the next round, so a flood of late receipts costs few queries.

Must never: decide anything; hold more than its callers bound.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from smsgw.carriers.dialect import second_chances
from smsgw.receipts.matching import same_number
from smsgw.store import messages, receipts
from smsgw.store.database import LOST, heed_cancellation
from smsgw.store.ids import seconds_of
from smsgw.wire import where_raised

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from smsgw.journey.arrival import Arrival
    from smsgw.journey.desk import Desk
    from smsgw.journey.receipt import ReceiptJourney
    from smsgw.model import Message, Owed

SHORT_ID_BLOCK = 1_000
CLOSED_S: Final = 3_600.0
"""So long a receipt waits for a message whose content does not open; then state and money are worth more than the TON and NPI of
its addresses, which the content alone knows."""


class Recall:
    """Reads what others need, a round at a time."""

    def __init__(self, desk: Desk, pool: Any, *, guess_after_s: float = 0.0) -> None:
        """`pool` gives connections for reading (asyncpg.Pool); `guess_after_s`: how long a receipt waits for its own id."""
        self._desk = desk
        self._pool = pool
        self._guess_after_s = guess_after_s
        self._wake = asyncio.Event()
        self._owed: list[tuple[list[int], Callable[[list[Owed]], None]]] = []
        self._wanted: list[tuple[list[int], Callable[[Message], None], bool]] = []
        self._blocks: dict[int, list[int]] = {}
        self._short_wanted: set[int] = set()
        self.receipts: ReceiptJourney | None = None
        self.on_broken: Callable[[Message], None] = _nobody_mends
        self.on_closed: Callable[[Message], None] = _nobody_mends
        self._log = structlog.get_logger().bind()

    # ---- asking ---------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Receipts without a message are waiting."""
        self._wake.set()

    def load_owed(self, ids: list[int], then: Callable[[list[Owed]], None]) -> None:
        """Read leased owed rows, then call `then` with them."""
        self._owed.append((ids, then))
        self._wake.set()

    def load_messages(self, ids: list[int], then: Callable[[Message], None], *, claimed: bool = False) -> None:
        """Read messages, then call `then` with each; with `claimed` those alone that are still claimed, and not on their way.

        Between claim and reading the journey of held texts may have let one go: it is on its way then, and nobody's to take up.
        One whose content does not open has none; if claimed, `on_closed` is called with it instead.
        """
        self._wanted.append((ids, then, claimed))
        self._wake.set()

    def short_id(self, account_id: int) -> str:
        """Return the account's next 8-hex-digit id; "" while none is leased (one is being leased then)."""
        block = self._blocks.get(account_id)
        if block is None or block[0] >= block[1]:
            self._short_wanted.add(account_id)
            self._wake.set()
            return ""
        block[0] += 1
        return f"{(block[0] - 1) & 0xFFFFFFFF:08x}"

    def want_short_ids(self, account_id: int) -> None:
        """A session that needs short ids has bound: have some ready."""
        if account_id not in self._blocks:
            self._short_wanted.add(account_id)
            self._wake.set()

    # ---- reading --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve what is asked for, until cancelled."""
        while True:
            heed_cancellation()
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._round()
            except LOST as error:
                self._log.warning("recall_failed", error=type(error).__name__)
                await asyncio.sleep(0.5)
                self._wake.set()

    async def _round(self) -> None:
        while self._owed:
            ids, then = self._owed[0]
            rows = await receipts.load_owed(self._pool, ids, self._desk.opened)
            self._desk.process.unreadable += sum(not row.body for row in rows)
            self._owed.pop(0)
            then(rows)
        while self._wanted:
            ids, each, claimed = self._wanted[0]
            read, closed = await messages.by_id(self._pool, ids, self._desk.account_of, self._desk.opened)
            due: Container[int] = read.keys() | closed.keys()
            if claimed:  # asked last: a row of a message and its place change in one cycle
                due = await messages.due(self._pool, ids, self._desk.commit.seat.node)
            self._wanted.pop(0)
            self._desk.process.unreadable += len(closed)
            for take, found in ((each, read), (self.on_closed if claimed else each, closed)):
                for message in found.values():
                    if message.id in due:
                        self._hand_over(message, take)
        for account_id in list(self._short_wanted):
            first = await messages.lease_short_ids(self._pool, account_id, SHORT_ID_BLOCK)
            self._short_wanted.discard(account_id)
            self._blocks[account_id] = [first, first + SHORT_ID_BLOCK]
        if self.receipts is not None:
            await self._match(self.receipts)

    def _hand_over(self, message: Message, then: Callable[[Message], None]) -> None:
        try:
            then(message)
        except Exception as error:  # noqa: BLE001 - the wall around one message: the others have not done anything
            self._log.error("message_not_taken_up", message_id=message.id, error=type(error).__name__, where=where_raised(error))
            self.on_broken(message)

    async def _match(self, journey: ReceiptJourney) -> None:
        arrivals = journey.take_unmatched()
        if not arrivals:
            return
        try:
            found = await self.search(arrivals)
        except LOST:
            for arrival in arrivals:
                journey.put_back(arrival)
            raise
        for arrival in arrivals:
            message = self._desk.transit.find(arrival.link.id, arrival.key, arrival.address) or found.get(id(arrival))
            if message is not None:
                journey.found(arrival, message)
            else:
                journey.park(arrival)

    async def search(self, arrivals: list[Arrival]) -> dict[int, Message]:
        """Look arrivals up among the references; returns id(arrival) → message, fresh from its row, one object a message."""
        by_key = await self._referred([(arrival.link.id, arrival.key) for arrival in arrivals if arrival.key])
        transit = self._desk.transit
        meant: dict[int, int] = {}
        for arrival in arrivals:
            key = (arrival.link.id, arrival.key)
            known = dict([(message.id, message.destination) for message in transit.named(*key)] + by_key.get(key, []))
            chosen = _choose(known, arrival.address)
            if chosen:
                meant[id(arrival)] = chosen
        await self._second_chances([one for one in arrivals if id(one) not in meant and self._overdue(one)], meant)
        self._by_addresses([arrival for arrival in arrivals if not arrival.key], meant)
        ids = sorted(set(meant.values()))
        loaded, closed = await messages.by_id(self._pool, ids, self._desk.account_of, self._desk.opened)
        self._desk.process.unreadable += len(closed)
        in_memory = transit.open
        for arrival in arrivals if closed else ():
            number = meant.get(id(arrival), 0)
            if number in closed and (number in in_memory or self._waited(arrival, CLOSED_S)):
                loaded[number] = closed[number]
        return {key: in_memory.get(message_id) or loaded[message_id] for key, message_id in meant.items() if message_id in loaded}

    def _by_addresses(self, arrivals: list[Arrival], meant: dict[int, int]) -> None:
        """A receipt that names no id means the one message in memory that is open between its addresses."""
        keys = {id(arrival): (arrival.link.id, arrival.address.lstrip("+0"), arrival.to.lstrip("+0")) for arrival in arrivals}
        open_ones = self._desk.transit.between(set(keys.values())) if keys else {}
        for arrival, key in keys.items():
            if len(open_ones.get(key, ())) == 1:
                meant[arrival] = open_ones[key][0].id

    async def _referred(self, keys: list[tuple[int, str]]) -> dict[tuple[int, str], list[tuple[int, str]]]:
        """Look keys up; returns (link, key) → (message id, destination), newest first."""
        found: dict[tuple[int, str], list[tuple[int, str]]] = {}
        for link, key, message_id, destination in await messages.referred(self._pool, keys):
            found.setdefault((link, key), []).append((message_id, destination))
        return found

    def _overdue(self, arrival: Arrival) -> bool:
        """Tell whether a parked receipt has waited long enough for its own id.

        Sooner its message may be about to be settled, and the id in another form may be that of its neighbour: a carrier that
        counts has both 11 and 17, which is 0x11.
        """
        return bool(arrival.key) and self._waited(arrival, self._guess_after_s)

    def _waited(self, arrival: Arrival, seconds: float) -> bool:
        """Tell whether a receipt has been parked for so long."""
        parked_id = arrival.parked_id
        return bool(parked_id) and self._desk.clock.time() - seconds_of(parked_id) >= seconds

    async def _second_chances(self, arrivals: list[Arrival], meant: dict[int, int]) -> None:
        """Try the other forms of ids that nobody knows: accepted where all of them mean one message, to the receipt's address."""
        forms = {id(arrival): second_chances(arrival.link.dialect, arrival.receipt) for arrival in arrivals}
        keys = [(arrival.link.id, form) for arrival in arrivals for form in forms[id(arrival)]]
        referred = await self._referred(keys) if keys else {}
        for arrival in arrivals:
            link, address = arrival.link.id, arrival.address
            found = {message_id: to for form in forms[id(arrival)] for message_id, to in referred.get((link, form), [])}
            for form in forms[id(arrival)]:
                found.update((message.id, message.destination) for message in self._desk.transit.named(link, form))
            if len(found) == 1 and same_number(next(iter(found.values())), address):
                meant[id(arrival)] = next(iter(found))


def _nobody_mends(_message: Message) -> None:
    """Nobody has said what to do with a message whose journey failed."""


def _choose(candidates: dict[int, str], destination: str) -> int:
    """Carriers reuse ids: the newest message to the receipt's address is meant; a single candidate is taken as it is."""
    ours = [message_id for message_id, theirs in candidates.items() if same_number(theirs, destination)]
    if ours:
        return max(ours)
    return next(iter(candidates)) if len(candidates) == 1 else 0
