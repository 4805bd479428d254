"""Signs of pumping: found in what is made up, not in what is ordinary."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable

import pytest

from smsgw.policy.file import Pumping as Table
from smsgw.policy.pumping import REMEMBERED, Pumping
from tests.policy.sets import ACCOUNT, OTHER

TABLE = Table()
NOW = 1_764_000_000.0


def chinese(rng: random.Random) -> str:
    """A mobile of China, any."""
    return f"86{rng.choice(('135', '138', '150', '158', '177', '186', '199'))}{rng.randrange(10**8):08}"


def british(rng: random.Random) -> str:
    """A mobile of the United Kingdom, any."""
    return f"447{rng.randrange(10**9):09}"


def signs(pumping: Pumping, numbers: Iterable[str], table: Table = TABLE, now: float = NOW) -> list[str]:
    """Let an account send to these numbers; returns the signals found."""
    for number in numbers:
        pumping.attempt(ACCOUNT, table, number, now)
    return [sign.signal for sign in pumping.taken()]


def accustomed(rng: random.Random) -> Pumping:
    """An account with a past: a thousand codes to China."""
    pumping = Pumping()
    assert signs(pumping, (chinese(rng) for _ in range(1_000))) == []
    return pumping


def test_a_run_of_numbers_is_found_within_two_blocks():
    """A trace of n, n + 1, n + 2 … after a normal one trips within 200 attempts, wherever in a block it begins."""
    rng = random.Random(1)
    for begun in (0, 37, 99):
        pumping = accustomed(rng)
        signs(pumping, (chinese(rng) for _ in range(begun)))
        trace = [str(22890001000 + number) for number in range(200)]
        tripped = next(at for at, number in enumerate(trace, 1) if "sequential" in signs(pumping, [number]))
        assert tripped <= 200


def test_a_run_among_others_is_found():
    """Every second number is an ordinary one, and the run comes in no order."""
    rng = random.Random(2)
    run = [str(2289000000 + number) for number in range(100)]
    rng.shuffle(run)
    assert "sequential" in signs(accustomed(rng), [number for pair in ((n, chinese(rng)) for n in run) for number in pair])


def test_one_prefix_is_found_against_what_the_account_did_before():
    """Numbers that differ in their last four digits alone, none next to another, are no more than the prefix sign."""
    rng = random.Random(3)
    numbers = [f"86138001{rng.choice(range(0, 10_000, 3)):05}"[:9] + f"{last:04}" for last in rng.sample(range(0, 10_000, 3), 100)]
    assert signs(accustomed(rng), numbers) == ["prefix"]


def test_a_country_out_of_nowhere_is_found():
    """An account of domestic codes that suddenly sends half of them abroad."""
    rng = random.Random(4)
    mixed = [number for _ in range(50) for number in (chinese(rng), british(rng))]
    pumping = accustomed(rng)
    for number in mixed:
        pumping.attempt(ACCOUNT, TABLE, number, NOW)
    (sign,) = pumping.taken()
    assert (sign.signal, sign.detail, sign.share, sign.threshold, sign.of) == ("country", "GB", 0.5, 0.3, 100)
    assert sign.evidence == ("country 0.50 of 100, threshold 0.30", "GB")


def test_few_deliveries_are_found():
    """Nineteen of a hundred are too few, twenty are not."""
    for delivered, found in ((19, ["delivery"]), (20, [])):
        pumping = Pumping()
        signs(pumping, ["8613800138000"])
        for number in range(100):
            pumping.ended(ACCOUNT, TABLE, NOW, delivered=number < delivered)
        assert [sign.signal for sign in pumping.taken()] == found


def test_ten_thousand_codes_are_ordinary():
    """Codes to mobiles of one country, many of them asked for twice, show no sign, from the first one on."""
    rng = random.Random(5)
    numbers = []
    while len(numbers) < 10_000:
        number = chinese(rng)
        numbers += [number] * rng.choice((1, 1, 1, 2, 3))
    pumping = Pumping()
    assert signs(pumping, numbers[:10_000]) == []
    assert not pumping.counted


@pytest.mark.parametrize("sort", [False, True])
def test_a_run_to_a_list_of_customers_is_ordinary(*, sort: bool):
    """Notices to ten thousand random numbers of one country, in any order or in that of the numbers, show no sign."""
    rng = random.Random(6)
    numbers = [chinese(rng) for _ in range(10_000)]
    pumping = accustomed(rng)
    assert signs(pumping, sorted(numbers) if sort else numbers) == []
    assert not pumping.counted


def test_an_account_without_a_past_has_nothing_to_be_compared_with():
    """Its first blocks may be all of one prefix or country; only runs are found from the first one on."""
    rng = random.Random(7)
    assert signs(Pumping(), (british(rng) for _ in range(500))) == []
    assert signs(Pumping(), map(str, range(447700900000, 447700900100))) == ["sequential"]


def test_what_goes_on_becomes_ordinary():
    """A country that stays is a sign for some blocks, and none any more after many."""
    rng = random.Random(8)
    pumping = accustomed(rng)
    found = [signs(pumping, (british(rng) for _ in range(100)), now=NOW + block * 60) for block in range(60)]
    assert found[:3] == [["country"]] * 3
    assert found[-20:] == [[]] * 20


def test_a_sign_is_told_now_and_then_and_counted_always():
    """Of blocks in the same seconds one is told; each is counted."""
    pumping = Pumping()
    assert signs(pumping, map(str, range(447700900000, 447700900500))) == ["sequential"]
    assert pumping.counted == {("sequential", "enforce"): 5}
    assert signs(pumping, map(str, range(447700900000, 447700900100)), now=NOW + 60) == ["sequential"]


def test_a_threshold_of_nought_looks_for_nothing():
    """What nobody asks for is not found."""
    table = Table(sequential=0, prefix=0, country=0, delivery=0)
    pumping = Pumping()
    assert signs(pumping, map(str, range(447700900000, 447700902000)), table) == []
    for _ in range(100):
        pumping.ended(ACCOUNT, table, NOW, delivered=False)
    assert pumping.taken() == []


def test_shadow_is_told_as_such():
    """A table, or a whole set, in shadow mode finds signs that nobody is to act on."""
    run = [str(number) for number in range(447700900000, 447700900100)]
    for table, shadow in ((Table(mode="shadow"), False), (TABLE, True)):
        pumping = Pumping()
        for number in run:
            pumping.attempt(ACCOUNT, table, number, NOW, shadow=shadow)
        assert [sign.shadow for sign in pumping.taken()] == [True]


def test_no_number_is_told_in_full():
    """The evidence of a run names its prefix, without the last four digits."""
    pumping = Pumping()
    for number in range(447700900000, 447700900100):
        pumping.attempt(ACCOUNT, TABLE, str(number), NOW)
    (sign,) = pumping.taken()
    assert sign.evidence == ("sequential 1.00 of 100, threshold 0.30", "44770090****")


def test_memory_is_bounded():
    """No more accounts are watched than may be, the longest unseen goes first; of prefixes a few are remembered."""
    pumping = Pumping(most=1)
    rng = random.Random(9)
    signs(pumping, (chinese(rng) for _ in range(2_000)))
    (watch,) = pumping._watches.values()
    assert len(watch.prefixes.counts) <= REMEMBERED
    pumping.attempt(OTHER, TABLE, "8613800138000", NOW)
    assert (list(pumping._watches), len(pumping), pumping.dropped) == ([OTHER.id], 1, 1)


def test_letters_are_no_number():
    """A destination that is none is an attempt like others."""
    assert signs(Pumping(), ["", "abc", "８６", "+"] * 25) == []


def test_an_attempt_is_cheap():
    """Ten microseconds a message at the very most, blocks included, on any machine."""
    rng = random.Random(10)
    numbers = [chinese(rng) for _ in range(10_000)]
    pumping = Pumping()
    best = 1.0
    for _ in range(3):
        began = time.process_time()
        signs(pumping, numbers)
        best = min(best, time.process_time() - began)
    assert best / len(numbers) < 10e-6
