from __future__ import annotations

from smsgw.policy.numbers import NumberSet, canonical, hashed, number_faults, pack, unpacked

KEY = b"k" * 32


def test_a_number_is_found_however_it_is_written():
    """With +, 00 or neither, in a list with comments and empty lines."""
    numbers = NumberSet(KEY, pack(KEY, "+8613800000001\n\n008613800000002 # asked us\n8613800000001\n"))
    assert len(numbers) == 2
    assert all(number in numbers for number in ("8613800000001", "+8613800000002", "008613800000001"))
    assert "8613800000003" not in numbers
    assert "8613800000001" not in NumberSet(KEY, b"")


def test_the_stored_form_says_nothing_without_the_key():
    """Another key makes other hashes, and no digits stand in them."""
    packed = pack(KEY, "8613800000001\n")
    assert len(packed) == 8
    assert packed != pack(b"x" * 32, "8613800000001\n")
    assert hashed(KEY, "1") != hashed(b"x", "1")
    assert canonical("+00123") == "123"


def test_what_is_no_number_is_told_with_its_line():
    """Letters, numbers that are too short or too long, and full-width digits, which no address has."""
    assert [line for line, _ in number_faults("8613800000001\nabc\n12\n# fine\n" + "1" * 21 + "\n１３８００")] == [2, 3, 5, 6]


def test_what_is_stored_can_be_written_down_and_read_again():
    """Hashes as a list make the same set, beside numbers, too; what only looks like a hash is a fault."""
    packed = pack(KEY, "8613800000001\n8613800000002\n")
    text = unpacked(packed)
    assert "86138" not in text
    assert pack(b"x" * 32, text) == packed
    assert pack(KEY, text.splitlines()[0] + "\n8613800000001\n8613800000002\n") == packed
    assert [line for line, _ in number_faults(text + "h:123\nh:XYZ\n")] == [3, 4]
