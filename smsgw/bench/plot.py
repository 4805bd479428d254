"""The figures of a bench as SVG, written by hand: bars of throughput, and latency by case or rate. No library, no script, no font.

Never here: measuring.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from smsgw.bench.cases import Case

_WIDTH: Final = 860
_BAR: Final = 26
_GAP: Final = 12
_LEFT: Final = 150
_RIGHT: Final = 170
_COLOURS: Final = {"direct": "#9aa5b1", "relay": "#5b7083", "gateway": "#1f77b4", "judged": "#17becf"}


def svg(cases: Sequence[Case], title: str) -> str:
    """Return a picture of these cases."""
    shown = [case for case in cases if not case.failed]
    parts = [_text(16, 28, title, size=16, weight="bold")]
    y = 56
    y = _bars(parts, y, "messages a second", [(case, case.outcome.rate, f"{case.outcome.rate:,.0f}") for case in shown])
    y = _bars(parts, y, "submit_sm_resp p50, ms", [_latency(case, "p50") for case in shown])
    y = _bars(parts, y, "submit_sm_resp p99, ms", [_latency(case, "p99") for case in shown])
    measured = [(case, sum(case.cpu_us.get(name, 0.0) for name in ("gateway", "relay", "postgres")), _cpu(case)) for case in shown]
    y = _bars(parts, y, "CPU µs a message between the ends", [row for row in measured if row[1]])
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{_WIDTH}" height="{y}" fill="white"/>', *parts, "</svg>", ""])


def _bars(parts: list[str], y: int, heading: str, rows: Sequence[tuple[Case, float, str]]) -> int:
    """Draw one group of bars from `y` on; returns where the next one begins."""
    if not rows:
        return y
    parts.append(_text(16, y + 6, heading, size=13, weight="bold"))
    y += 18
    most = max(value for _, value, _ in rows) or 1.0
    room = _WIDTH - _LEFT - _RIGHT
    for case, value, told in rows:
        label = f"{case.name} at {case.load.rate:g}/s" if case.load.rate else case.name
        width = max(1, round(room * value / most))
        parts.append(_text(_LEFT - 8, y + 18, label, anchor="end"))
        colour = _COLOURS.get(case.name, "#888888")
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width}" height="{_BAR}" fill="{colour}"/>')
        parts.append(_text(_LEFT + width + 6, y + 18, told))
        y += _BAR + _GAP
    return y + 14


def _latency(case: Case, name: str) -> tuple[Case, float, str]:
    value = case.outcome.response_ms.get(name, 0.0)
    return case, value, f"{value:,.2f}"


def _cpu(case: Case) -> str:
    return " + ".join(f"{name} {case.cpu_us[name]:,.1f}" for name in ("relay", "gateway", "postgres") if name in case.cpu_us)


def _text(x: int, y: int, words: str, *, size: int = 12, weight: str = "normal", anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">{escape(words)}</text>'
