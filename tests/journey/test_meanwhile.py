"""What happens while a message waits for its parts, its hours or a person: a row for each, with what its tenant hears and pays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import pytest

from smsgw.model import State
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from tests.admin.test_reviewing import accept, in_review
from tests.journey import waiting as meanwhile
from tests.journey.scene import read_receipt
from tests.journey.waiting import REFUSING, UNREAD, Waiting
from tests.peers import Esme


class Row(NamedTuple):
    """An event, and what comes of each way of waiting.

    `told`: by way, what all its messages hear in the end: "DELIVRD", "EXPIRED", or the reason for which they are refused.
    `account`, `fields`: what the account and the submits have beside. `last`: what the last part is answered, where it is refused.
    `reviewed`: ways that have come before a person once more, who lets them go. `patience`: ways that wait for parts in vain.
    """

    event: Callable[[Waiting], Any]
    told: dict[str, str]
    account: str = ""
    fields: Mapping[str, Any] = MappingProxyType({})
    last: int = const.ESME_ROK
    reviewed: str = ""
    patience: bool = False


def status(reason: str) -> int:
    """What a tenant reads at the door."""
    return STATUSES[reason][0]


ALL: Final = {"parts": "DELIVRD", "whole": "DELIVRD", "deferred": "DELIVRD", "reviewed": "DELIVRD"}
SOON: Final = {"validity": b"000000000020000R"}

TABLE: Final = {
    "nothing": Row(meanwhile.nothing, ALL),
    "account frozen": Row(meanwhile.standing("account", "acme1", "frozen"), dict.fromkeys(ALL, "frozen"), last=status("frozen")),
    "contract closed": Row(
        meanwhile.standing("tenant", "acme", "frozen", "closed"), dict.fromkeys(ALL, "closed"), last=status("closed")
    ),
    "price gone": Row(meanwhile.price_gone, {**ALL, "parts": "parts_missing"}, last=const.ESME_RSUBMITFAIL),
    "route gone": Row(meanwhile.route_gone, {**ALL, "parts": "parts_missing"}, last=const.ESME_RINVDSTADR),
    "set gone": Row(meanwhile.set_gone, ALL, patience=True),
    "set that refuses": Row(
        meanwhile.replaced(REFUSING), {"parts": "content", "whole": "content", "deferred": "content", "reviewed": "DELIVRD"}
    ),
    "set that reads nothing": Row(meanwhile.replaced(UNREAD), ALL, patience=True),
    "set broken, fail hold": Row(meanwhile.broken("hold"), ALL, reviewed="parts whole deferred"),
    "set broken, fail reject": Row(meanwhile.broken("reject"), {**dict.fromkeys(ALL, "policy_failed"), "reviewed": "DELIVRD"}),
    "set broken, fail pass": Row(meanwhile.broken("pass"), ALL),
    "queried, cancelled, replaced": Row(meanwhile.asked, ALL),
    "validity over": Row(meanwhile.validity_over, dict.fromkeys(ALL, "EXPIRED"), fields=SOON),
    "restarted": Row(meanwhile.restarted, ALL),
    "taken over": Row(meanwhile.taken_over, ALL),
    "store lost": Row(meanwhile.store_lost, ALL),
    "sent again": Row(meanwhile.sent_again, ALL, account="duplicate_window_s = 60"),
    "account relays": Row(meanwhile.relayed, ALL, patience=True),
    "quota full": Row(
        meanwhile.nothing, {"parts": "parts_missing", "deferred": "DELIVRD"}, account="quota_day = {}", last=status("quota")
    ),
}


@pytest.mark.parametrize(("what", "kind"), [(what, kind) for what, row in TABLE.items() for kind in row.told])
async def test_meanwhile(database: str, tmp_path: Path, what: str, kind: str):
    """Each waiting message comes to one end, is told so once, and is paid for exactly where it went."""
    row = TABLE[what]
    waiting = Waiting(database, tmp_path, kind)
    waiting.account, waiting.fields = row.account.format({"parts": 2}.get(kind, 1)), dict(row.fields)
    async with waiting.playing():
        scene = waiting.scene
        await row.event(waiting)
        if row.told[kind] != "EXPIRED":
            await waiting.end()
            assert waiting.last == (row.last if kind == "parts" else const.ESME_ROK)
        if row.patience and kind == "parts":
            await waiting.patience()
        if kind in row.reviewed.split():
            await accept(scene, *await in_review(scene))
        await told(waiting, row.told[kind])


async def told(waiting: Waiting, word: str) -> None:
    """All have come to this end, were told of it once, and what did not go was paid back; nothing waits any more."""
    scene, ids = waiting.scene, waiting.ids
    state = {"DELIVRD": State.DELIVERED, "EXPIRED": State.EXPIRED}.get(word, State.REJECTED)
    for each in ids:
        row = await scene.in_state(each, state)
        assert row["refund"] == (0 if state is State.DELIVERED else row["price"])
        assert state is not State.REJECTED or row["error"] == STATUSES[word][0]
    heard = await receipts(waiting.tenant, len(ids))
    assert sorted(heard) == sorted(
        (each, *((b"REJECTD", word.encode()) if state is State.REJECTED else (word.encode(), b""))) for each in ids
    )
    assert await scene.spent() == (len(ids) * 38_000 if state is State.DELIVERED else 0)
    assert len(scene.smsc.submits) == (len(ids) if state is State.DELIVERED else 0)
    assert await scene.count("message") == len(ids)
    await scene.emptied("owed")
    await scene.settled()
    assert sum(one.command == const.DELIVER_SM for one in waiting.tenant.requests) == len(ids)
    await scene.emptied("waiting")
    await scene.emptied("held_text WHERE NOT done")


async def receipts(tenant: Esme, count: int) -> list[tuple[bytes, bytes, bytes]]:
    """Wait for so many receipts: (id, stat, text)."""
    found = [read_receipt(await tenant.request(const.DELIVER_SM)) for _ in range(count)]
    return [(one.message_id, one.stat, one.text) for one in found]
