from __future__ import annotations

from pathlib import Path

import pytest

from smsgw.bench.rules import made_set, sizes, write_set
from tests.policy.sets import compiled


@pytest.mark.parametrize("terms", [200, 2_000])
def test_a_made_set_compiles_and_has_its_size(terms: int) -> None:
    """Each rule finds its own text, and the counts are those that are asked for."""
    assert compiled(*made_set(terms)).size == sizes(terms)


def test_the_same_size_is_the_same_set(tmp_path: Path) -> None:
    """Figures of two runs are about one set; its lists lie beside it."""
    assert made_set(200) == made_set(200)
    file = write_set(tmp_path, 200)
    assert {path.name for path in tmp_path.iterdir()} == {"rules.toml", "n1.txt", "n2.txt"}
    assert file.read_text(encoding="utf-8") == made_set(200)[0]
