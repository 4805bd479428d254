from __future__ import annotations

import pytest

from smsgw.smpp.shift_tables import ESC, LANGUAGES, LOCKING, SINGLE, VOID


def test_every_language_has_its_tables():
    """Thirteen languages have a single shift table, all but Spanish a locking one (3GPP 23.038 Annex A)."""
    assert sorted(LANGUAGES) == list(range(1, 14))
    assert sorted(SINGLE) == list(range(14))
    assert sorted(LOCKING) == [language for language in range(14) if language != 2]


@pytest.mark.parametrize("language", sorted(LOCKING))
def test_a_locking_table_is_whole(language: int):
    """128 positions; line feed, carriage return and space where they always are; ESC without a character."""
    table = LOCKING[language]
    assert len(table) == 128
    assert (table[0x0A], table[0x0D], table[0x20], table[ESC]) == ("\n", "\r", " ", VOID)
    characters = [character for character in table if character != VOID]
    assert len(characters) == len(set(characters))


@pytest.mark.parametrize("language", sorted(SINGLE))
def test_a_single_shift_table_keeps_the_extension(language: int):
    """Every language table holds what the default extension holds, at the same septets; none uses ESC."""
    table = SINGLE[language]
    assert SINGLE[0].items() <= table.items()
    assert all(0 <= septet < 128 and len(character) == 1 for septet, character in table.items())
    assert ESC not in table


# Cells read off the printed tables: language, septet, character.
@pytest.mark.parametrize(
    ("language", "septet", "character"),
    [
        (0, 0x10, "Δ"), (0, 0x24, "¤"), (0, 0x40, "¡"), (0, 0x60, "¿"), (0, 0x7F, "à"), (1, 0x1C, "Ş"), (3, 0x60, "~"),
        (4, 0x60, "\u09ce"), (5, 0x7F, "\u0af1"), (6, 0x3C, "\u0929"), (7, 0x24, "\u0ca1"), (8, 0x7F, "\u0d79"),
        (9, 0x60, "\u0b56"), (10, 0x4E, "\u0a3c"), (11, 0x60, "\u0bd0"), (12, 0x7B, "\u0c56"), (13, 0x7F, "\u0670"),
    ],
)  # fmt: skip
def test_cells_of_the_locking_tables(language: int, septet: int, character: str):
    """A cell of each alphabet, as printed."""
    assert LOCKING[language][septet] == character


@pytest.mark.parametrize(
    ("language", "septet", "character"),
    [
        (0, 0x65, "€"), (1, 0x69, "ı"), (2, 0x09, "ç"), (3, 0x7F, "â"), (4, 0x34, "\u09fa"), (5, 0x25, "\u0aef"),
        (6, 0x3A, "\u0971"), (7, 0x2A, "\u0cf2"), (8, 0x34, "\u0d7f"), (9, 0x2C, "\u0b71"), (10, 0x2D, "\u0a75"),
        (11, 0x24, "\u0bee"), (12, 0x22, "\u0c6c"), (13, 0x3F, "\u06d4"), (6, 0x5A, "Z"), (12, 0x65, "€"),
    ],
)  # fmt: skip
def test_cells_of_the_single_shift_tables(language: int, septet: int, character: str):
    """A cell of each single shift table, as printed."""
    assert SINGLE[language][septet] == character
