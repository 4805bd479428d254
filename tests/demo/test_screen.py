from __future__ import annotations

from rich.console import Console

from smsgw.demo.cast import Told
from smsgw.demo.screen import View, draw
from smsgw.model import State

VIEW = View(
    where="bind a client of your own:  host 127.0.0.1  port 2775  system_id you  password secret",
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
    for words in ("port 2775", "acme1", "995.44 CNY", "alpha-1", "bound", "DELIVERED 90", "alpha is cut", "your own client"):
        assert words in drawn


def test_one_line_says_the_same_in_short() -> None:
    """Without a terminal: acknowledged, final, open and binds."""
    assert VIEW.submitted == 123
    assert VIEW.line() == "   12 s  acknowledged 123  64/s  final 90  open 33  binds to carriers 1"
