"""Loops that use the store end at the first cancellation, also where the loss of a connection has swallowed it.

`asyncio.wait_for` of Python 3.11 gives the loss, not the cancellation, to a task that meets both at once; a group cancels its tasks
once only, so one that goes on keeps the gateway from ending for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from smsgw import directory
from smsgw.journey import optout
from smsgw.smpp.pdu import sm_body
from tests.journey.scene import Scene
from tests.journey.test_optout import HANDSET, scene_of
from tests.peers import WAIT_S


class Losing:
    """A pool, or a listener, whose connection is lost the moment its user is cancelled."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def acquire(self) -> Losing:
        return self

    async def __aenter__(self) -> Any:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError from None

    async def __aexit__(self, *_: object) -> None:
        """Nothing was got, nothing is given back."""

    def fetch(self, *_: object, **__: object) -> Awaitable[Any]:
        return self.__aenter__()


Spoil: TypeAlias = "Callable[[Scene, Losing, pytest.MonkeyPatch], Awaitable[None]]"


async def hold(scene: Scene, losing: Losing, _: pytest.MonkeyPatch) -> None:
    """It looks once a second by itself."""
    scene.daemon.hold._pool = losing


async def cancel(scene: Scene, losing: Losing, _: pytest.MonkeyPatch) -> None:
    """It looks once a second by itself, too."""
    scene.daemon.cancel._pool = losing


async def limits(scene: Scene, losing: Losing, _: pytest.MonkeyPatch) -> None:
    """It prunes now, not in a minute."""
    scene.daemon.limits._pool = losing  # type: ignore[assignment]
    scene.daemon.limits._pruned_at = -1e9


async def recall(scene: Scene, losing: Losing, _: pytest.MonkeyPatch) -> None:
    """A receipt asks for its message."""
    scene.daemon.recall._pool = losing
    scene.daemon.recall.load_messages([1], lambda _: None)


async def recover(scene: Scene, losing: Losing, _: pytest.MonkeyPatch) -> None:
    """It looks after other nodes every third second."""
    scene.daemon.recover._pool = losing


async def jobs(scene: Scene, losing: Losing, _: pytest.MonkeyPatch) -> None:
    """An errand into the store."""

    async def errand() -> None:
        async with losing.acquire():
            raise AssertionError

    assert scene.daemon.jobs.ask(errand)


async def writing(scene: Scene, losing: Losing, _: pytest.MonkeyPatch) -> None:
    """A handset's keyword is to be put on record."""
    scene.daemon.opt_outs._pool = losing
    scene.smsc.deliver(sm_body(source=HANDSET, source_ton=1, dest=b"10690001", short_message=b"STOP"))


async def listening(scene: Scene, losing: Losing, patch: pytest.MonkeyPatch) -> None:
    """The marks' listener has lost its connection and makes another one."""
    patch.setattr(optout.store, "listening", lambda _: losing)
    await deafen(scene, "smsgw marks")


async def following(scene: Scene, losing: Losing, patch: pytest.MonkeyPatch) -> None:
    """The provisioning's listener likewise."""
    patch.setattr(directory.provisioning, "listening", lambda _: losing)
    await deafen(scene, "smsgw follow")


async def deafen(scene: Scene, name: str) -> None:
    """Cut the connections of this name."""
    await scene.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1", name
    )


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("hold", hold),
        ("cancel", cancel),
        ("limits", limits),
        ("recall", recall),
        ("recover", recover),
        ("jobs", jobs),
        ("opt-outs", writing),
        ("opt-outs", listening),
        ("follow provisioning", following),
    ],
)
async def test_a_loop_ends_though_its_cancellation_was_swallowed(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, spoil: Spoil
):
    """It is cancelled once, in the moment in which its connection is lost, and ends."""
    async with scene_of(database, tmp_path).playing() as scene:
        losing = Losing()
        await spoil(scene, losing, monkeypatch)
        (task,) = (each for each in scene.daemon._background if each.get_name() == name)
        async with asyncio.timeout(WAIT_S):
            await losing.asked.wait()
        task.cancel()
        await asyncio.wait([task], timeout=WAIT_S)
        assert task.done()


async def test_a_unit_of_work_ends_though_its_cancellation_was_swallowed(database: str, tmp_path: Path):
    """In the middle of connecting again, which it would do for ever."""
    async with scene_of(database, tmp_path).playing() as scene:
        losing = Losing()
        scene.daemon.commit._connect = losing.__aenter__
        await deafen(scene, "smsgw unit of work")
        scene.daemon.commit.unwait(0)
        async with asyncio.timeout(WAIT_S):
            await losing.asked.wait()
        scene._life.cancel()
        await asyncio.wait([scene._life], timeout=WAIT_S)
        assert scene._life.done()


async def test_a_link_ends_as_it_was_told_whatever_another_task_meets(database: str, tmp_path: Path):
    """While a cancelled link closes its session, the unit of work is refused by the store: the link's task is cancelled, no less.

    Compiled code that waited while it handled an exception went on with the one that another task had met meanwhile.
    """
    async with scene_of(database, tmp_path).playing() as scene:
        commit = scene.daemon.commit
        connect, asked, refused = commit._connect, asyncio.Event(), asyncio.Event()

        async def refusing() -> Any:
            asked.set()
            await refused.wait()
            raise ConnectionRefusedError

        commit._connect = refusing
        await deafen(scene, "smsgw unit of work")
        commit.unwait(0)
        async with asyncio.timeout(WAIT_S):
            await asked.wait()
        commit._connect = connect
        (runner,) = scene.daemon.carriers._runners.values()
        (task,) = runner._tasks.values()
        task.cancel()
        refused.set()
        await asyncio.wait([task], timeout=WAIT_S)
        assert task.cancelled()
