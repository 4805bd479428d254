"""due: what time brings. Expiry of what waits, doubts whose time is over, receipts that never came, rows that leave memory.

Called by the daemon's ticker, once a second. Everything it finds goes through the journeys that know what a state needs; rows that
wait in the store are claimed in pages by the unit of work, so that several nodes never take the same one.

Promises: memory is bounded: what is open longer than `spill_after_s` is kept in the store instead; only what smsgw itself holds
expires by our clock (HELD, SCHEDULED, QUEUED), SENT and IN_DOUBT never do.
Must never: await; take more than a page a tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from smsgw.model import FIRST_FINAL, Message, State
from smsgw.store.ids import seconds_of

if TYPE_CHECKING:
    from smsgw.carriers.pool import Carriers
    from smsgw.journey.defer import Defer
    from smsgw.journey.desk import Desk
    from smsgw.journey.dispatch import Dispatch
    from smsgw.journey.ending import Ending
    from smsgw.journey.hold import Hold
    from smsgw.journey.recall import Recall

PAGE: Final = 500
SET_ASIDE_S: Final = 3_600.0
"""After so long a message is tried again of which a change could not be stored."""
OPEN_STATES: Final = frozenset({State.HELD, State.SCHEDULED, State.QUEUED})


class Due:
    """The journey of time."""

    def __init__(  # noqa: PLR0917 - whom it hands over to
        self,
        desk: Desk,
        carriers: Carriers,
        dispatch: Dispatch,
        ending: Ending,
        recall: Recall,
        hold: Hold,
        defer: Defer,
        *,
        spill_after_s: float,
    ) -> None:
        """Take the parties; `spill_after_s`: how long an open message is kept in memory."""
        self._desk = desk
        self._carriers = carriers
        self._dispatch = dispatch
        self._ending = ending
        self._recall = recall
        self._hold = hold
        self._defer = defer
        self._spill_after_s = spill_after_s
        self._claiming: set[int] = set()
        self.spilled = 0

    def tick(self) -> None:
        """Do what is due now."""
        if not self._desk.commit.available:
            return
        self._spill()
        self._claim(0)
        for link in self._desk.directory.links():
            if self._carriers.room(link.id) > 0:
                self._claim(link.id)
        for link_id in self._dispatch.links_with_queue():
            self._dispatch.on_room(link_id)

    # ---- out of memory --------------------------------------------------------------------------------------------

    def _spill(self) -> None:
        """Move what is open for long into the store: its row, where its receipt leads, and its deadline."""
        desk = self._desk
        now = desk.clock.time()
        before = now - self._spill_after_s
        commit = desk.commit
        leaving: list[Message] = []
        for message in desk.transit.oldest():
            if seconds_of(message.id) > before:
                break
            # what hold has let go is claimed in the store as well; where the carrier did not take it, the store keeps it alone
            kept = message.waiting and message.state is not State.QUEUED
            if message.id not in commit.changed and message.pending is None and not kept:
                leaving.append(message)
        queues: set[int] = set()
        for message in leaving:
            if message.state is State.SENT:
                commit.refer(message)
                desk.transit.leave(message)
            elif message.state is State.SUBMITTING and message.answered_at:
                # The link still holds it, and will settle it; only the low water need not wait for that.
                commit.wait(message, message.link, now + 86_400.0, claimed=True)
                message.waiting = True
                desk.transit.open.pop(message.id, None)
            elif message.state is State.QUEUED and (message.answered_at or message.session is None):
                queues.add(message.link)
                message.spilled, message.waiting = True, False
                commit.wait(message, message.link, 0.0, claimed=False)
                desk.transit.leave(message)
            else:
                continue
            self.spilled += 1
        for link_id in queues:
            self._dispatch.drop_spilled(link_id)

    # ---- back into memory -----------------------------------------------------------------------------------------

    def on_room(self, link_id: int) -> None:
        """A link has room and nothing in memory for it: look into the store."""
        self._dispatch.on_room(link_id)
        if self._carriers.room(link_id) > 0 and self._desk.commit.available:
            self._claim(link_id)

    def _claim(self, link_id: int) -> None:
        """Take a page of waiting messages of a link, or (0) of those with something due."""
        if link_id in self._claiming:
            return
        page = min(PAGE, self._carriers.room(link_id)) if link_id else PAGE
        if page <= 0:
            return
        self._claiming.add(link_id)

        def claimed(ids: list[int], _verdict: Any) -> None:
            self._claiming.discard(link_id)
            if ids:
                self._recall.load_messages(ids, self._take_up, claimed=True)
                if len(ids) >= page and link_id:
                    self.on_room(link_id)

        self._desk.commit.claim(link_id, page, claimed)

    def _take_up(self, message: Message) -> None:
        """A claimed message is here again: expired, in doubt, or ready to go."""
        now = self._desk.clock.time()
        message.waiting = True
        if message.state is State.HELD:
            self._hold.take_up(message)
        elif message.state is State.SCHEDULED and not (message.expires_at and now >= message.expires_at):
            self._defer.open(message)
        elif message.state in OPEN_STATES and message.expires_at and now >= message.expires_at:
            message.state = State.EXPIRED
            self._ending.end(message)
        elif message.state is State.QUEUED:
            self._dispatch.claimed(message)
        elif message.state in {State.IN_DOUBT, State.SUBMITTING}:
            # SUBMITTING and free: it was set aside, so nobody has it on the wire.
            # adopt() leaves error 0: then the doubt is new, and the account's waiting time begins.
            self._dispatch.doubt(message, again=message.error != 0)
        elif message.state is State.SENT:
            message.waiting = False
            self._desk.commit.unwait(message.id)
        else:
            self._desk.commit.unwait(message.id)

    def displaced(self, message: Message) -> None:
        """A change could not be stored, and memory has let go of its message: see what its row says."""
        self._recall.load_messages([message.id], self._set_aside)

    def _set_aside(self, message: Message) -> None:
        """Give the row of a message whose change could not be stored a place.

        Where a receipt finds it, or where it is taken up in an hour: at once would be for ever.
        """
        commit = self._desk.commit
        if message.state is State.SENT:
            commit.refer(message)
        elif message.state < FIRST_FINAL:
            commit.wait(message, message.link, self._desk.clock.time() + SET_ASIDE_S, claimed=False)

    def never_receipted(self, message: Message) -> None:
        """No receipt within the time that receipts are waited for: the fate of a SENT message stays unknown."""
        if message.state is State.SENT:
            message.state = State.UNKNOWN
            self._ending.end(message)
