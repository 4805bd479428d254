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

from smsgw.admin import books
from smsgw.admin.books import Refused, Signature
from smsgw.billing.ledger import refund_due
from smsgw.model import Basis, Duplicate, Message, Rejected, State, Tenant
from smsgw.store import invariants, messages
from smsgw.store.commit import CommitCaps, Seat
from smsgw.store.database import Connection
from tests.store.work import FORGING, Effects, Lossy, Node, account, connecting, fund

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
TABLES = "message, content, owed, waiting, balance, ledger, refund, quota, duplicate, commit_token, node, tenant, audit"
NAMES = (
    "INSERT INTO tenant (id, name, currency, credit_limit) OVERRIDING SYSTEM VALUE"
    f" VALUES (1, 'acme', 'CNY', {CREDIT}), (2, 'borg', 'CNY', {CREDIT})"
)
CLOSING = (
    "INSERT INTO standing (kind, subject, state, reason, actor, since) VALUES ('tenant', $1, 'closing', 'test', 'test', now())"
)

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
    st.tuples(st.just("adjust"), st.sampled_from([1, 2]), st.integers(-50, 20)),
    st.tuples(st.just("settle_up"), st.sampled_from([1, 2])),
    st.tuples(st.just("credit"), st.sampled_from([1, 2]), st.integers(0, 25)),
    st.tuples(st.just("refund"), few),
    st.tuples(st.just("price_change"), st.integers(1, 3)),
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
        self.moved = {1: 0, 2: 0}
        self.limits = {1: CREDIT, 2: CREDIT}
        self.factor = 1
        self.signatures = 0
        self.lives = {number: Life(dsn, number, self) for number in (1, 2)}
        self.refunds: dict[int, int] = {}
        self.conflicts = 0
        self.refused_by_hand = 0

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
                "price": price * self.factor,
                "basis": int(account.tenant.basis),
                "state": State.QUEUED,
                "parts": 1 + price % 3,
            }
            if account.duplicate_window_s:
                fields |= {"fingerprint": f"{price:032x}", "accepted_at": time.time()}
            new = life.node.submit(account, **fields)
            self.handed_over[new.id] = new

    async def read(self, number: int, which: int) -> Message | None:
        """A node reads one of the stored messages, and knows it as it is now from then on."""
        loaded = self.lives[number].loaded
        ids = [row["id"] for row in await self.connection.fetch("SELECT id FROM message ORDER BY id")]
        if not ids:
            return None
        chosen = ids[which % len(ids)]
        if chosen not in loaded:
            (loaded[chosen],) = await messages.load(self.connection, [chosen], lambda account_id, _: ACCOUNTS[account_id])
        return loaded[chosen]

    async def settle(self, number: int, which: int, state: State, sent: bool) -> None:  # noqa: FBT001 - drawn
        """A final state for one of the stored messages, as its node knows it, which may be history."""
        life, message = self.lives[number], await self.read(number, which)
        if message is None:
            return
        chosen = message.id
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

    def _by(self) -> Signature:
        self.signatures += 1
        return Signature("ann", "random", f"reference {self.signatures}")

    async def top_up(self, tenant: int, amount: int) -> None:
        """Money comes in, beside whatever the nodes are doing."""
        done = await books.top_up(self.connection, TENANTS[tenant].name, amount, self._by())
        assert done.after - done.before == amount
        self.moved[tenant] += amount

    async def adjust(self, tenant: int, amount: int) -> None:
        """A person puts something right, as far as the credit limit allows."""
        try:
            self.moved[tenant] += (await books.adjust(self.connection, TENANTS[tenant].name, amount, self._by())).amount
        except Refused:
            self.refused_by_hand += 1

    async def settle_up(self, tenant: int) -> None:
        """The contract is closing and its balance is brought to nought; then it goes on after all."""
        await self.connection.execute(CLOSING, tenant)
        try:
            self.moved[tenant] += (await books.settle(self.connection, TENANTS[tenant].name, self._by())).amount
        except Refused:
            self.refused_by_hand += 1
        await self.connection.execute("DELETE FROM standing")

    async def credit(self, tenant: int, limit: int) -> None:
        """The credit limit changes, as far as it covers what is owed."""
        try:
            await books.set_credit_limit(self.connection, TENANTS[tenant].name, limit, self._by())
        except Refused:
            self.refused_by_hand += 1
        else:
            self.limits[tenant] = limit

    async def refund(self, which: int) -> None:
        """A person gives the price of a message back; a node that has it in memory finds its revision gone."""
        ids = [row["id"] for row in await self.connection.fetch("SELECT id FROM message ORDER BY id")]
        if not ids:
            return
        chosen = ids[which % len(ids)]
        try:
            done = await books.refund(self.connection, chosen, self._by())
        except Refused:
            self.refused_by_hand += 1
        else:
            assert done is not None
            assert chosen not in self.refunds
            self.refunds[chosen] = done.amount

    async def price_change(self, factor: int) -> None:
        """From now on messages cost so many times as much; what was accepted keeps its price (the guard sees to it)."""
        self.factor = factor

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
                assert first["account"] == message.account.id  # the price may be another one since
        assert set(stored) <= set(self.handed_over)
        assert len(self.effects.seen) == len({message.id for message, _ in self.effects.seen}), "told twice"
        refunds = {row["message"]: row["amount"] for row in await self.connection.fetch("SELECT message, amount FROM refund")}
        assert self.refunds.items() <= refunds.items()
        for tenant in TENANTS:
            own = {number for number, row in stored.items() if row["tenant"] == tenant}
            spent = sum(stored[number]["price"] for number in own)
            back = sum(amount for number, amount in refunds.items() if number in own)
            balance = await self.connection.fetchval("SELECT amount FROM balance WHERE tenant = $1", tenant)
            assert balance == OPENING + self.moved[tenant] - spent + back
            assert balance >= -self.limits[tenant]
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
    """Whatever happens, balance = opening + what people booked − prices of what is stored + refunds, none of them twice."""
    await connection.execute(f"{FORGING} TRUNCATE {TABLES} CASCADE; RESET session_replication_role; {NAMES}; {GUARD}")
    for tenant in TENANTS:
        await fund(connection, OPENING, tenant=tenant, credit=CREDIT)
    history = History(database, connection)
    await history.play(steps)
    await history.verdict()


async def test_a_long_history_with_everything_in_it(database: str, connection: Connection):
    """One history that surely has refusals of both kinds, refunds, conflicts, lost answers and crashes in the middle."""
    await connection.execute(f"{NAMES}; {GUARD}")
    for tenant in TENANTS:
        await fund(connection, OPENING, tenant=tenant, credit=CREDIT)
    history = History(database, connection)
    # what follows may be in time or not, as the machine is busy; here node 2 surely knows what is history
    steps: list[tuple[Any, ...]] = [
        ("submit", 1, 2, [1]),
        ("wait", 1),
        ("read", 2, 0),
        ("settle", 1, 0, State.FAILED, True),
        ("wait", 1),
        ("settle", 2, 0, State.EXPIRED, False),
        ("wait", 2),
    ]
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
            ("adjust", 2, 3 - turn),
            ("credit", 2, turn * 2),
            ("wait", 1),
            ("wait", 2),
            *(("refund", turn + number) for number in range(4)),
            ("price_change", 1 + turn % 2),
            ("adjust", 1, -100),
        ]
    await history.play(steps)
    await history.verdict()
    assert {told.reason for _, told in history.effects.seen if told is not None} == {"balance", "quota"}
    assert history.conflicts > 0
    assert history.refused_by_hand > 5
    assert await connection.fetchval("SELECT count(*) FROM refund WHERE actor = 'ann'") > 1
    assert await connection.fetchval("SELECT count(*) FROM refund") > 5
    epochs = json.loads(await connection.fetchval("SELECT json_agg(epoch) FROM node"))
    assert sum(epochs) == 14
