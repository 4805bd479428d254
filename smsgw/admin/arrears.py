"""Arrears: tenants are told when their balance falls below their thresholds, suspended when it pays nothing more, and resumed.

The keeper looks once a second, on every node: one notice a crossing, until the balance has risen again. A suspension is lifted as
soon as the balance pays a part again, by whatever raised it; sessions stay bound all the while.

Must never: do anything for a message; suspend whom a person has put into a stricter state.
"""

from __future__ import annotations

from typing import Final

from smsgw.admin.standing import change_state
from smsgw.billing.tariff import format_money
from smsgw.contracts.standing import AUTOMATIC, NotAllowed
from smsgw.store import alarms, notices
from smsgw.store.database import Connection

REASON: Final = "balance"
KIND: Final = "balance_low"


async def keep_balances(connection: Connection) -> int:
    """Tell, suspend and resume, as balances ask for; returns how much was done."""
    await alarms.forget_risen(connection)
    done = 0
    for crossing in await alarms.fallen(connection):
        async with connection.transaction():
            if await alarms.take(connection, crossing):
                said = {
                    "name": crossing.tenant,
                    "currency": crossing.currency,
                    "threshold": format_money(crossing.threshold),
                    "balance": format_money(crossing.amount),
                    "credit_limit": format_money(crossing.credit_limit),
                }
                await notices.add(connection, crossing.tenant_id, KIND, said)
                done += 1
    for name in await alarms.covered(connection, REASON):
        done += await _move(connection, name, "active")
    for name in await alarms.exhausted(connection):
        done += await _move(connection, name, "suspended_arrears")
    return done


async def _move(connection: Connection, name: str, state: str) -> bool:
    """Put a tenant into a state, unless another node or a person was faster."""
    try:
        return (await change_state(connection, "tenant", name, state, actor=AUTOMATIC, reason=REASON)).made
    except NotAllowed:
        return False
