from __future__ import annotations

import json

from smsgw.store import deliveries, notices
from smsgw.store.database import Connection


async def test_deliveries_are_planned_claimed_and_settled(connection: Connection):
    """One a target, taken by one node until its lease is over, and gone once it is done; the notice has been told."""
    settings = json.dumps({"notice_webhook": "http://127.0.0.1/x", "notice_mail": ["a@b"]})
    await connection.execute("INSERT INTO tenant (name, currency, settings) VALUES ('acme', 'CNY', $1)", settings)
    await notices.add(connection, 1, "warning", {"why": "x"})
    assert await deliveries.plan(connection, 10) == 0
    assert await deliveries.plan(connection, 10) == 0
    taken = await deliveries.claim(connection, 10, lease_s=60)
    assert [(due.channel, due.tenant, due.params, due.tries) for due in sorted(taken, key=lambda due: due.channel)] == [
        ("mail", "acme", {"why": "x"}, 1),
        ("webhook", "acme", {"why": "x"}, 1),
    ]
    assert await deliveries.claim(connection, 10, lease_s=60) == []
    await deliveries.settle(connection, taken[0], "open", "later", 0.0)
    (again,) = await deliveries.claim(connection, 10, lease_s=0)
    assert again.tries == 2
    assert await notices.untold(connection) != []
    await deliveries.settle(connection, again, "done", "", 0.0)
    assert await notices.untold(connection) == []
