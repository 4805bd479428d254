"""The live table: what the tenants see, what the links do, where the messages stand, and where to bind a client of
one's own.

Promises: it fits a terminal of 80 × 24; on a lower one the oldest events go first, never the states.
Never here: a decision; a message's text or a full number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from smsgw.billing.tariff import format_money
from smsgw.demo.cast import Told
from smsgw.model import FIRST_FINAL, State

EVENTS: Final = 4
"""Events that are shown at most; the newest one always is."""


@dataclass(slots=True)
class View:
    """What is drawn. `balances`: tenant → (currency, Money); `before`: messages of an earlier run on the same data.

    `links`: rows of `show links`; `events`: newest last.
    """

    where: str = ""
    elapsed_s: float = 0.0
    told: Sequence[Told] = ()
    guest: int = 0
    before: int = 0
    links: Sequence[Mapping[str, Any]] = ()
    states: Mapping[State, int] = field(default_factory=dict)
    balances: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    rate: float = 0.0
    events: list[str] = field(default_factory=list)

    @property
    def submitted(self) -> int:
        """How many messages were acknowledged to anyone, an earlier run on the same data included."""
        return sum(told.acknowledged for told in self.told) + self.guest + self.before

    def line(self) -> str:
        """One line, where there is no terminal."""
        bound = sum("bound" in str(row["state"]) for row in self.links)
        final = sum(count for state, count in self.states.items() if state >= FIRST_FINAL)
        return (
            f"{self.elapsed_s:5.0f} s  acknowledged {self.submitted:,}  {self.rate:,.0f}/s  final {final:,}  "
            f"open {sum(self.states.values()) - final:,}  binds to carriers {bound}"
        )


def draw(view: View, width: int = 80, height: int = 24) -> RenderableType:
    """Draw everything, for a terminal of so many columns and lines."""
    parts: list[RenderableType] = [
        Rule(f"smsgw demo  {view.elapsed_s:,.0f} s  (Ctrl-C ends it)", align="left", style="blue", characters="─"),
    ]
    states = _states(view)
    lines = 1 + len(wrap(states.plain, width))
    if view.where:
        parts.append(Text(view.where, overflow="fold"))
        lines += sum(max(1, -(-len(line) // width)) for line in view.where.splitlines())
    if view.told:
        parts += [Text(), _tenants(view), Text(), _links(view.links), Text()]
        lines += len(view.told) + bool(view.guest) + len(view.links) + 5
    parts.append(states)
    room = max(1, min(EVENTS, height - lines))
    parts.append(Text("\n".join(view.events[-room:]), style="yellow", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < 2 else "right", no_wrap=True)
    return table


def _tenants(view: View) -> Table:
    table = _table("account", "client", "sent", "acked", "waiting", "DELIVRD", "other", "p99 ms", "balance")
    for told in view.told:
        delivered = told.receipts.get("DELIVRD", 0)
        table.add_row(
            told.account,
            told.client,
            f"{told.sent:,}",
            f"{told.acknowledged:,}",
            str(told.unanswered),
            f"{delivered:,}",
            f"{sum(told.receipts.values()) - delivered:,}",
            f"{told.p99_ms:.0f}" if told.p99_ms else "",
            _balance(view, told.account[:-1]),
        )
    if view.guest:
        table.add_row("you", "yours", "", f"{view.guest:,}", "", "", "", "", "")
    return table


def _balance(view: View, tenant: str) -> str:
    currency, amount = view.balances.get(tenant, ("", 0))
    return f"{format_money(amount)} {currency}" if currency else ""


def _links(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("link", "state", "window", "sent", "for s", "last error")
    table.columns[-1].justify = "left"
    table.columns[-1].overflow = "ellipsis"
    for row in rows:
        state = str(row["state"])
        colour = "green" if "bound" in state else "red"
        table.add_row(
            str(row["link"]),
            Text(state, style=colour),
            str(row["window"]),
            f"{row['sent']:,}" if row["sent"] is not None else "",
            str(row["for_s"]),
            str(row.get("last_error") or ""),
        )
    return table


def _states(view: View) -> Text:
    words = Text(f"{sum(view.states.values()):,} messages, {view.rate:,.0f}/s: ", style="bold")
    for state, count in sorted(view.states.items(), key=lambda one: one[0] is not State.DELIVERED):
        words.append(f" {state.name} {count:,} ", style="green" if state is State.DELIVERED else "default")
    return words
