from __future__ import annotations

from collections import Counter

import pytest

from smsgw.admin.api.problems import Refused
from smsgw.admin.api.slots import Slots


def test_over_the_limit_one_is_told_to_come_again():
    """So many at the same time; who is too many is refused, counted, and told the setting and when; a place is given back."""
    refused: Counter[tuple[str, ...]] = Counter()
    slots = Slots("checks", 1, refused, again_s=5)
    with slots.take():
        assert slots.taken == 1
        with pytest.raises(Refused, match=r"api\.checks") as error, slots.take():
            pass
    assert (error.value.status, error.value.retry_after_s) == (503, 5)
    assert refused == {("checks",): 1}
    with pytest.raises(KeyError), slots.take():
        raise KeyError
    assert slots.taken == 0
