from __future__ import annotations

from smsgw.sim.ledgers import MAX_VERIFIED, CarrierLedger, Seen, TenantLedger
from smsgw.sim.texts import indexed_text


def test_lost_doubled_and_altered_texts_are_told_apart() -> None:
    """An index that never came is missing, one that came twice is doubled, an altered text is bad."""
    seen = Seen()
    for index in (0, 1, 3, 3, 5):
        assert seen.text(indexed_text(index, 40)) == index
    assert seen.text(indexed_text(6, 40)[:-1] + b"!") == -1
    assert (seen.good, seen.duplicates, seen.bad, seen.missing(), seen.twice()) == (5, 1, 1, 2, [3])


def test_indexes_beyond_the_bound_are_not_kept() -> None:
    """A huge index costs no memory: it counts as bad."""
    seen = Seen()
    assert seen.text(indexed_text(MAX_VERIFIED, 40)) == -1
    assert (seen.bad, len(seen.counts)) == (1, 0)


def test_an_index_is_counted_up_to_255_times() -> None:
    """The count of one index stays within its octet."""
    seen = Seen()
    for _ in range(300):
        seen.index(0)
    assert (seen.counts[0], seen.good, seen.duplicates) == (255, 300, 299)


def test_statuses_are_reported_as_hexadecimal() -> None:
    """The figures of the carrier name statuses as they stand in specifications."""
    ledger = CarrierLedger()
    ledger.refused[0x400] += 2
    assert ledger.figures()["refused"] == {"0x400": 2}


def test_acknowledged_ids_include_those_with_and_without_receipt() -> None:
    """What was acknowledged is what waits for its receipt and what is done."""
    ledger = TenantLedger()
    ledger.waiting[b"1"] = (10, 0.0)
    ledger.done[b"2"] = 20
    assert ledger.acknowledged() == {b"1": 10, b"2": 20}
