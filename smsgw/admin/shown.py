"""What the daemon shows of itself: rows for `smsgw show`, gauges and counts for the metrics, what it lacks to be ready.

Reads only; everything comes from the parts that it is given. Never here: HTTP, a change of anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from smsgw.carriers.pool import Carriers
from smsgw.journey.deliver import Deliver
from smsgw.journey.desk import Desk
from smsgw.journey.dispatch import Dispatch
from smsgw.journey.due import Due
from smsgw.journey.recover import Recover
from smsgw.model import Account, Standing
from smsgw.policy.docket import Docket
from smsgw.store import receipts
from smsgw.telemetry import Meters
from smsgw.tenants.registry import Registry

Rows = list[dict[str, Any]]
_OF_LINK: Final = "messages in memory that wait for this link"
_QUEUES: Final = {
    "open in memory": "messages that have not come to their end",
    "receipts ready": "receipts and handsets' messages at hand, for a receiver",
    "unit of work": "entries that wait for a commit",
    "owed free": "receipts and handsets' messages in the store, for a receiver",
    "owed claimed": "of those, what a node has at hand",
    "parked": "carriers' receipts that match no message yet",
    "waiting free": "messages in the store: for a link, their hours, or in doubt",
    "waiting claimed": "of those, what a node has at hand",
}
"""What stands in each queue."""


class Shown:
    """The daemon as seen from outside."""

    def __init__(  # noqa: PLR0917 - what is looked at
        self,
        desk: Desk,
        registry: Registry,
        carriers: Carriers,
        dispatch: Dispatch,
        deliver: Deliver,
        due: Due,
        recover: Recover,
        pool: Any,
        draining: Callable[[], bool],
        docket: Docket,
    ) -> None:
        """Take what is looked at; `pool` for what only the store can count."""
        self._desk = desk
        self._registry = registry
        self._carriers = carriers
        self._dispatch = dispatch
        self._deliver = deliver
        self._due = due
        self._recover = recover
        self._pool = pool
        self._draining = draining
        self._docket = docket

    def missing(self) -> list[str]:
        """Return what this node lacks to be ready; [] when it is."""
        lacks = []
        if self._draining():
            lacks.append("draining")
        if not self._desk.commit.available:
            lacks.append("database")
        if self._desk.directory.links() and not self._carriers.any_bound:
            lacks.append("no link is bound")
        return lacks

    def providers(self) -> dict[str, Callable[[], Rows | Awaitable[Rows]]]:
        """Return what can be shown, by its word."""
        return {
            "binds": self._binds,
            "links": self._carriers.rows,
            "queues": self._queues,
            "tenants": self._tenants,
            "stats": self._stats,
            "policies": self._policies,
            "rules": self._rules,
        }

    def _binds(self) -> Rows:
        now = self._desk.clock.time()
        return [
            {
                "account": session.system_id,
                "tenant": session.account.tenant.name if session.account is not None else "",
                "kind": session.bound_kind,
                "version": f"{session.version >> 4}.{session.version & 15}",
                "address": session.address,
                "for_s": round(now - session.bound_at),
                "undecided": session.undecided,
                "delivering": session.delivering,
                "window": session.window,
                "tls": session.wire.tls,
            }
            for session in self._registry.sessions()
        ]

    async def _queues(self) -> Rows:
        desk = self._desk
        counts = {f"link {desk.link_name(link)}": depth for link, depth in self._dispatch.depths().items()}
        counts |= {"open in memory": len(desk.transit), "receipts ready": self._deliver.ready, "unit of work": desk.commit.backlog}
        counts |= await receipts.counts(self._pool)
        told = {name.replace("_", " "): count for name, count in counts.items()}
        return [{"queue": name, "entries": count, "what": _QUEUES.get(name, _OF_LINK)} for name, count in told.items()]

    def _tenants(self) -> Rows:
        desk = self._desk
        return [
            {
                "tenant": account.tenant.name,
                "account": account.system_id,
                "mode": account.mode.name.lower(),
                "state": _state(account),
                "binds": len(self._registry.of(account.id)),
                "accepted": desk.meters.account(account.system_id).accepted,
            }
            for account in desk.directory.accounts()
        ]

    def _policies(self) -> Rows:
        docket = self._docket
        loaded: Rows = [
            {
                "policy": policy.name,
                "version": policy.version[:8],
                "mode": policy.table.mode,
                **policy.size,
                **{end: docket.verdicts[policy.name, end] for end in ("pass", "flag", "hold", "reject")},
                "failures": docket.failures[policy.name,],
                "fault": dict(self._desk.directory.policy_faults).get(policy.name, ""),
            }
            for policy in docket.rule_sets()
        ]
        known = {row["policy"] for row in loaded}
        return loaded + [{"policy": name, "fault": why} for name, why in self._desk.directory.policy_faults if name not in known]

    def _rules(self) -> Rows:
        """Each rule that has said something, and how often."""
        return [
            {"policy": name, "rule": rule, "action": action, "count": count}
            for (name, rule, action), count in sorted(self._docket.hits.items())
        ]

    def _states(self) -> dict[tuple[str, ...], float]:
        counts: Counter[tuple[str, ...]] = Counter((_state(account),) for account in self._desk.directory.accounts())
        return {**counts}

    def _stats(self) -> Rows:
        commit = self._desk.commit
        counts = {
            "cycles": commit.cycles,
            "rows": commit.rows,
            "replays": commit.replays,
            "conflicts": commit.conflicts,
            "poisoned": commit.poisoned,
            "effect failures": commit.effect_failures,
            "in doubt": self._dispatch.in_doubt,
            "resent": self._dispatch.resent,
            "spilled": self._due.spilled,
            "nodes taken over": self._recover.taken_over,
        }
        return [{"what": what, "count": count} for what, count in counts.items()]

    def register(self, meters: Meters) -> None:
        """Export what is counted elsewhere."""
        commit, carriers = self._desk.commit, self._carriers
        gauge, counter = meters.gauge, meters.counter
        gauge("smsgw_accounts", "Accounts by state, that of their tenant included.", self._states, ("state",))
        gauge("smsgw_link_binds", "Binds of links by state.", carriers.states, ("link", "state"))
        gauge("smsgw_link_window_used", "Submits that wait for the carrier's answer.", carriers.windows, ("link",))
        gauge("smsgw_open_messages", "Open messages in memory.", lambda: len(self._desk.transit))
        gauge("smsgw_queue_messages", "Messages in memory that wait for a link.", lambda: self._dispatch.queued)
        gauge("smsgw_receipts_ready", "Owed rows in memory that wait for a receiver.", lambda: self._deliver.ready)
        gauge("smsgw_commit_backlog", "Entries that wait for a cycle.", lambda: commit.backlog)
        gauge("smsgw_database_available", "1 while the unit of work has its connection.", lambda: int(commit.available))
        counter("smsgw_commit_cycles", "Cycles of the unit of work.", lambda: commit.cycles)
        counter("smsgw_commit_rows", "Rows written by cycles.", lambda: commit.rows)
        counter("smsgw_commit_replays", "Cycles replayed after a lost connection.", lambda: commit.replays)
        counter("smsgw_commit_conflicts", "Changes that another node was faster with.", lambda: commit.conflicts)
        counter("smsgw_commit_poisoned", "Rows that could not be stored.", lambda: commit.poisoned)
        counter("smsgw_effect_failures", "Effects that raised.", lambda: commit.effect_failures)
        docket = self._docket
        counter(
            "smsgw_policy_verdicts",
            "Messages judged, by policy and verdict.",
            lambda: dict[tuple[str, ...], float](docket.verdicts),
            ("policy", "verdict"),
        )
        counter(
            "smsgw_policy_hits", "Findings by policy, class of rule and action.", docket.hits_by_class, ("policy", "rule", "action")
        )
        counter(
            "smsgw_policy_failures",
            "Messages judged by a fail mode.",
            lambda: dict[tuple[str, ...], float](docket.failures),
            ("policy",),
        )
        gauge(
            "smsgw_policy_faults", "Policies whose stored version is not in force.", lambda: len(self._desk.directory.policy_faults)
        )
        counter("smsgw_messages_in_doubt", "Messages that were in doubt.", lambda: self._dispatch.in_doubt)
        counter("smsgw_messages_resent", "Messages sent again after a doubt.", lambda: self._dispatch.resent)
        counter("smsgw_messages_spilled", "Messages that left memory for the store.", lambda: self._due.spilled)


def _state(account: Account) -> str:
    """Return how an account stands, its tenant included."""
    return (account.restriction.standing if account.restriction is not None else Standing.ACTIVE).name.lower()
