from __future__ import annotations

import asyncio
import gc
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smsgw.telemetry.lag import KEPT, SCHEDSTAT, LagProbe
from smsgw.telemetry.meters import Meters


def busy(seconds: float) -> None:
    """Keep the processor for this long, by the thread's own clock."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@pytest.fixture
def meters() -> Meters:
    """Meters that nothing was counted in."""
    return Meters()


def test_small_lags_are_counted_and_no_stalls(meters: Meters):
    """A lag of up to 10 ms goes into histogram and maximum; one below zero is rounding and counts as none."""
    probe = LagProbe(meters)
    probe.late(0.004)
    probe.late(-0.001)
    assert sum(meters.loop_lag.counts) == 2
    assert meters.loop_lag.total == pytest.approx(0.004)
    assert meters.process.loop_lag_s == pytest.approx(0.004)
    assert probe.rows() == []


def test_a_stall_of_our_own_code_is_named_so(meters: Meters):
    """When the thread had the processor all the time, the stall is the code's."""
    probe = LagProbe(meters)
    busy(0.02)
    probe.late(0.02)
    assert probe.causes == {"code": 1}
    assert meters.process.loop_stalls == 1
    (row,) = probe.rows()
    assert row["lag_ms"] == 20.0
    assert row["cpu_ms"] >= 19.0
    assert datetime.fromisoformat(row["at"]).tzinfo == UTC


def test_a_stall_while_another_thread_ran_is_named_so(meters: Meters):
    """When the thread neither ran nor was ready to, it waited for another one, or in a call that blocks."""
    probe = LagProbe(meters)
    probe.late(0.5)
    assert probe.causes == {"off_cpu": 1}


async def test_a_stall_for_want_of_a_processor_is_named_so(meters: Meters, tmp_path: Path):
    """When the thread was ready for most of the time and got no processor, others had them; the row says for how long."""
    schedstat = tmp_path / "schedstat"
    schedstat.write_text("1000 2000 3\n")
    probe = LagProbe(meters, schedstat=str(schedstat))
    probe.start()
    schedstat.write_text("1000 400002000 4\n")
    probe.late(0.5)
    probe.late(0.5)
    probe.stop()
    assert [(row["cause"], row["ready_ms"]) for row in probe.rows()] == [("off_cpu", 0.0), ("no_cpu", 400.0)]


async def test_linux_tells_of_the_loops_own_thread(meters: Meters):
    """What the probe reads of a thread that waits for nothing but its timer is little, and it can be read."""
    probe = LagProbe(meters)
    probe.start()
    assert probe._ready.seconds() >= 0.0
    assert Path(SCHEDSTAT).read_text(encoding="ascii").split()[1].isdecimal()
    probe.stop()


async def test_a_stall_of_the_garbage_collector_is_named_so(meters: Meters):
    """When the collector took most of the time, it is the cause, and the row says how much it took."""
    probe = LagProbe(meters)
    probe.start()
    try:
        cycles = [[] for _ in range(300_000)]  # type: ignore[var-annotated]
        for one in cycles:
            one.append(one)
        probe.late(0.0)
        began = time.monotonic()
        gc.collect()
        took = time.monotonic() - began
        probe.late(max(took, 0.011))
    finally:
        probe.stop()
        cycles.clear()
    assert probe.rows()[0]["cause"] == "gc"
    assert probe.rows()[0]["gc_ms"] > 0


async def test_the_timer_sees_a_loop_that_was_held(meters: Meters):
    """Whatever holds the loop for long enough is seen by the probe's own timer, and no timer or hook is left after the stop."""
    hooks = len(gc.callbacks)
    probe = LagProbe(meters, every_s=0.001)
    probe.start()
    loop = asyncio.get_running_loop()
    held = loop.create_future()

    def hold() -> None:
        busy(0.03)
        loop.call_later(0.002, held.set_result, None)

    loop.call_soon(hold)
    await held
    probe.stop()
    probe.stop()
    assert meters.process.loop_lag_s > 0.02
    assert probe.causes.total() >= 1
    assert len(gc.callbacks) == hooks


def test_only_the_last_stalls_are_kept(meters: Meters):
    """However many stalls there are, a bounded number is kept, the newest shown first."""
    probe = LagProbe(meters)
    for number in range(KEPT + 10):
        probe.late(0.02 + number / 1000)
    rows = probe.rows()
    assert len(rows) == KEPT
    assert rows[0]["lag_ms"] == round(20 + KEPT + 9, 1)


def test_causes_are_exported(meters: Meters):
    """The causes are read as a counter with one label."""
    probe = LagProbe(meters)
    probe.late(0.5)
    _, labels, read = meters.counters["smsgw_event_loop_stall_causes"]
    assert labels == ("cause",)
    assert read() == {("off_cpu",): 1}
