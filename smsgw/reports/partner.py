"""A partner's statement: money in the other direction, from us to who brought the tenants, a share of what they were charged.

It is made of their closed statements alone, whose hashes it names. A share of an amount has twelve decimals: it is kept exact and
rounded once, half-up, in the sum of a currency.

Never here: the store, which tenants a partner has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from smsgw.billing.tariff import format_money, parse_money
from smsgw.model import MONEY_UNIT
from smsgw.reports.money import rounded_fraction
from smsgw.reports.statement import digest
from smsgw.reports.table import Document, Table

VERSION: Final = 1
UNIT: Final = MONEY_UNIT * MONEY_UNIT


def content(partner: str, cycle: str, closed: Sequence[tuple[str, str]]) -> str:
    """Return the content to keep, of (share, content of a tenant's closed statement) in the order of tenants."""
    lines = []
    payable: dict[str, int] = {}
    for share, text in closed:
        said: dict[str, Any] = json.loads(text)
        charged = -said["movements"].get("charges", 0)
        back = said["movements"].get("refunds", 0) + said["movements"].get("late_refunds", 0)
        part = (charged - back) * parse_money(share)
        payable[said["currency"]] = payable.get(said["currency"], 0) + part
        lines.append(
            {
                "tenant": said["tenant"],
                "currency": said["currency"],
                "statement": digest(text),
                "from": said["from"],
                "until": said["until"],
                "charged": charged,
                "refunded": back,
                "share": share,
                "payable": part,
            }
        )
    said = {"version": VERSION, "partner": partner, "cycle": cycle, "lines": lines, "payable": payable}
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def document(text: str, *, draft: bool = False) -> Document:
    """Return what people read of a content."""
    said: dict[str, Any] = json.loads(text)
    head = [("合作方 Partner", said["partner"]), ("账期 Cycle", said["cycle"])]
    head += [(f"应付 Payable {currency}", rounded_fraction(amount, UNIT, currency)) for currency, amount in said["payable"].items()]
    if draft:
        head.insert(0, ("草稿 Draft", "未关账 not closed"))
    table = Table(
        "分成 Shares",
        ("客户 Customer", "币种 Currency", "费用 Charged", "退款 Refunded", "净额 Net", "比例 Share", "应付 Payable"),
        [_row(line) for line in said["lines"]],
        (4, 2, 4, 4, 4, 3, 4),
    )
    foot = [f"SHA-256 {digest(text)}", *(f"{line['tenant']}: statement {line['statement']}" for line in said["lines"])]
    return Document("合作方结算单 Partner statement", head, (table,), foot)


def _row(line: Mapping[str, Any]) -> tuple[str, ...]:
    net = line["charged"] - line["refunded"]
    return (
        line["tenant"], line["currency"], format_money(line["charged"]), format_money(line["refunded"]), format_money(net),
        line["share"], rounded_fraction(line["payable"], UNIT, line["currency"]),
    )  # fmt: skip
