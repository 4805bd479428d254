"""Keys with too many parts are found before a reader of TOML sees them."""

from __future__ import annotations

import time

import pytest

from smsgw.policy.dotted import MOST_PARTS, line_of_long_key

LONG = ".".join(["a"] * (MOST_PARTS + 1))
MOST = ".".join(["a"] * MOST_PARTS)


@pytest.mark.parametrize(
    "text",
    [
        f"{LONG} = 1",
        f"[{LONG}]",
        f"[[{LONG}]]",
        f"x = {{{LONG} = 1}}",
        f"x = [1, {{ {LONG.replace('.', ' . ')} = 1}}]",
        ".".join(['"a.b"'] * (MOST_PARTS + 1)) + " = 1",
        ".".join(["'a'"] * (MOST_PARTS + 1)) + " = 1",
        f'x = """\\"""" # "\n{LONG} = 1'.replace("\n", " ") + f"\n{LONG} = 1",
    ],
)
def test_a_long_key_is_found_where_keys_may_stand(text: str):
    """At a line's beginning, as a table's header, in tables within a line, of bare and of quoted parts; by its line."""
    assert line_of_long_key(f"y = 1\n{text}") == 2 + text.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        f"{MOST} = 1",
        f'x = "{LONG}"',
        f"x = '{LONG}'",
        f'x = """\n{LONG}\n"""',
        f"x = '''\n{LONG}\n'''",
        f'x = """ \\""" {LONG} """',
        f"# {LONG}",
        f"x = [{', '.join(['1.5'] * 99)}]",
        f'"{LONG}" = 1',
        "",
    ],
)
def test_dots_elsewhere_are_none_of_its_business(text: str):
    """Texts, comments, figures, a quoted key of one part: as many dots as they like."""
    assert line_of_long_key(text) == 0


@pytest.mark.parametrize("piece", ['"""\\', "'''", '"', "'", "a.", "a.a ", ".", "[", "=.", '"a".', "#"])
def test_it_takes_no_longer_than_the_text_is(piece: str):
    """Whatever a text repeats: eight times as much takes about eight times as long, and no square of it."""

    def taken(times: int) -> float:
        text = piece * times + "\n" + LONG.replace("a", '"')
        started = time.perf_counter()
        line_of_long_key(text)
        return time.perf_counter() - started

    assert min(taken(160_000) for _ in range(3)) < 32 * max(min(taken(20_000) for _ in range(3)), 0.002)
