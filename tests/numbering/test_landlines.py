from __future__ import annotations

import pytest

from smsgw.numbering.landlines import dialled_in_china


@pytest.mark.parametrize(
    "digits",
    ["01087654321", "02087654321", "057187654321", "04718765432", "085187654321", "08518765432", "013800138000"],
)
def test_what_is_dialled_with_a_zero_is_an_area_and_as_many_digits_as_it_has(digits: str):
    """Beijing, two digits of area and eight; Hangzhou, three and eight; Hohhot, three and seven; a mobile number from elsewhere."""
    assert dialled_in_china(digits)


@pytest.mark.parametrize(
    "digits",
    [
        *("012345678901", "0108765432", "047187654321", "05718765432", "02612345678", "020112345678"),
        *("0138001380001", "012800138000", "0", "", "1087654321", "000000000000"),
    ],
)
def test_other_digits_are_no_number(digits: str):
    """An area that there is not, a digit too many or too few."""
    assert not dialled_in_china(digits)
