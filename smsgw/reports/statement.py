"""A closed cycle of a tenant: its figures → the content that is kept, word for word → the document that people read.

The content is canonical JSON: the same figures give the same octets, whatever the machine. What came late, receipts and refunds of
messages of earlier cycles, stands in the cycle in which it was booked; what was closed is never touched.

Promises that opening + movements = closing, or there is no content. Never here: the store, the clock, rounding but on the document.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from smsgw.billing.tariff import format_money
from smsgw.model import Tenant
from smsgw.reports.cycle import Cycle
from smsgw.reports.money import rounded
from smsgw.reports.table import Cell, Document, Table

VERSION: Final = 1
ROUNDING: Final = (
    "金额四舍五入到最小货币单位仅用于本文件;账簿按六位小数精确记账。"
    " Rounded half-up to the minor unit on this document only; the books are exact to six decimals."
)
KINDS: Final[Mapping[str, str]] = {
    "opening": "期初入账 Opening booking",
    "top_up": "充值 Top-ups",
    "adjustment": "调整 Adjustments",
    "settlement": "结算 Settlements",
    "late_fee": "滞纳金 Late fees",
    "charges": "短信费用 Messages",
    "refunds": "本期退款 Refunds of this cycle",
    "late_refunds": "往期退款(调整)Refunds of earlier cycles",
}


class NotReconciled(Exception):
    """The figures contradict each other or the ledger; one line for each difference."""

    def __init__(self, differences: Sequence[str]) -> None:
        """Keep all lines."""
        super().__init__("; ".join(differences))
        self.differences = tuple(differences)


@dataclass(frozen=True, slots=True)
class Charge:
    """Messages of one account at one price a part, with what of them was given back until the cycle's end (Money)."""

    account: str
    unit_price: int
    messages: int
    parts: int
    amount: int
    refunded_messages: int
    refunded: int


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the tenant's calendar."""

    day: str
    messages: int
    parts: int
    amount: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Messages by where they stood at the cycle's end, or (of earlier cycles) by the state they came to within it."""

    state: str
    messages: int
    parts: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A booking by hand."""

    number: int
    at: str
    kind: str
    amount: int
    reason: str
    reference: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What the store says of one tenant's cycle, in one snapshot. `late_*`: refunds booked in it of messages before it."""

    opening: int
    closing: int
    charges: tuple[Charge, ...]
    days: tuple[Day, ...]
    states: tuple[Ended, ...]
    late_states: tuple[Ended, ...]
    refunds: int
    late_refunds: int
    late_refunded_messages: int
    entries: tuple[Entry, ...]
    differences: tuple[str, ...] = ()


def movements(figures: Figures) -> dict[str, int]:
    """Return what moved the balance in the cycle, by kind (Money); kinds in which nothing happened are left out."""
    moved: dict[str, int] = {}
    for entry in figures.entries:
        moved[entry.kind] = moved.get(entry.kind, 0) + entry.amount
    moved["charges"] = -sum(charge.amount for charge in figures.charges)
    moved["refunds"] = figures.refunds
    moved["late_refunds"] = figures.late_refunds
    return {kind: moved[kind] for kind in KINDS if moved.get(kind)}


def content(tenant: Tenant, cycle: Cycle, figures: Figures) -> str:
    """Return the content to keep. Raises NotReconciled, naming every difference."""
    differences = [*figures.differences, *_inner_differences(figures)]
    if differences:
        raise NotReconciled(differences)
    said = {
        "version": VERSION,
        "tenant": tenant.name,
        "currency": tenant.currency,
        "basis": tenant.basis.name.lower(),
        "cycle": cycle.name,
        "timezone": tenant.timezone,
        "from": cycle.start.isoformat(timespec="seconds"),
        "until": cycle.end.isoformat(timespec="seconds"),
        "movements": movements(figures),
        **{key: value for key, value in asdict(figures).items() if key != "differences"},
    }
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """Return the SHA-256 of a content."""
    return hashlib.sha256(text.encode()).hexdigest()


def _inner_differences(figures: Figures) -> list[str]:
    """Return where the figures contradict each other."""
    found = []
    reached = figures.opening + sum(movements(figures).values())
    if reached != figures.closing:
        found.append(
            f"opening {format_money(figures.opening)} and movements come to {format_money(reached)}, the ledger to"
            f" {format_money(figures.closing)}: {format_money(figures.closing - reached)} is not explained"
        )
    charged = sum(charge.amount for charge in figures.charges)
    for name, other in (("days", sum(day.amount for day in figures.days)),):
        if other != charged:
            found.append(f"charges are {format_money(charged)}, the sum of {name} is {format_money(other)}")
    messages = sum(charge.messages for charge in figures.charges)
    for name, count in (
        ("days", sum(day.messages for day in figures.days)),
        ("states", sum(ended.messages for ended in figures.states)),
    ):
        if count != messages:
            found.append(f"{messages} messages were charged, the {name} have {count}")
    refunded = sum(charge.refunded for charge in figures.charges)
    if refunded != figures.refunds:
        found.append(f"refunds of this cycle are {format_money(figures.refunds)}, of its messages {format_money(refunded)}")
    return found


def document(text: str, *, draft: bool = False) -> Document:
    """Return what people read of a content, in Chinese and English."""
    said: dict[str, Any] = json.loads(text)
    currency = said["currency"]
    head = [
        ("客户 Customer", said["tenant"]),
        ("账期 Cycle", f"{said['cycle']}  ({said['from']} — {said['until']}, {said['timezone']})"),
        ("计费方式 Basis", f"{said['basis']}"),
        ("币种 Currency", currency),
        ("期初余额 Opening balance", rounded(said["opening"], currency)),
        ("期末余额 Closing balance", rounded(said["closing"], currency)),
    ]
    if draft:
        head.insert(0, ("草稿 Draft", "未关账,数字可能变化 not closed: its figures may still change"))
    foot = (
        f"SHA-256 {digest(text)}",
        ROUNDING,
    )
    return Document("对账单 Statement", head, tuple(_tables(said)), foot)


def _tables(said: Mapping[str, Any]) -> list[Table]:
    money, currency = format_money, said["currency"]
    moved: list[list[Cell]] = [["期初余额 Opening balance", money(said["opening"]), rounded(said["opening"], currency)]]
    moved += [[KINDS[kind], money(amount), rounded(amount, currency)] for kind, amount in _in_order(said["movements"])]
    moved.append(["期末余额 Closing balance", money(said["closing"]), rounded(said["closing"], currency)])
    charges = [
        [one["account"], money(one["unit_price"]), one["messages"], one["parts"], money(one["amount"]),
         one["refunded_messages"], money(one["refunded"]), money(one["amount"] - one["refunded"])]
        for one in said["charges"]
    ]  # fmt: skip
    tables = [
        Table("变动 Movements", ("项目 Item", "精确金额 Exact", f"金额 {currency}"), moved, (6, 3, 3)),
        Table(
            "费用 Charges",
            ("账号 Account", "单价 Unit price", "短信 Messages", "条数 Parts", "金额 Amount", "退款短信 Refunded", "退款 Refund",
             "净额 Net"),
            charges,
            (4, 3, 3, 3, 4, 3, 3, 4),
        ),
        _states("期末状态 States at the end", said["states"]),
        _states("往期短信在本期终态 Messages of earlier cycles that ended in this one", said["late_states"]),
        _bookings(said["entries"]),
        Table(
            "每日 Days",
            ("日期 Day", "短信 Messages", "条数 Parts", "金额 Amount"),
            [[one["day"], one["messages"], one["parts"], money(one["amount"])] for one in said["days"]],
        ),
    ]  # fmt: skip
    return [table for table in tables if table.rows]


def _bookings(entries: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        "入账 Bookings",
        ("编号 Number", "时间 Time", "类型 Kind", "金额 Amount", "原因 Reason", "凭证 Reference"),
        [[one["number"], one["at"], one["kind"], format_money(one["amount"]), one["reason"], one["reference"]] for one in entries],
        (2, 5, 3, 3, 6, 4),
    )


def _in_order(moved: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(kind, moved[kind]) for kind in KINDS if kind in moved]


def _states(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        title,
        ("状态 State", "短信 Messages", "条数 Parts"),
        [[one["state"], one["messages"], one["parts"]] for one in rows],
    )


DETAIL_COLUMNS: Final = ("message", "accepted", "account", "source", "destination", "parts", "unit_price", "amount", "refunded")


def detail_row(row: Mapping[str, Any], accepted: datetime) -> tuple[Cell, ...]:
    """Return one message of the cycle: what was fixed when it was accepted, and what of it was given back until the end."""
    unit = row["price"] // row["parts"] if row["parts"] else row["price"]
    return (
        str(row["id"]), accepted.isoformat(timespec="milliseconds"), row["account"], row["source"], row["destination"],
        row["parts"], format_money(unit), format_money(row["price"]), format_money(row["refunded"]),
    )  # fmt: skip
