"""What is unusual about an account, on a real store and over real binds: told once, in time, without anything secret."""

from __future__ import annotations

import asyncio
from typing import Any

from smsgw.admin.anomalies import PLACES_EVERY, Watch
from smsgw.config import Anomalies
from smsgw.smpp import const
from smsgw.store import binds, notices
from smsgw.store.database import Connection
from smsgw.telemetry.meters import Meters
from smsgw.tenants.bind import Authenticator
from tests.journey.scene import Scene
from tests.peers import Esme


class Minutes:
    """A clock that stands still between two minutes."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def now(self) -> float:
        """The same as `time`."""
        return self.at

    def time(self) -> float:
        """Seconds since 1970."""
        return self.at


class Post:
    """A watch with an account of which it counts what is sent, a minute a step."""

    def __init__(self, connection: Connection, **settings: Any) -> None:
        self.connection = connection
        self.meters = Meters()
        self.clock = Minutes()
        self.watch = Watch(Anomalies(**settings), self.meters, self.clock)
        self.door = Authenticator(lambda _system_id: None, self.clock)

    async def minute(self, *sent: int) -> None:
        """So many submits in each of these minutes."""
        for count in sent:
            self.meters.account("acme1").accepted += count
            self.clock.at += 60
            await self.watch.look(self.connection, self.door)

    async def told(self) -> list[dict[str, Any]]:
        """The notices, oldest first."""
        return [{"kind": one["kind"], **one["params"]} for one in reversed(await notices.of(self.connection))]


async def test_a_spike_is_told_once_until_it_is_over(acme: Connection):
    """Ten times the last hour's mean and a thousand at least: once while it lasts, and once more when it comes again later."""
    post = Post(acme)
    await post.minute(0, *[200] * 20)
    assert await post.told() == []
    await post.minute(2_500, 9_000, 40_000)
    (spike,) = await post.told()
    assert (spike["kind"], spike["name"], spike["submits"], spike["level"]) == ("rate_spike", "acme1", 2_500, 200.0)
    await post.minute(*[200] * 70, 3_000)
    assert [one["submits"] for one in await post.told()] == [2_500, 3_000]
    assert post.watch.counts["rate_spike"] == 2


async def test_what_is_small_or_unknown_is_no_spike(acme: Connection):
    """Under the least number nothing is one, nor in the first ten minutes, nor where it is switched off."""
    post = Post(acme)
    await post.minute(0, *[1] * 20, 999)
    await Post(acme).minute(0, 1, 5_000)
    off = Post(acme, spike_factor=0.0)
    await off.minute(0, *[1] * 20, 90_000)
    assert await post.told() == []


async def test_new_addresses_of_an_hour_are_one_notice(acme: Connection):
    """The second one within the hour is added to the notice, in the next hour it is one of its own."""
    post = Post(acme)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        post.door.came[1, address] = post.clock.at
        await post.watch.look(acme, post.door)
    post.clock.at += 3_600
    post.door.came[1, "192.0.2.4"] = post.clock.at
    await post.watch.look(acme, post.door)
    told = await post.told()
    assert [(one["kind"], one["addresses"], one["times"]) for one in told] == [
        ("new_source", ["192.0.2.2", "192.0.2.3"], 2),
        ("new_source", ["192.0.2.4"], 1),
    ]
    assert post.watch.counts["new_source"] == 2
    assert post.door.came == {}


async def test_the_same_places_are_told_once_a_day_and_others_once_an_hour(acme: Connection):
    """While they last nothing comes again; a third place within the hour waits for it, and is told when it still lasts then."""
    post = Post(acme)

    async def look() -> list[int]:
        for _ in range(PLACES_EVERY):
            await post.watch.look(acme, post.door)
        return [one["places"] for one in await post.told()]

    for number, address in enumerate(("192.0.2.1", "198.51.100.1")):
        await binds.claim(acme, 1, 1, number, 1, "trx", 0, 0, address)
    assert (await look(), await look()) == ([2], [2])
    await binds.claim(acme, 1, 1, 7, 1, "trx", 0, 0, "203.0.113.1")
    assert await look() == [2]
    await acme.execute("UPDATE notice SET at = at - interval '61 minutes'")
    assert (await look(), await look()) == ([2, 3], [2, 3])
    assert post.watch.counts["places"] == 2


async def test_binds_and_failures_are_told_within_a_minute(database: str):
    """Over SMPP: a bind from another network, both at once, and twenty wrong passwords: one notice each, and no secret in any."""
    async with Scene(database).playing() as scene:
        await scene.tenant()
        await scene.until(lambda: scene.count("account_source"))
        async with await Esme.connect(scene.daemon.ports[0], local_addr=("127.0.1.1", 0)) as other:
            loop = asyncio.get_running_loop()
            since = loop.time()
            assert (await other.bind("acme1", "secret")).status == const.ESME_ROK

            async def wrong_five_times() -> None:
                async with await Esme.connect(scene.daemon.ports[0]) as stranger:
                    for _ in range(5):
                        assert (await stranger.bind("acme1", "WRONG-pw")).status == const.ESME_RBINDFAIL

            await asyncio.gather(*(wrong_five_times() for _ in range(5)))  # each answer is delayed

            async def told() -> bool:
                return await scene.count("notice") >= 3

            await scene.until(told)
            assert loop.time() - since < 60
        rows = await scene.connection.fetch("SELECT kind, params, account FROM notice ORDER BY kind")
        assert [row["kind"] for row in rows] == ["bind_failures", "new_source", "places"]
        said = "".join(row["params"] for row in rows)
        assert "127.0.1.1" in said
        assert "127.0.1.0/24" in said
        assert "secret" not in said.lower()
        assert "wrong" not in said.lower()
        counted = scene.daemon.meters.counters["smsgw_anomalies"][2]()
        assert counted == {("bind_failures",): 1, ("new_source",): 1, ("places",): 1, ("rate_spike",): 0}
