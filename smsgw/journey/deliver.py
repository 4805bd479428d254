"""deliver: what an account is owed (receipts, MO) → one of its bound receivers → done.

What is owed is a row until its tenant has answered for it. Rows that this process claimed wait here in memory, oldest first for
each account, and go out as the receivers' windows allow; free rows are leased in pages when there is room for them. A receipt goes
to the session that submitted its message if it can; another session gets it `receipt_hold_s` after the submit_sm_resp, because some
clients lose a receipt that overtakes it.

Promises: a row is closed only after the tenant's answer; a time-out or a lost session means again, with back-off; a final receipt
cancels intermediate ones of its message that still wait.
Must never: keep more than `claim_cap` rows of an account in memory; await.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final

from smsgw.model import Owed, OwedKind
from smsgw.smpp import const

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from smsgw.journey.desk import Desk
    from smsgw.tenants.registry import Registry
    from smsgw.tenants.session import TenantSession

BACK_OFF_S: Final = (1, 2, 5, 10, 30, 60)
LEASE_PAGE: Final = 500
MOST_TRIES: Final = 32_767
"""What the row can count."""
CLOSED_S: Final = 60.0
"""After so long a row is tried again that does not open."""
RETRY_STATUSES: Final = frozenset({const.ESME_RTHROTTLED, const.ESME_RMSGQFUL, const.ESME_RX_T_APPN, const.ESME_RSYSERR})


class Deliver:
    """The journey of what is owed."""

    def __init__(
        self,
        desk: Desk,
        registry: Registry,
        load: Callable[[list[int], Callable[[list[Owed]], None]], None],
        *,
        receipt_hold_s: float,
        claim_cap: int,
    ) -> None:
        """`load(ids, then)` reads leased rows in the background and calls then(rows)."""
        self._desk = desk
        self._registry = registry
        self._load = load
        self._hold_s = receipt_hold_s
        self._claim_cap = claim_cap
        self._ready: dict[int, deque[Owed]] = {}
        self._later: list[tuple[float, int, Owed]] = []
        self._put_off: dict[int, int] = {}  # of these, those that were tried before, by account
        self._leasing: set[int] = set()
        self._more: set[int] = set()
        self._intermediate: dict[int, list[Owed]] = {}
        self._blocked: set[int] = set()

    # ---- in -------------------------------------------------------------------------------------------------------

    def takes(self, account_id: int) -> bool:
        """Tell whether a row of this account should be inserted already claimed by us."""
        if not self._registry.receivers(account_id):
            return False
        queue = self._ready.get(account_id)
        if (queue is not None and len(queue) >= self._claim_cap) or (self._put_off and self._full(account_id)):
            self._more.add(account_id)
            return False
        return True

    def _full(self, account_id: int) -> bool:
        """Tell whether as much of an account waits here for its next try as may be kept."""
        return self._put_off.get(account_id, 0) >= self._claim_cap

    def push(self, owed: Owed, answered_at: float = 0.0) -> None:
        """A row is durable. If it is ours, send it as soon as a receiver can take it."""
        if not owed.claimed:
            if self._registry.receivers(owed.account):
                self._more.add(owed.account)
            return
        if owed.kind == OwedKind.INTERMEDIATE:
            self._intermediate.setdefault(owed.message, []).append(owed)
        elif self._intermediate:
            self._cancel_intermediate(owed.message)
        account = owed.account
        queue = self._ready.get(account)
        session = owed.session
        if not queue:
            if session is not None and session.room > 0:
                session.deliver(owed)
                return
            owed.session = None
            if answered_at and (left := answered_at + self._hold_s - self._desk.clock.time()) > 0:
                left = min(left, self._hold_s)  # also where the clock was put back meanwhile
                heapq.heappush(self._later, (self._desk.clock.now() + left, owed.id, owed))
                return
        if queue is None:
            queue = self._ready[account] = deque()
        owed.session = None
        queue.append(owed)
        if account not in self._blocked:
            self._pump(account)

    # ---- out ------------------------------------------------------------------------------------------------------

    def _pump(self, account_id: int) -> None:
        """Send what is ready, as much as the bound receivers have room for."""
        queue = self._ready.get(account_id)
        if not queue:
            return
        receivers = self._registry.receivers(account_id)
        if not receivers:
            self._give_up(account_id)
            return
        sent = True
        while queue and sent:
            sent = False
            for session in receivers:
                room = session.room
                while room > 0 and queue:
                    owed = queue.popleft()
                    if owed.body:
                        session.deliver(owed)
                        room -= 1
                        sent = True
        if queue:
            self._blocked.add(account_id)
        elif account_id in self._more:
            self._lease(account_id)

    def on_delivered(self, owed: Owed, session: TenantSession, status: int | None) -> None:
        """The tenant has answered for a row (None: it did not, or its session is gone)."""
        commit = self._desk.commit
        meter = session.meter
        if status == 0:
            commit.close(owed.id)
            if owed.kind == OwedKind.MO:
                meter.mo_delivered += 1
            else:
                meter.receipts_delivered += 1
            if owed.kind == OwedKind.INTERMEDIATE:
                self._forget_intermediate(owed)
        elif status is None or status in RETRY_STATUSES:
            self._retry(owed, lost=status is None)
            meter.receipts_retried += 1
        else:
            commit.close(owed.id)
            meter.receipts_refused += 1
            self._forget_intermediate(owed)
        account = owed.account
        if self._blocked and account in self._blocked:
            self._blocked.discard(account)
            self._pump(account)

    def _retry(self, owed: Owed, *, lost: bool) -> None:
        """Again, with back-off; whoever binds first when nobody is left gets it at once.

        What an account cannot take waits here up to the cap, and in the store beyond it.
        """
        owed.tries = min(owed.tries + 1, MOST_TRIES)
        owed.session = None
        now = self._desk.clock.time()
        overtaken = owed.kind == OwedKind.INTERMEDIATE and owed.message not in self._intermediate
        if overtaken or now >= owed.expires_at:
            self._desk.commit.close(owed.id)
            self._desk.process.receipts_expired += not overtaken
            self._forget_intermediate(owed)
            return
        account = owed.account
        receivers = bool(self._registry.receivers(account))
        wait = 0.0 if not receivers or (lost and owed.tries == 1) else BACK_OFF_S[min(owed.tries, len(BACK_OFF_S)) - 1]
        keep = receivers and not self._full(account)
        owed.due_at = now + wait if wait else 0.0
        owed.claimed = keep
        self._desk.commit.postpone(owed, keep=keep)
        if keep:
            self._put_off[account] = self._put_off.get(account, 0) + 1
            heapq.heappush(self._later, (self._desk.clock.now() + wait, owed.id, owed))
        else:
            self._forget_intermediate(owed)

    def _give_up(self, account_id: int) -> None:
        """The last receiver here has gone: whoever binds next, on whichever node, takes the rows."""
        queue = self._ready.pop(account_id, None)
        self._blocked.discard(account_id)
        for owed in queue or ():
            self._free(owed)

    def _free(self, owed: Owed) -> None:
        """Let go of a row: anybody may take it, now."""
        if owed.body:
            owed.claimed = False
            owed.due_at = 0.0
            self._desk.commit.postpone(owed, keep=False)
            self._forget_intermediate(owed)

    # ---- free rows ------------------------------------------------------------------------------------------------

    def on_receiver_bound(self, account_id: int) -> None:
        """A receiver has bound: take up what its account is owed, also what others were to be asked again for later."""
        self._blocked.discard(account_id)
        now = self._desk.clock.now()
        for at, (due, owed_id, owed) in enumerate(self._later):
            if owed.account == account_id and owed.tries:
                self._later[at] = (min(due, now), owed_id, owed)
        heapq.heapify(self._later)
        self._pump(account_id)
        self._lease(account_id)

    def _lease(self, account_id: int) -> None:
        if account_id in self._leasing:
            return
        if self._full(account_id):
            self._more.add(account_id)
            return
        self._more.discard(account_id)
        self._leasing.add(account_id)

        def leased(ids: list[int], _verdict: Any) -> None:
            self._leasing.discard(account_id)
            if ids:
                self._load(ids, self._loaded)

        self._desk.commit.lease(account_id, min(self._claim_cap, LEASE_PAGE), leased)

    def _loaded(self, rows: list[Owed]) -> None:
        """Rows that are ours now, of several accounts where leases shared a cycle. After a whole page there are more."""
        now = self._desk.clock.time()
        page = min(self._claim_cap, LEASE_PAGE)
        self._more.update(account for account, count in Counter(owed.account for owed in rows).items() if count >= page)
        for owed in rows:
            if now >= owed.expires_at:
                self._desk.commit.close(owed.id)
                self._desk.process.receipts_expired += 1
            elif not owed.body:  # it does not open: others are to have their turn
                owed.due_at = now + CLOSED_S
                self._desk.commit.postpone(owed, keep=False)
            else:
                self.push(owed)

    def tick(self, now: float, bound_accounts: Sequence[int], *, poll: bool) -> None:
        """Let time pass: what was put off is ready; `poll` looks for free rows of every bound account."""
        later = self._later
        while later and later[0][0] <= now:
            owed = heapq.heappop(later)[2]
            if owed.tries:
                self._due(owed.account)
            if not owed.body:
                continue
            if not self._registry.receivers(owed.account):
                self._free(owed)
                continue
            owed.session = None
            queue = self._ready.setdefault(owed.account, deque())
            queue.append(owed)
            self._pump(owed.account)
        for account_id in list(self._ready):
            self._pump(account_id)
            if not self._ready.get(account_id):
                self._ready.pop(account_id, None)
        for account_id in list(self._more):
            if not self._ready.get(account_id):
                self._lease(account_id)
        if poll:
            for account_id in bound_accounts:
                self._lease(account_id)

    def _due(self, account_id: int) -> None:
        """One of those that wait for their next try waits no longer."""
        left = self._put_off.get(account_id, 0) - 1
        if left > 0:
            self._put_off[account_id] = left
        else:
            self._put_off.pop(account_id, None)

    # ---- intermediate notifications -------------------------------------------------------------------------------

    def _cancel_intermediate(self, message_id: int) -> None:
        """A final receipt is on its way: what is still waiting of the intermediate ones says nothing new."""
        for owed in self._intermediate.pop(message_id, ()):
            if owed.claimed and owed.session is None:
                owed.body = b""
                self._desk.commit.close(owed.id)

    def _forget_intermediate(self, owed: Owed) -> None:
        waiting = self._intermediate.get(owed.message)
        if waiting is not None:
            waiting[:] = [other for other in waiting if other is not owed]
            if not waiting:
                del self._intermediate[owed.message]

    @property
    def ready(self) -> int:
        """How many rows wait here for room in a receiver's window."""
        return sum(map(len, self._ready.values())) + len(self._later)
