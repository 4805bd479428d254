"""Random histories of two nodes on one database: whatever is submitted, refused, refunded, topped up, lost or killed, the books
hold.

What the tests know of a message is what its effect was told; what a crash left undecided may be either, but never half.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from smsgw.billing.ledger import refund_due
from smsgw.model import Basis, Duplicate, Message, Rejected, State, Tenant
from smsgw.store import invariants, messages
from smsgw.store.commit import CommitCaps, Seat
from smsgw.store.database import Connection
from tests.store.work import Effects, Lossy, Node, account, connecting, fund

EXAMPLES = 4_000 if os.environ.get("SMSGW_FUZZ") == "full" else 30
TENANTS = {1: Tenant(1, "acme", "CNY"), 2: Tenant(2, "borg", "CNY", basis=Basis.DELIVERED)}
ACCOUNTS = {
    1: account(1, TENANTS[1], quota_day=12, quota_parts_hour=20),
    2: account(2, TENANTS[1]),
    3: account(3, TENANTS[2], quota_month=20, quota_day=15),
    4: account(4, TENANTS[2], quota_parts_day=9, quota_window="rolling", duplicate_window_s=60),
}
OPENING = 60
CREDIT = 10
CAPS = CommitCaps(new=3, changed=4, owed=4, pace_s=0.0)
FINAL = [state for state in State if state >= State.DELIVERED]
TABLES = "message, content, owed, waiting, balance, ledger, refund, quota, duplicate, commit_token, node"

# Whatever happens to a message, what it costs was fixed when it was accepted, and a refund is not taken back (B4).
GUARD = """
CREATE OR REPLACE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (NEW.price, NEW.parts, NEW.basis, NEW.debit_day, NEW.tenant) IS DISTINCT FROM
       (OLD.price, OLD.parts, OLD.basis, OLD.debit_day, OLD.tenant) THEN
        RAISE EXCEPTION 'the price of % has changed', OLD.id;
    END IF;
    RETURN NEW; END $$;
CREATE OR REPLACE TRIGGER guard BEFORE UPDATE ON message FOR EACH ROW EXECUTE FUNCTION guard();
"""

node = st.sampled_from([1, 2])
few = st.integers(0, 30)
STEP = st.one_of(
    st.tuples(st.just("submit"), node, st.sampled_from(sorted(ACCOUNTS)), st.lists(st.integers(0, 9), min_size=1, max_size=8)),
    st.tuples(st.just("settle"), node, few, st.sampled_from(FINAL), st.booleans()),
    st.tuples(st.just("top_up"), st.sampled_from([1, 2]), st.integers(1, 40)),
    st.tuples(st.just("lose"), node, st.sampled_from(["before", "after"])),
    st.tuples(st.just("crash"), node, few),
    st.tuples(st.just("wait"), node),
)


class Life:
    """One node through its crashes: each life is a new process under a new epoch."""

    def __init__(self, dsn: str, number: int, history: History) -> None:
        """Start the first life."""
        self._dsn = dsn
        self._number = number
        self._history = history
        self.epoch = 0
        self.lose: str | None = None

    def _lose(self, _statement: int) -> str | None:
        lose, self.lose = self.lose, None
        return lose

    async def start(self, connection: Connection) -> None:
        """Take the seat, adopt what was left, and run."""
        self.epoch = await connection.fetchval(
            "INSERT INTO node AS n (id, epoch) VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET epoch = n.epoch + 1 RETURNING epoch",
            self._number,
        )
        await connection.execute("SELECT adopt($1, 1)", self._number)
        lossy = Lossy(connecting(self._dsn, self._number), self._lose)
        last_ms = await connection.fetchval("SELECT last_ms FROM node WHERE id = $1", self._number)
        self.node = Node(self._dsn, Seat(self._number, self.epoch), caps=CAPS, connect=lossy)
        self.node.ids.last_ms = last_ms + 1
        self.node.effects = self._history.effects
        self.node.commit.on_conflict = self._history.conflict
        self.loaded: dict[int, Message] = {}
        self._running = asyncio.create_task(self.node.commit.run())

    async def crash(self) -> None:
        """End at once, wherever it is."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def drain(self) -> None:
        """End when all is decided."""
        self.node.commit.stop()
        await self._running

    async def quiet(self) -> None:
        """Wait until everything handed over until now is decided."""
        told = Effects()
        self.node.commit.claim(1, 0, told)
        await told.count(1)
        while self.node.commit.backlog:
            told = Effects()
            self.node.commit.claim(1, 0, told)
            await told.count(1)


class History:
    """What was done, and what is known of it."""

    def __init__(self, dsn: str, connection: Connection) -> None:
        """Two nodes with nothing done yet."""
        self.connection = connection
        self.effects = Effects()
        self.handed_over: dict[int, Message] = {}
        self.topped_up = {1: 0, 2: 0}
        self.lives = {number: Life(dsn, number, self) for number in (1, 2)}
        self.refunds: dict[int, int] = {}
        self.conflicts = 0

    def conflict(self, message: Message) -> None:
        """Another node, or another life, was first."""
        self.conflicts += 1
        for life in self.lives.values():
            if life.loaded.get(message.id) is message:
                del life.loaded[message.id]

    async def play(self, steps: list[tuple[Any, ...]]) -> None:
        """Do it all, then let both nodes finish."""
        for life in self.lives.values():
            await life.start(self.connection)
        for name, *arguments in steps:
            await getattr(self, name)(*arguments)
        for life in self.lives.values():
            await life.drain()

    async def submit(self, number: int, of: int, prices: list[int]) -> None:
        """Some new messages."""
        life = self.lives[number]
        for price in prices:
            account = ACCOUNTS[of]
            fields: dict[str, Any] = {
                "price": price,
                "basis": int(account.tenant.basis),
                "state": State.QUEUED,
                "parts": 1 + price % 3,
            }
            if account.duplicate_window_s:
                fields |= {"fingerprint": f"{price:032x}", "accepted_at": time.time()}
            new = life.node.submit(account, **fields)
            self.handed_over[new.id] = new

    async def settle(self, number: int, which: int, state: State, sent: bool) -> None:  # noqa: FBT001 - drawn
        """A final state for one of the stored messages, as its node knows it, which may be history."""
        life = self.lives[number]
        ids = [row["id"] for row in await self.connection.fetch("SELECT id FROM message ORDER BY id")]
        if not ids:
            return
        chosen = ids[which % len(ids)]
        if chosen not in life.loaded:
            (life.loaded[chosen],) = await messages.load(self.connection, [chosen], lambda account_id, _: ACCOUNTS[account_id])
        message = life.loaded[chosen]
        if message.state >= State.DELIVERED and message.state is not State.UNKNOWN:
            return
        message.sent_at = 1.0 if sent else 0.0
        message.state = state
        message.refund = message.refund or refund_due(message)
        refund = message.refund

        def durable(_argument: Any, verdict: Rejected | None) -> None:
            if verdict is None and refund:
                assert self.refunds.setdefault(chosen, refund) == refund

        life.node.commit.change(message, durable)
        life.node.commit.unwait(chosen)

    async def top_up(self, tenant: int, amount: int) -> None:
        """Money comes in, as the books write it."""
        async with self.connection.transaction():
            await self.connection.execute("UPDATE balance SET amount = amount + $2 WHERE tenant = $1", tenant, amount)
            await self.connection.execute(
                "INSERT INTO ledger (tenant, kind, day, amount) VALUES ($1, 'top_up', 0, $2)", tenant, amount
            )
        self.topped_up[tenant] += amount

    async def lose(self, number: int, what: str) -> None:
        """The next statement of a node, or its answer, is lost."""
        self.lives[number].lose = what

    async def crash(self, number: int, turns: int) -> None:
        """A process dies after some turns of the loop, and another one starts in its place."""
        for _ in range(turns):
            await asyncio.sleep(0)
        await self.lives[number].crash()
        await self.lives[number].start(self.connection)

    async def wait(self, number: int) -> None:
        """Let a node come to rest."""
        await self.lives[number].quiet()

    async def verdict(self) -> None:
        """Compare what the effects were told with what is stored, and the books with both."""
        assert await invariants.check(self.connection) == []
        stored = {row["id"]: row for row in await self.connection.fetch("SELECT id, tenant, account, price, refund FROM message")}
        for message, told in self.effects.seen:
            if told is None:
                assert message.id in stored, "told that it is durable"
            else:
                assert message.id not in stored, f"told that it was refused: {told.reason}"
                assert told.reason in {"balance", "quota", "duplicate"}
            if isinstance(told, Duplicate):
                first = stored[int(told.text_id)]
                assert (first["account"], first["price"]) == (message.account.id, message.price)
        assert set(stored) <= set(self.handed_over)
        assert len(self.effects.seen) == len({message.id for message, _ in self.effects.seen}), "told twice"
        refunds = {row["message"]: row["amount"] for row in await self.connection.fetch("SELECT message, amount FROM refund")}
        assert self.refunds.items() <= refunds.items()
        for tenant in TENANTS:
            own = {number for number, row in stored.items() if row["tenant"] == tenant}
            spent = sum(stored[number]["price"] for number in own)
            back = sum(amount for number, amount in refunds.items() if number in own)
            balance = await self.connection.fetchval("SELECT amount FROM balance WHERE tenant = $1", tenant)
            assert balance == OPENING + self.topped_up[tenant] - spent + back
            assert balance >= -CREDIT
            assert back <= spent
        limits = await self.connection.fetch(
            "SELECT account, span = 2 AS day, max(used) AS used FROM quota WHERE span IN (2, 3) GROUP BY 1, 2"
        )
        for row in limits:
            limit = ACCOUNTS[row["account"]].quota_day if row["day"] else ACCOUNTS[row["account"]].quota_month
            assert row["used"] <= limit
        assert (await self.connection.fetchval("SELECT sum(parts) FROM quota WHERE span = 12") or 0) <= ACCOUNTS[4].quota_parts_day
        assert (await self.connection.fetchval("SELECT max(parts) FROM quota WHERE span = 1") or 0) <= ACCOUNTS[1].quota_parts_hour
        doubles = await self.connection.fetchval("SELECT count(*) - count(DISTINCT price) FROM message WHERE account = 4")
        assert doubles == 0, "the same message twice"


@given(steps=st.lists(STEP, min_size=3, max_size=25))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_money_is_conserved(database: str, connection: Connection, steps: list[tuple[Any, ...]]):
    """Whatever happens, balance = opening + top-ups − prices of what is stored + refunds, and no message is refunded twice."""
    await connection.execute(f"TRUNCATE {TABLES}; {GUARD}")
    for tenant in TENANTS:
        await fund(connection, OPENING, tenant=tenant, credit=CREDIT)
    history = History(database, connection)
    await history.play(steps)
    await history.verdict()


async def test_a_long_history_with_everything_in_it(database: str, connection: Connection):
    """One history that surely has refusals of both kinds, refunds, conflicts, lost answers and crashes in the middle."""
    await connection.execute(GUARD)
    for tenant in TENANTS:
        await fund(connection, OPENING, tenant=tenant, credit=CREDIT)
    history = History(database, connection)
    steps: list[tuple[Any, ...]] = []
    for turn in range(12):
        steps += [
            ("submit", 1, 1, [turn % 7, 3, 1]),
            ("submit", 2, 3, [5, 2]),
            ("submit", 2, 2, [4, 200, 9]),
            ("lose", 1, "after" if turn % 2 else "before"),
            ("wait", 1),
            ("settle", 1, turn, State.FAILED, True),
            ("settle", 2, turn, State.EXPIRED, False),
            ("settle", 2, turn + 3, State.UNKNOWN, True),
            ("settle", 2, turn + 3, State.REJECTED, False),
            ("crash", 1 + turn % 2, turn * 3),
            ("top_up", 1, 8),
        ]
    await history.play(steps)
    await history.verdict()
    assert {told.reason for _, told in history.effects.seen if told is not None} == {"balance", "quota"}
    assert history.conflicts > 0
    assert await connection.fetchval("SELECT count(*) FROM refund") > 5
    epochs = json.loads(await connection.fetchval("SELECT json_agg(epoch) FROM node"))
    assert sum(epochs) == 14
