"""What was accepted and is not to be sent: each message is sent or cancelled, never both, never neither, and the books agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from smsgw.admin import cancelling
from smsgw.admin.cancelling import Wanted
from smsgw.model import State
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const, pdu
from tests.journey.parted import SOURCE
from tests.journey.scene import Scene, id_of
from tests.peers import Esme

MANY = 5_000
ALL = Wanted(account="acme1")
PRICE = 38_000
CANCELLED = STATUSES["cancelled"][0]


async def submitted(scene: Scene, tenant: Esme, count: int, registered: int = 0) -> list[int]:
    """Submit so many messages at once; returns their ids once all are answered."""
    before = len(tenant.responses)
    for number in range(count):
        body = pdu.sm_body(source=SOURCE, dest=b"86138%08d" % number, short_message=b"x", registered_delivery=registered)
        tenant.send(const.SUBMIT_SM, body)
        if number % 500 == 499:
            await scene.until(lambda sent=number + 1: len(tenant.responses) >= before + sent)
    await scene.until(lambda: len(tenant.responses) >= before + count)
    return [int(id_of(answer)) for answer in tenant.responses[before:]]


async def cancel(scene: Scene, wanted: Wanted = ALL) -> int:
    """Have messages cancelled."""
    number, _ = await cancelling.cancel(scene.connection, wanted, actor="ann", reason="fraud")
    return number


async def done(scene: Scene, number: int) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    """Wait, while time runs faster, until a cancellation is carried out; returns what came of it."""

    async def there() -> Any:
        summary, rows = await cancelling.result(scene.connection, number)
        return (summary, rows) if summary["state"] == "done" else None

    found: tuple[Mapping[str, Any], list[dict[str, Any]]] = await scene.until(there)
    return found


async def each_once(scene: Scene, ids: list[int], *, slack: int = 0) -> Counter[State]:
    """Each message was sent or cancelled: what the carriers got are those that were not; and only what was sent is paid."""
    got = Counter(int(submit.sm.dest[-8:]) for smsc in scene.smscs for submit in smsc.submits)
    rows = {row["id"]: row for row in await scene.rows()}
    ends = Counter[State]()
    for number, each in enumerate(ids):
        row = rows[each]
        ends[State(row["state"])] += 1
        if row["state"] == State.CANCELLED:
            assert got[number] == 0
            assert (row["refund"], row["error"]) == (row["price"], CANCELLED)
        else:
            assert row["state"] == State.SENT
            assert got[number] == 1
            assert row["refund"] == 0
    assert await scene.spent() == PRICE * ends[State.SENT] + slack
    assert await scene.count("waiting") == 0
    return ends


async def test_what_drains_is_sent_or_cancelled(database: str):
    """Of 5,000 messages behind a slow link, cancelled while they drain, each is sent or cancelled, and the answer counts both."""
    async with Scene(database, link="rate = 200", more="[unit_of_work]\nspill_after_s = 1.0\n").playing() as scene:
        tenant = await scene.tenant()
        ids = await submitted(scene, tenant, MANY)
        await scene.until(lambda: len(scene.smsc.submits) > 500)
        summary, (row,) = await done(scene, await cancel(scene))
        await scene.settled()
        ends = await each_once(scene, ids)
        assert ends[State.SENT] > 500
        assert ends[State.CANCELLED] > 1_000
        assert (row["messages"], row["out"]) == (ends[State.CANCELLED], ends[State.SENT])
        assert (summary["messages"], summary["out"]) == (row["messages"], row["out"])
        told = scene.daemon.cancel.ended
        assert told.total() == ends[State.CANCELLED]
