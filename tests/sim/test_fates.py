from __future__ import annotations

from collections import Counter

import pytest

from smsgw.sim.fates import ID_STYLES, Fate, Shares, fates


def test_the_same_seed_gives_the_same_fates() -> None:
    """Two carriers with one seed and the same shares treat the n-th message alike."""
    shares = Shares(errors={0x45: 0.1}, stats={"UNDELIV": 0.2}, early=0.3, duplicate=0.1)
    one, other = fates(7, shares), fates(7, shares)
    assert [one() for _ in range(500)] == [other() for _ in range(500)]


def test_without_shares_everything_is_delivered() -> None:
    """The default fate is ESME_ROK, one receipt, DELIVRD."""
    assert fates(1, Shares())() == Fate() == Fate(status=0, stat="DELIVRD")


def test_shares_are_kept() -> None:
    """Over many messages each fate has about its share, and the shares of errors do not overlap."""
    draw = fates(3, Shares(errors={0x45: 0.2, 0x400: 0.1}, throttled=0.1, stats={"UNDELIV": 0.25}, lost=0.5))
    drawn = [draw() for _ in range(20_000)]
    statuses = Counter(fate.status for fate in drawn)
    assert statuses[0x45] / 20_000 == pytest.approx(0.2, abs=0.015)
    assert statuses[0x400] / 20_000 == pytest.approx(0.1, abs=0.015)
    assert statuses[0x58] / 20_000 == pytest.approx(0.1, abs=0.015)
    assert sum(fate.stat == "UNDELIV" for fate in drawn) / 20_000 == pytest.approx(0.25, abs=0.015)
    assert sum(fate.lost for fate in drawn) / 20_000 == pytest.approx(0.5, abs=0.015)


def test_a_share_does_not_shift_what_the_others_do() -> None:
    """The messages that are lost are the same ones whether others are duplicated or not."""
    one, other = fates(5, Shares(lost=0.3)), fates(5, Shares(lost=0.3, duplicate=0.9))
    assert [one().lost for _ in range(200)] == [other().lost for _ in range(200)]


def test_one_number_in_every_notation() -> None:
    """The styles write the same number; UUID-like ids are 36 characters and differ."""
    assert {style: ID_STYLES[style](0xBEEF) for style in ("dec", "hex", "HEX", "dec10", "hex8", "HEX8")} == {
        "dec": b"48879",
        "hex": b"beef",
        "HEX": b"BEEF",
        "dec10": b"0000048879",
        "hex8": b"0000beef",
        "HEX8": b"0000BEEF",
    }
    uuids = {ID_STYLES["uuid"](number) for number in range(10_000)}
    assert len(uuids) == 10_000
    assert {len(one) for one in uuids} == {36}
    assert ID_STYLES["UUID"](5) == ID_STYLES["uuid"](5).upper()
