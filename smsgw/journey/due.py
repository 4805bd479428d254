"""due: what time brings. Expiry of what waits, doubts whose time is over, receipts that never came, rows that leave memory.

Called by the daemon's ticker, once a second. Everything it finds goes through the journeys that know what a state needs; rows that
wait in the store are claimed in pages by the unit of work, so that several nodes never take the same one.

Promises: memory is bounded: what is open longer than `spill_after_s` is kept in the store instead; only what smsgw itself holds
expires by our clock (HELD, SCHEDULED, QUEUED), SENT and IN_DOUBT never do.
Must never: await; take more than a page a tick.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from smsgw.model import FIRST_FINAL, Message, State
from smsgw.store.ids import seconds_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smsgw.carriers.pool import Carriers
    from smsgw.journey.cancel import Cancel
    from smsgw.journey.defer import Defer
    from smsgw.journey.desk import Desk
    from smsgw.journey.dispatch import Dispatch
    from smsgw.journey.ending import Ending
    from smsgw.journey.hold import Hold
    from smsgw.journey.recall import Recall

PAGE: Final = 500
PROBE: Final = 50
"""How many of a link that is down are claimed a second where no route has another one with room: routes may have changed."""
CLOSED_S: Final = 60.0
"""After so long a message is tried again whose content does not open."""
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
        cancel: Cancel,
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
        self._cancel = cancel
        self._spill_after_s = spill_after_s
        self._claiming: set[int] = set()
        self._down: set[int] = set()
        self._marks: deque[tuple[float, int]] = deque()
        self._overtaken: list[int] = []
        self.spilled = 0
        self.waited_for: Sequence[int] = ()
        """The links for which something waits in the store, as `recover` finds them."""

    def tick(self) -> None:
        """Do what is due now."""
        if not self._desk.commit.available:
            return
        self._spill()
        if self._overtaken:
            page, self._overtaken = self._overtaken[:PAGE], self._overtaken[PAGE:]
            self._recall.load_messages(page, self._refer)
        self._claim(0)
        for link in self._desk.directory.links():
            if self._carriers.leave(link.id) > 0:
                self._claim(link.id)
        self._fail_over(PROBE)
        for link_id in self._dispatch.links_with_queue():
            self._dispatch.on_room(link_id)

    # ---- out of memory --------------------------------------------------------------------------------------------

    def _spill(self) -> None:
        """Move what is open for long into the store: its row, where its receipt leads, and its deadline."""
        desk = self._desk
        now = desk.clock.time()
        before, mark = now - self._spill_after_s, self._mark(desk.clock.now())
        commit = desk.commit
        leaving: list[Message] = []
        for message in desk.transit.oldest():
            if message.id > mark and seconds_of(message.id) > before:
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

    def _mark(self, now: float) -> int:
        """Return an id that was the newest one `spill_after_s` ago: ids tell the wall clock's time, which may be put back."""
        marks = self._marks
        marks.append((now, self._desk.ids.moment()))
        while len(marks) > 1 and marks[1][0] <= now - self._spill_after_s:
            marks.popleft()
        return marks[0][1] if marks[0][0] <= now - self._spill_after_s else 0

    # ---- back into memory -----------------------------------------------------------------------------------------

    def on_room(self, link_id: int) -> None:
        """A link has room and nothing in memory for it: look into the store."""
        self._dispatch.on_room(link_id)
        if not self._desk.commit.available:
            return
        if self._carriers.leave(link_id) > 0:
            self._claim(link_id)
            self._fail_over(0)
        else:
            self._carriers.want((link_id,))

    def _fail_over(self, probe: int) -> None:
        """Take up what waits for a link that is down, deleted or in no route any more, where another one may have room for it.

        `probe`: how many at most where no route has both.
        """
        for link_id in self.waited_for:
            if self._carriers.bound(link_id) or self._another_node_has(link_id):
                continue
            directory = self._desk.directory
            beside = directory.routes.beside(link_id)
            most = max(map(self._carriers.leave, beside), default=0)
            if most <= 0 and (probe or not beside):
                most = max((self._carriers.leave(link.id) for link in directory.links()), default=0)
                most = min(most, probe) if beside else most
            self._claim(link_id, most)
            self._carriers.want(beside)

    def _another_node_has(self, link_id: int) -> bool:
        """Tell whether a link is for other nodes to bind, and there are some: what waits for it is theirs."""
        link = self._desk.directory.link(link_id)
        return link is not None and bool(link.nodes) and self._desk.commit.seat.node not in link.nodes and self._desk.several_nodes

    def _claim(self, link_id: int, room: int = -1) -> None:
        """Take a page of waiting messages of a link, or (0) of those with something due; `room`: of others, where it is down."""
        if link_id in self._claiming:
            return
        page = min(PAGE, room if room >= 0 else self._carriers.leave(link_id) if link_id else PAGE)
        if page <= 0:
            return
        self._claiming.add(link_id)
        paced = bool(link_id) and page < min(PAGE, self._carriers.room(link_id))
        if room < 0:
            self._down.discard(link_id)
        else:
            self._down.add(link_id)

        def claimed(ids: list[int], _verdict: Any) -> None:
            self._claiming.discard(link_id)
            if ids:
                self._recall.load_messages(ids, self._take_up, claimed=True)
                if len(ids) >= page and link_id and not paced:
                    self.on_room(link_id)
                elif link_id:  # the next ones when there is leave again, not while these are on their way here
                    self._carriers.want((link_id,))

        self._desk.commit.claim(link_id, page, claimed)

    def _take_up(self, message: Message) -> None:
        """A claimed message is here again: expired, in doubt, or ready to go."""
        now = self._desk.clock.time()
        message.waiting = True
        if message.state is State.HELD:
            self._hold.take_up(message)
        elif message.state < State.SENT and self._cancel.takes(message):
            return
        elif message.state is State.SCHEDULED and not (message.expires_at and now >= message.expires_at):
            self._defer.open(message)
        elif message.state in OPEN_STATES and message.expires_at and now >= message.expires_at:
            self._ending.end_unsent(message, State.EXPIRED)
        elif message.state is State.QUEUED:
            self._dispatch.claimed(message, down=message.link in self._down)
        elif message.state in {State.IN_DOUBT, State.SUBMITTING}:
            # SUBMITTING and free: it was set aside, so nobody has it on the wire.
            # adopt() leaves error 0: then the doubt is new, and the account's waiting time begins.
            self._dispatch.doubt(message, again=message.error != 0)
        elif message.state is State.SENT:
            message.waiting = False
            self._desk.commit.unwait(message.id)
        else:
            self._desk.commit.unwait(message.id)

    def closed(self, message: Message) -> None:
        """A claimed message is here without its content, which does not open: what is to be sent is tried again in a minute.

        Its time ends all the same, and a doubt goes its way: what has to be sent again waits like any other.
        """
        now = self._desk.clock.time()
        if message.state not in {State.SCHEDULED, State.QUEUED} or (message.expires_at and now >= message.expires_at):
            self._take_up(message)
        else:
            self._desk.commit.wait(message, message.link, now + CLOSED_S, claimed=False)

    def displaced(self, message: Message) -> None:
        """A change could not be stored, and memory has let go of its message: see what its row says."""
        self._recall.load_messages([message.id], self._set_aside)

    def overtaken(self, message: Message) -> None:
        """Somebody else has changed a message's row: what memory has is history, and its receipt must find the row without it."""
        self._desk.transit.displaced(message)
        if message.upstream_id:
            self._overtaken.append(message.id)

    def _refer(self, message: Message) -> None:
        """Let the receipt of a message that awaits one lead to its row."""
        if message.state is State.SENT:
            self._desk.commit.refer(message)

    def broken(self, message: Message) -> None:
        """A message of the store led to a fault of ours: it gives back its slot, and is tried again in an hour."""
        if message.bind is not None:
            message.bind.release()
            message.bind = None
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
