"""Jobs: bounded, in order, each behind its own wall."""

from __future__ import annotations

import asyncio
import contextlib

from smsgw.journey.jobs import Jobs


async def test_jobs_are_done_and_a_failing_one_costs_the_others_nothing():
    """A job that raises ends itself only."""
    jobs, done = Jobs(), asyncio.Event()

    async def fail() -> None:
        raise RuntimeError("no")

    async def work() -> None:
        done.set()

    task = asyncio.ensure_future(jobs.run())
    assert jobs.ask(fail)
    assert jobs.ask(work)
    async with asyncio.timeout(5):
        await done.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert done.is_set()


async def test_an_errand_that_swallows_its_cancellation_ends_all_the_same():
    """As a lost connection may: whoever cancels the jobs does not wait for ever."""
    jobs, begun = Jobs(), asyncio.Event()

    async def swallow() -> None:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(jobs.run())
    assert jobs.ask(swallow)
    await begun.wait()
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([task])
    assert task.cancelled()


async def test_too_many_jobs_are_refused():
    """What does not fit is refused at once, so that nobody waits for ever."""
    jobs = Jobs(cap=2)

    async def work() -> None: ...

    assert [jobs.ask(work) for _ in range(3)] == [True, True, False]
