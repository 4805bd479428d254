"""Registry: who is bound to this process now, by account.

The journeys ask it for an account's receivers with every receipt, so those are kept ready. It also holds how many binds an account
has or is about to have here, so that several at once cannot slip past its limit.

Promises: a session is listed from its bind until its connection is gone; as a receiver only until either side wants to unbind.
Must never: await; touch a socket, but for unbinding what is not provisioned any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import structlog

from smsgw.model import Account
from smsgw.tenants.session import TenantSession


class Accounts(Protocol):
    """What is needed of the Directory."""

    def account_by_id(self, account_id: int) -> Account | None:
        """Return an account as provisioned; None when there is none."""
        ...


class Registry:
    """Bound sessions by account id.

    `on_bound(session)` and `on_receiver_bound(account id)` are called after the bind_resp is on its way, in this order.
    """

    def __init__(self) -> None:
        """Start with nobody."""
        self.on_bound: Callable[[TenantSession], None] = _nobody_listens
        self.on_receiver_bound: Callable[[int], None] = _nobody_listens
        self._sessions: dict[int, list[TenantSession]] = {}
        self._receivers: dict[int, list[TenantSession]] = {}
        self._claims: dict[int, Counter[str]] = {}
        self._log = structlog.get_logger().bind()

    def __len__(self) -> int:
        """Return how many sessions are bound."""
        return sum(map(len, self._sessions.values()))

    # ---- asking ---------------------------------------------------------------------------------------------------

    def receivers(self, account_id: int) -> Sequence[TenantSession]:
        """Return the sessions that the account may be delivered to, oldest bind first. Not to be changed or kept."""
        return self._receivers.get(account_id, ())

    def receiving(self) -> list[int]:
        """Return the ids of accounts with a receiver."""
        return list(self._receivers)

    def of(self, account_id: int) -> Sequence[TenantSession]:
        """Return all bound sessions of an account, oldest first. Not to be changed or kept."""
        return self._sessions.get(account_id, ())

    def sessions(self) -> Iterator[TenantSession]:
        """Yield all bound sessions as they are at the first step."""
        for sessions in list(self._sessions.values()):
            yield from tuple(sessions)

    @property
    def undecided(self) -> int:
        """How many submits of bound sessions wait for their answer."""
        return sum(session.undecided for session in self.sessions())

    # ---- coming and going -----------------------------------------------------------------------------------------

    def claim(self, account_id: int, limit: int, kind: str = "", of_kind: int = 0) -> bool:
        """Take one of the account's binds here, if fewer than `limit`, and than `of_kind` of this kind, are taken (0: no limit)."""
        taken = self._claims.setdefault(account_id, Counter())
        free = not (taken.total() >= limit > 0 or taken[kind] >= of_kind > 0)
        if free:
            taken[kind] += 1
        elif not taken:
            del self._claims[account_id]
        return free

    def release(self, account_id: int, kind: str = "") -> None:
        """Give a bind back that was claimed."""
        taken = self._claims[account_id]
        taken[kind] -= 1
        assert taken[kind] >= 0
        if not taken.total():
            del self._claims[account_id]

    def add(self, session: TenantSession) -> None:
        """A session is bound."""
        assert session.account is not None
        account_id = session.account.id
        self._sessions.setdefault(account_id, []).append(session)
        if session.receiver:
            self._receivers.setdefault(account_id, []).append(session)
        self.on_bound(session)
        if session.receiver:
            self.on_receiver_bound(account_id)

    def stop_receiving(self, session: TenantSession) -> None:
        """Deliver nothing more to a session; it stays bound."""
        _take_out(self._receivers, session)

    def remove(self, session: TenantSession) -> None:
        """A session is gone."""
        _take_out(self._receivers, session)
        _take_out(self._sessions, session)

    def apply(self, directory: Accounts) -> None:
        """Follow what is provisioned: an account that was deleted is unbound, one that changed is served as it is now."""
        for account_id, sessions in list(self._sessions.items()):
            account = directory.account_by_id(account_id)
            if account is None:
                first = sessions[0]
                self._log.warning("account_gone", system_id=first.system_id, sessions=len(sessions))
                for session in tuple(sessions):
                    session.unbind("account_gone")
                continue
            for session in sessions:
                if session.account is not account:
                    session.serve(account)


def _take_out(table: dict[int, list[TenantSession]], session: TenantSession) -> None:
    account = session.account
    sessions = table.get(account.id) if account is not None else None
    if sessions is None or session not in sessions:
        return
    sessions.remove(session)
    if not sessions:
        assert account is not None
        del table[account.id]


def _nobody_listens(_: object) -> None:
    """Stand in until the daemon sets what to call."""
