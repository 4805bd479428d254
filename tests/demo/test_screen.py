from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from smsgw.demo.cast import Told
from smsgw.demo.screen import View, draw
from smsgw.model import State

VIEW = View(
    where="bind    host 127.0.0.1  port 2775  system_id you  password secret\nlook    curl\ninside  smsgw show links",
    elapsed_s=12,
    told=[Told("acme1", "sim × 2", 120, 119, 1, {"DELIVRD": 90, "UNDELIV": 3}, 4.2, 0)],
    guest=4,
    links=[{"link": "alpha-1", "state": "bound", "window": "3/50", "sent": 99, "for_s": 12, "last_error": ""}],
    states={State.DELIVERED: 90, State.SENT: 33},
    balances={"acme": ("CNY", 995_440_000)},
    rate=64.0,
    events=["03:22:01  carrier alpha is cut"],
)


def test_the_table_says_where_to_bind_and_how_it_goes() -> None:
    """Address and credentials, each tenant with its balance, each link, the states, and the last event are drawn."""
    console = Console(width=100, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(draw(VIEW))
    drawn = captured.get()
    for words in ("port 2775", "acme1", "995.44 CNY", "alpha-1", "bound", "DELIVERED 90", "alpha is cut", "yours"):
        assert words in drawn


def test_it_fits_a_small_terminal() -> None:
    """At 80 × 24 nothing is cut, states and the newest event included; on fewer lines the older events go first."""
    busy = replace(
        VIEW,
        told=[
            Told(name, "aiosmpplib", 123_456, 123_455, 50, {"DELIVRD": 120_000, "UNDELIV": 3_000}, 1042.0, 0)
            for name in ("acme1", "bolt1", "nova1")
        ],
        links=[{**VIEW.links[0], "link": f"alpha-{number}"} for number in range(4)],
        balances={"acme": ("CNY", 99_971_727_500), "bolt": ("EUR", 479_127_500)},
        states=dict.fromkeys(State, 123456),
        events=[f"03:22:0{number}  event {number}" for number in range(6)],
    )
    for height in (24, 22):
        console = Console(width=80, height=height, force_terminal=False)
        with console.capture() as captured:
            console.print(draw(busy, 80, height))
        drawn = captured.get()
        assert len(drawn.splitlines()) <= height
        assert "…" not in drawn
        assert "99971.7275 CNY" in drawn
        assert "event 5" in drawn
        assert ("event 3" in drawn) == (height == 24)
        assert "DELIVERED 123,456" in drawn


def test_one_line_says_the_same_in_short() -> None:
    """Without a terminal: acknowledged, final, open and binds."""
    assert VIEW.submitted == 123
    assert VIEW.line() == "   12 s  acknowledged 123  64/s  final 90  open 33  binds to carriers 1"
