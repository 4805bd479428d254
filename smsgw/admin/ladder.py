"""The ladder: what is done about signs of pumping: alert → limit → freeze, one step at a time, never further.

Each step leaves a notice to the tenant and an audit row, with the sign as evidence; so a step is remembered by every node and over
restarts. The next one is taken when a sign is seen again `step_s` later: an account that stops is left where it is. What a person
has decided stands: smsgw takes no step down, and none where something stricter holds.

Must never: end a contract; take two steps at once; act on a sign in shadow mode, which is told to the log alone.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from smsgw.admin.standing import NotAllowed, NotFound, change_state, present_of, warn
from smsgw.contracts.standing import AUTOMATIC
from smsgw.model import Standing
from smsgw.store import alarms, provisioning
from smsgw.store import standing as store

if TYPE_CHECKING:
    from smsgw.policy.pumping import Pumping, Sign
    from smsgw.store.database import Connection
    from smsgw.telemetry import Meters

STEPS: Final = ("alert", "limit", "freeze")
FORGOTTEN_S: Final = 86_400
"""After so long without a step an account begins at the bottom again."""


class Ladder:
    """Takes steps about the signs that `pumping` has found."""

    def __init__(self, pumping: Pumping) -> None:
        """Take who finds them."""
        self._pumping = pumping
        self.steps: Counter[tuple[str, ...]] = Counter()
        self._log = structlog.get_logger().bind()

    def register(self, meters: Meters) -> None:
        """Export signs, steps, and how many accounts are watched."""
        pumping = self._pumping
        meters.counter(
            "smsgw_pumping_signs", "Blocks of attempts with a sign of pumping.", lambda: dict(pumping.counted), ("signal", "mode")
        )
        meters.counter("smsgw_pumping_steps", "Steps taken about signs of pumping.", lambda: dict(self.steps), ("step",))
        meters.gauge("smsgw_pumping_accounts", "Accounts watched for pumping.", lambda: len(pumping))
        meters.counter("smsgw_pumping_accounts_dropped", "Accounts forgotten for limits.watched.", lambda: pumping.dropped)

    async def climb(self, connection: Connection) -> int:
        """Act on the signs since the last time; returns how many steps were taken."""
        taken = 0
        for sign in self._pumping.taken():
            step = "" if sign.shadow else await take_step(connection, sign)
            self._log.warning(
                "pumping",
                system_id=sign.account.system_id,
                signal=sign.signal,
                share=round(sign.share, 3),
                threshold=sign.threshold,
                of=sign.of,
                step=step or "none",
                shadow=sign.shadow,
            )
            if step:
                self.steps[step,] += 1
                taken += 1
        return taken


async def take_step(connection: Connection, sign: Sign) -> str:
    """Take the next step about a sign, if there is one to be taken; returns its name, "" for none."""
    table, account = sign.table, sign.account.system_id
    async with connection.transaction():
        await provisioning.lock(connection)
        try:
            _, present = await present_of(connection, "account", account)
        except NotFound:  # deleted meanwhile
            return ""
        age_s = await alarms.last_step_s(connection, account)
        if age_s is not None and age_s < table.step_s:
            return ""
        begun = age_s is not None and age_s < max(FORGOTTEN_S, table.step_s * 2)
        step = _next(present.standing, begun=begun)
        if not step or STEPS.index(step) > STEPS.index(table.up_to):
            return ""
        if step == "alert":
            await warn(connection, "account", account, actor=AUTOMATIC, reason=alarms.PUMPING, evidence=sign.evidence)
            return step
        until = await store.now(connection) + timedelta(hours=table.hours) if table.hours else None
        limited = step == "limit"
        try:
            await change_state(
                connection,
                "account",
                account,
                Standing.LIMITED if limited else Standing.FROZEN,
                actor=AUTOMATIC,
                reason=alarms.PUMPING,
                evidence=sign.evidence,
                until=until,
                rate=table.rate if limited else 0,
            )
        except NotAllowed:
            return ""
        return step


def _next(standing: Standing, *, begun: bool) -> str:
    """Return the step that follows from how an account stands, and from whether it was alerted lately."""
    if not begun:
        return "alert" if standing in {Standing.ACTIVE, Standing.LIMITED, Standing.CLOSING} else ""
    return {Standing.ACTIVE: "limit", Standing.LIMITED: "freeze"}.get(standing, "")
