from __future__ import annotations

import pytest

from smsgw.telemetry.meters import OTHER_STATUS, STALL_S, WORDS, AccountMeter, Histogram, LinkMeter, Meters, Tally


def test_an_account_has_one_meter():
    """Asking again for an account or a link gives the same meter, so that a count survives a reconnect."""
    meters = Meters()
    meters.account("acme1").accepted += 3
    meters.link("alpha-1").sent += 2
    assert meters.account("acme1").accepted == 3
    assert meters.link("alpha-1").sent == 2


def test_accounts_beyond_the_cap_share_a_meter():
    """From the cap on, accounts are counted together under `other`, and how many those are is known."""
    meters = Meters(accounts=2)
    for name in ("a", "b", "c", "d", "c"):
        meters.account(name).refuse("window")
    assert [(meter.name, meter.refused["window"]) for meter in meters.accounts.values()] == [("a", 1), ("b", 1), ("other", 3)]
    assert meters.folded == {"c", "d"}


def test_a_carrier_cannot_fill_memory_with_statuses():
    """A tally keeps a bounded number of words; the rest is counted under one, and nothing is lost of the sum."""
    meter = LinkMeter("alpha-1")
    for status in range(5_000):
        meter.refused[status] += 1
        meter.refused[0x58] += 1
    assert len(meter.refused) == WORDS + 1
    assert sum(meter.refused.values()) == 10_000
    assert meter.refused[0x58] == 5_001
    assert meter.refused[OTHER_STATUS] > 4_900


def test_a_tally_keeps_counting_the_words_it_has():
    """A word that came early is counted on its own for ever."""
    tally: Tally[str] = Tally("other")
    tally["first"] += 1
    for number in range(WORDS * 2):
        tally[f"word {number}"] += 1
    tally["first"] += 1
    assert tally["first"] == 2


@pytest.mark.parametrize(("value", "bucket"), [(0.0, 0), (0.001, 0), (0.0011, 1), (5.0, 2), (5.1, 3), (1e9, 3)])
def test_a_value_is_counted_under_its_upper_bound(value: float, bucket: int):
    """A bucket holds what is at most its bound, as Prometheus reads `le`; the last one holds the rest."""
    histogram = Histogram((0.001, 1.0, 5.0))
    histogram.observe(value)
    assert [index for index, count in enumerate(histogram.counts) if count] == [bucket]
    assert histogram.total == value


def test_lag_keeps_its_greatest_and_counts_stalls():
    """The greatest lag is kept until a scrape; only those over 10 ms are stalls."""
    meters = Meters()
    for lag in (0.0, STALL_S, 0.2, 0.05):
        meters.lagged(lag)
    assert meters.process.loop_lag_s == 0.2
    assert meters.process.loop_stalls == 2
    assert sum(meters.loop_lag.counts) == 4


def test_meters_take_no_stray_name():
    """A misspelt counter is an error, not a number that nobody reads."""
    with pytest.raises(AttributeError):
        AccountMeter("acme1").acepted = 1  # type: ignore[attr-defined]
