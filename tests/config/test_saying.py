from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from smsgw.config.saying import said


@pytest.mark.parametrize(
    ("value", "kind", "told"),
    [
        ("x", int, "must be a whole number"),
        (1, str, "must be text in quotes"),
        (0, Annotated[int, msgspec.Meta(ge=1)], "must be a whole number of at least 1"),
        (99, Annotated[int, msgspec.Meta(le=64)], "must be a whole number of at most 64"),
    ],
)
def test_a_wrong_value_is_told_in_the_words_of_the_file(value: Any, kind: Any, told: str):
    """Types and bounds, without the names that Python has for them."""
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.convert(value, kind)
    assert said(error.value) == told
