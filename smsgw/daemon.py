"""The composition root: every long-lived object is built here, once, and passed to constructors. Nowhere else.

`run` is a daemon's life: store → seat → journeys → links and listeners → ticker → drain. All its tasks live in one TaskGroup; the
death of one that must not die (the unit of work, the ticker) ends the process (`smsgw.process`).

Stopping (SIGTERM): no new connection and no new submit (ESME_RSYSERR); what is unanswered is decided and answered; binds are
unbound on both sides; the unit of work empties its queues; the embedded server stops last. `drain_s` bounds all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

import structlog

from smsgw import config as settings
from smsgw.admin.anomalies import Watch
from smsgw.admin.api.node import NodeApi
from smsgw.admin.closer import Closer
from smsgw.admin.content_keys import seal_content
from smsgw.admin.control import ControlServer
from smsgw.admin.http import AdminServer
from smsgw.admin.keeping import Keeper
from smsgw.admin.shown import Shown
from smsgw.admin.systemd import listening_sockets, notify
from smsgw.admin.why import Why
from smsgw.carriers.pool import Carriers
from smsgw.compliance.optout import marks_of
from smsgw.directory import Directory, follow_directory
from smsgw.ground import Ground
from smsgw.journey.accept import Accept
from smsgw.journey.cancel import Cancel
from smsgw.journey.defer import Defer
from smsgw.journey.deliver import Deliver
from smsgw.journey.desk import Desk
from smsgw.journey.dispatch import Dispatch
from smsgw.journey.due import Due
from smsgw.journey.ending import Ending
from smsgw.journey.hold import Hold
from smsgw.journey.inbound import Inbound
from smsgw.journey.jobs import Jobs
from smsgw.journey.limits import Limits
from smsgw.journey.optout import OptOuts
from smsgw.journey.query import Query
from smsgw.journey.recall import Recall
from smsgw.journey.receipt import ReceiptJourney
from smsgw.journey.recover import Recover
from smsgw.journey.reply import Replies
from smsgw.model import Account
from smsgw.notices.telling import Teller
from smsgw.policy.docket import Docket
from smsgw.policy.throttle import Throttle
from smsgw.receipts.matching import Transit
from smsgw.smpp.const import V34
from smsgw.smpp.session import SessionSettings
from smsgw.store import messages
from smsgw.store.commit import Commit, CommitCaps, Fenced
from smsgw.store.database import LOST
from smsgw.store.ids import Ids
from smsgw.telemetry import Meters, RecordLog
from smsgw.telemetry.garbage import Garbage
from smsgw.telemetry.lag import LagProbe
from smsgw.tenants.bind import Authenticator
from smsgw.tenants.counted import CountedBinds
from smsgw.tenants.listener import Listener, ListenerSettings, server_context
from smsgw.tenants.registry import Registry
from smsgw.tenants.session import Journeys, TenantSession
from smsgw.wire import Clock, WireLimits

TICK_S: Final = 0.1
AGAIN_S: Final = 1.0
"""How long a cancelled task may take before it is cancelled again."""


class Daemon:
    """One node of the gateway, from its store to its listeners."""

    def __init__(self, config: settings.Config, *, unsafe: bool = False, probe: Callable[[str], None] | None = None) -> None:
        """Take the settings; nothing happens before `run`. `probe` is told the points at which crash tests end the process."""
        self.config = config
        self.probe = probe
        self.clock = Clock()
        self.ground = Ground(config, self.clock, unsafe=unsafe, probe=probe)
        self.meters = Meters()
        self.registry = Registry()
        self.transit = Transit()
        self.ports: list[int] = []
        self.admin_port = 0
        self.log = structlog.get_logger().bind(node=config.node.id)
        self._stack = AsyncExitStack()
        self._draining = False
        self.garbage = Garbage()
        self._second = 0
        self._sockets = listening_sockets()

    # ---- life -----------------------------------------------------------------------------------------------------

    async def run(self, *, ready: asyncio.Event | None = None, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then drain. Raises StoreError, OSError, SeatTaken, Fenced."""
        self._stop = stop
        async with self._stack:
            await self.ground.lay(self._stack)
            self.directory = self.ground.directory
            self._build()
            try:
                async with asyncio.TaskGroup() as group:
                    await self._start(group)
                    if ready is not None:
                        ready.set()
                    await stop.wait()
                    await self._drain()
                    for task in self._background:
                        task.cancel()
            except BaseExceptionGroup as errors:
                self._abort()
                raise _first(errors) from errors

    # ---- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        """Build every part and wire them together."""
        config, clock, meters = self.config, self.clock, self.meters
        self.ids = Ids(config.node.id, clock, self.ground.seating.last_ms)
        work = config.unit_of_work
        caps = CommitCaps(work.new, work.owed, work.changed, work.pace_ms / 1000, work.timeout_s)
        self.commit = Commit(self.ground.connect_again, self.ground.seating.seat, self.ids, clock, caps, probe=self.probe)
        records = self.records = RecordLog(config.log.records) if config.log.messages != "none" else None
        if records is not None:
            self._stack.callback(records.close)
        self.desk = Desk(
            self.commit, self.transit, self.ids, clock, self.directory, meters, records, records_of=config.log.messages
        )
        self.carriers = Carriers(meters, clock, node=config.node.id)
        self.recall = Recall(self.desk, self.ground.pool, guess_after_s=config.receipts.guess_after_s)
        marks = marks_of(self.ground.key.derived("numbers"), config.compliance)
        replies = Replies(self.desk, marks, self.carriers.bound, interval_s=config.compliance.reply_interval_s)
        self.opt_outs = OptOuts(marks, self.ground.pool, self.ground.dsn, replies)
        receipt_settings = config.receipts
        self.deliver = Deliver(
            self.desk,
            self.registry,
            self.recall.load_owed,
            receipt_hold_s=receipt_settings.hold_ms / 1000,
            claim_cap=receipt_settings.claim_cap,
        )
        self._build_journeys()
        self._build_accept()
        self.commit.on_conflict, self.commit.on_poison = self.due.overtaken, self.due.displaced
        self.recall.on_broken, self.recall.on_closed = self.due.broken, self.due.closed
        self.commit.low_water = self._low_water
        self.commit.observe = meters.cycle.observe
        self.dispatch.on_known = self.receipt.on_known
        self.registry.on_bound = self._on_bound
        self.registry.on_receiver_bound = self.deliver.on_receiver_bound
        events = self.carriers.events
        events.on_outcome = self.dispatch.on_outcome
        events.on_deliver = self.receipt.on_deliver
        events.on_room = self.opt_outs.replies.on_ready = self.due.on_room
        self._build_listener()
        journeys = self.dispatch, self.deliver, self.due, self.recover
        self.shown = Shown(self.desk, self.registry, self.carriers, *journeys, self.ground.pool, self._is_draining, self.docket)
        self.shown.register(meters)

    def _build_journeys(self) -> None:
        """Build what happens to a message once it is there, and what runs beside that."""
        config, clock, meters, work = self.config, self.clock, self.meters, self.config.unit_of_work
        receipt_settings = config.receipts
        ending = Ending(self.desk, self.deliver)
        self.dispatch = Dispatch(self.desk, self.carriers, ending, spill_over=work.spill_over)
        self._build_hold(ending)
        self.cancel = Cancel(self.desk, self.ground.pool, self.dispatch, ending, config.limits, self.probe)
        self.cancel.register(self.meters)
        parties = self.desk, self.carriers, self.dispatch, ending, self.recall, self.hold, self.defer, self.cancel
        self.due = Due(*parties, spill_after_s=work.spill_after_s)
        self.receipt = ReceiptJourney(
            self.desk,
            ending,
            self.deliver,
            Inbound(self.desk, self.deliver, self.opt_outs, most=receipt_settings.unmatched),
            self.recall.wake,
            hold_s=receipt_settings.store_wait_s,
            unmatched_cap=receipt_settings.unmatched,
            parked_ttl_s=receipt_settings.parked_ttl_s,
        )
        self.recall.receipts = self.receipt
        self.recover = Recover(
            self.desk, self.ground.pool, self.recall, self.receipt, self.deliver, self.due, takeover_s=config.node.takeover_s
        )
        self.jobs = Jobs()
        self.teller = Teller(self.ground.pool, self.jobs.ask, config.notices)
        self.closer = Closer(self.ground.pool, self.jobs.ask, clock, meters, after_s=config.statements.close_after_s)
        meters.counter("smsgw_notices", "Deliveries of notices by what came of them.", self.teller.counted, ("result",))

    def _build_hold(self, ending: Ending) -> None:
        watched, key = self.config.limits.watched, self.ground.key.derived("held")
        self.docket = Docket(self.directory.policies, marks=self.opt_outs.marks, watched=watched)
        parties = self.docket, self.carriers, self.dispatch, ending, self.config.hold
        self.hold = Hold(self.desk, self.ground.pool, *parties, key=key, probe=self.probe)
        self.defer = Defer(self.desk, self.docket, self.carriers, self.dispatch, ending, self.hold)
        self.hold.register(self.meters)
        self.commit.on_held = self.hold.on_held

    def _build_accept(self) -> None:
        self.content_keys = seal_content(Path(self.config.node.data_dir), self.ground.key, self.desk, self.recover)
        throttle = Throttle(self.ground.key.derived("buckets"), most=self.config.limits.buckets)
        limits = self.config.limits
        self.limits = Limits(throttle, self.ground.pool, self.clock, share_s=limits.share_s, caps=limits.recipient_caps)
        self.limits.register(self.meters)
        self.opt_outs.register(self.meters)
        self.desk.on_ended = self.docket.ended
        self.accept = Accept(
            self.desk,
            self.carriers,
            self.dispatch,
            throttle,
            self.docket,
            self.hold,
            self.recall.short_id,
            max_undecided=self.config.unit_of_work.undecided,
            key=self.ground.key.derived("duplicates"),
        )

    def _build_listener(self) -> None:
        smpp = self.config.smpp
        self.authenticator = Authenticator(self._account, self.clock, bind_status_34=smpp.bind_status_34, burst=smpp.bind_failures)
        watch = Watch(self.config.anomalies, self.meters, self.clock)
        self.keeper = Keeper(self.ground.pool, self.jobs.ask, self.authenticator, watch, self.docket.pumping)
        self.keeper.ladder.register(self.meters)
        self._stack.callback(self.authenticator.close)
        self.binds = CountedBinds(self.ground.pool, self.ground.seating.seat)
        tls = server_context(smpp.tls_cert, smpp.tls_key, client_ca=smpp.tls_client_ca) if smpp.tls_listen else None
        query = Query(self.desk, self.jobs.ask, self._look_up)
        self.listener = Listener(
            ListenerSettings(
                listen=() if "smpp" in self._sockets else smpp.listen,
                tls_listen=smpp.tls_listen,
                system_id=smpp.system_id,
                max_unbound=smpp.unbound,
                max_per_address=smpp.per_address,
                max_failed_binds=smpp.failed_binds,
                session=SessionSettings(
                    max_pdu=smpp.max_pdu,
                    session_init_s=smpp.session_init_s,
                    enquire_link_s=smpp.enquire_link_s,
                    response_timeout_s=smpp.response_timeout_s,
                    inactivity_s=smpp.inactivity_s,
                    slow_pdu_s=smpp.slow_pdu_s,
                    bad_pdu_limit=smpp.bad_pdu_limit,
                ),
                limits=WireLimits(write_high=smpp.write_buffer, write_low=smpp.write_buffer // 4, stalled_s=smpp.stalled_s),
            ),
            Journeys(self.accept, query, self.deliver.on_delivered, self.accept.refused_at_door),
            self.registry,
            self.authenticator,
            self.meters,
            clock=self.clock,
            ssl=tls,
            claim_bind=self.binds.claim,
            release_bind=self.binds.release,
        )

    def _account(self, system_id: str) -> Account | None:
        return self.directory.account(system_id)

    def _on_bound(self, session: TenantSession) -> None:
        if session.version < V34 and session.account is not None:
            self.recall.want_short_ids(session.account.id)

    def _is_draining(self) -> bool:
        return self._draining

    async def _look_up(self, account_id: int, text_id: str) -> object:
        return await messages.query(self.ground.pool, account_id, text_id)

    def _low_water(self) -> int:
        """The least open id of this process; with none open, an id of now."""
        return self.transit.low_water() or self.ids.moment()

    # ---- starting -------------------------------------------------------------------------------------------------

    async def _start(self, group: asyncio.TaskGroup) -> None:
        """Start everything in the order in which it can be used."""
        self._commit_task = group.create_task(self.commit.run(), name="unit of work")
        self._background = [
            group.create_task(self.recall.run(), name="recall"),
            group.create_task(self.recover.run(), name="recover"),
            group.create_task(self.hold.run(), name="hold"),
            group.create_task(self.cancel.run(), name="cancel"),
            group.create_task(self.jobs.run(), name="jobs"),
            group.create_task(self.limits.run(), name="limits"),
            group.create_task(self.opt_outs.run(), name="opt-outs"),
            group.create_task(self._follow(), name="follow provisioning"),
            group.create_task(self._tick(), name="ticker"),
            group.create_task(self._see_them_end(), name="last watch"),
        ]
        if self.ground.server is not None:
            self._background.append(group.create_task(self.ground.server.run(), name="embedded server"))
        await self.commit.ready()
        await self.limits.load()
        await self.opt_outs.load()
        self.carriers.start(group)
        self.carriers.apply(self.directory.links())
        await self._stack.enter_async_context(self.listener)
        if "smpp" in self._sockets:
            await self.listener.open(sock=self._sockets["smpp"])
        self.ports = self.listener.ports
        self.lag = LagProbe(self.meters)
        self.lag.start()
        self._stack.callback(self.lag.stop)
        await self._open_admin()
        self.garbage.take_over(self.clock.now())
        notify("READY=1")
        self.log.info("ready", ports=self.ports, admin=self.admin_port)

    async def _open_admin(self) -> None:
        """The admin address and the control socket."""
        host, port = settings.address_of(self.config.admin.listen)
        admin = AdminServer(self.meters, self.shown.missing, self.records)
        self.admin_port = await admin.start(host, port)
        self._stack.push_async_callback(admin.stop)
        why = Why(self.desk, self.docket, self.carriers, self.ground.pool)
        control = ControlServer({**self.shown.providers(), "stalls": self.lag.rows}, drain=self._stop.set, answers={"why": why})
        await control.start(Path(self.config.node.data_dir) / "admin.sock")
        self._stack.push_async_callback(control.stop)
        store = self.ground.pool, self.ground.dsn, self.ground.key.derived("numbers")
        self.api = NodeApi(self.config, *store, self.clock, self.meters, self.desk, why, self.docket.marks)
        await self._stack.enter_async_context(self.api)

    async def _follow(self) -> None:
        async for directory in follow_directory(
            self.ground.dsn, self.ground.key.unseal, self.directory, number_key=self.ground.key.derived("numbers")
        ):
            self._apply(directory)

    def _apply(self, directory: Directory) -> None:
        """A new version takes the old one's place: sessions and links follow, nobody is dropped who is still there."""
        self.directory = self.desk.directory = directory
        self.registry.apply(directory)
        self.carriers.apply(directory.links())
        self.docket.apply(directory.policies)
        self.limits.follow(directory)
        self.log.info("provisioning_applied", change=directory.version)

    # ---- time -----------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """The one ticker: wire timers ten times a second, the journeys' time once a second."""
        expected = self.clock.now() + TICK_S
        while True:
            await asyncio.sleep(max(0.0, expected - self.clock.now()))
            now = self.clock.now()
            expected = max(expected + TICK_S, now)
            self.listener.tick(now)
            self.carriers.tick(now)
            self.receipt.tick(now)
            if self.records is not None:
                self.records.pack()
            second = int(now)
            if second != self._second:
                self._second = second
                self.due.tick()
                self.deliver.tick(now, self.registry.receiving(), poll=second % 5 == 0)
                self.docket.tick(second)
                if self.commit.available:
                    self.keeper.tick()
                    self.closer.tick()
                    self.teller.tick()
                if self.binds.owing:
                    self.jobs.ask(self.binds.give_back)
                notify("WATCHDOG=1")
            else:
                self.deliver.tick(now, (), poll=False)
            self.garbage.collect(now, self.commit.backlog)

    # ---- end ------------------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Stop in order: nothing new, answer what is unanswered, unbind, write everything down."""
        self.log.info("draining")
        notify("STOPPING=1")
        self._draining = True
        until = self.clock.now() + self.config.node.drain_s
        self.accept.draining = True
        await self.listener.drain(self.config.node.drain_s)
        self.carriers.stop()
        while not self.carriers.stopped and self.clock.now() < until:  # noqa: ASYNC110 - once in a life
            await asyncio.sleep(0.02)
        self.carriers.abandon()
        with suppress(*LOST):  # else the next start clears them
            await self.binds.give_back()
        await self.limits.settle(1.0)
        self.commit.stop()
        try:
            async with asyncio.timeout(max(1.0, until - self.clock.now())):
                await asyncio.wait([self._commit_task])
        except TimeoutError:
            self._commit_task.cancel()
        self.log.info("drained", left=len(self.transit))

    async def _see_them_end(self) -> None:
        """Be cancelled with what runs beside the journeys, then cancel that, and the unit of work, again until it has ended.

        A connection that is lost at the moment of a cancellation may swallow it (wait_for of Python 3.11).
        """
        try:
            await asyncio.Event().wait()
        finally:
            asyncio.get_running_loop().call_later(AGAIN_S, self._cancel_again)

    def _cancel_again(self) -> None:
        pending = [task for task in (self._commit_task, *self._background) if not task.done()]
        for task in pending:
            task.cancel()
        if pending:
            asyncio.get_running_loop().call_later(AGAIN_S, self._cancel_again)

    def _abort(self) -> None:
        """Answer nothing any more: close every socket."""
        self.listener.stop_accepting()
        for session in self.registry.sessions():
            session.wire.abort("aborted")
        self.carriers.abandon()


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what ended the daemon, out of the groups of its tasks: being fenced before anything else."""
    fenced = errors.subgroup(Fenced)
    error: BaseException = fenced if fenced is not None else errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
