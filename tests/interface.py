"""The tables of docs/interface.md, made from the source: what a client has to know, held against the code that does it.

`python -m tests.interface` writes them into the document again, between their marks; the words around them stay. A test fails while
document and source differ. What a status or a reason means is said once, in README; the rest is read from the constants themselves.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from smsgw.config import Smpp
from smsgw.model import Account, State
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const, receipt, session, text, tlv
from smsgw.smpp.const import StatusClass, status_class, status_name
from smsgw.smpp.session import LEGAL, Role, SessionState
from smsgw.states import MESSAGE_STATE, STAT

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "interface.md"
README = (ROOT / "README.md").read_text(encoding="utf-8")
INTERFACE = README.partition("\n## Interface for tenants\n")[2].partition("\n## ")[0]
NOT_TO_TENANTS = ("admin", "cli", "carriers")
"""Rooms whose refusals and findings are for people, or for a link of ours."""
NOT_ANSWERED = {
    "conflict": "a change that another node was faster with: its owner reads the row again",
    "number_of_dests": "submit_multi is refused before it is read",
    "dest_flag": "submit_multi is refused before it is read",
    "address_too_long": "closes a receipt that a 3.3 session cannot be given",
}
"""Reasons of the source that no tenant's request is answered with, and why."""
AGAIN = {
    StatusClass.OK: "done",
    StatusClass.THROTTLE: "later",
    StatusClass.TEMPORARY: "later, elsewhere",
    StatusClass.SESSION: "bind anew",
    StatusClass.PERMANENT: "no",
}
CHOSEN_WHILE_RUNNING = {"link": "links", "phone": "phones", "content": "terms.<id>, pattern.<id>", "tlv_missing": "tlv.<id>"}
"""Reason → rule, where the source has the name of the rule in a variable."""


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Yield each module that may refuse a tenant something."""
    for path in sorted((ROOT / "smsgw").rglob("*.py")):
        if path.relative_to(ROOT / "smsgw").parts[0] not in NOT_TO_TENANTS:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def refusals() -> set[tuple[str, str]]:
    """Return (status, reason) of every refusal whose two are written in the source."""
    found = set()
    for _, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Rejected", "BadPdu"}:
                status, reason = (*node.args, None, None)[:2]
                name = getattr(status, "attr", getattr(status, "id", ""))
                if isinstance(reason, ast.Constant) and str(name).startswith("ESME_") and reason.value not in NOT_ANSWERED:
                    found.add((str(name), str(reason.value)))
    return found


def told() -> dict[tuple[str, str], str]:
    """Return (status, reason) → when, as README tells it."""
    found = {}
    for statuses, reasons, when in re.findall(
        r"^\| ((?:ESME_\w+|the carrier's)[^|]*) \| ([^|]*) \| ([^|]*) \|$", INTERFACE, re.MULTILINE
    ):
        names = statuses.split(", ")
        words = re.findall(r"`(\w+)`", reasons) or [reasons.strip()]
        pairs = (
            zip(names, words, strict=True) if len(names) == len(words) > 1 else ((name, word) for name in names for word in words)
        )
        found |= dict.fromkeys(pairs, when.strip())
    return found


def own() -> dict[str, str]:
    """Return reason → when, of the statuses from the vendors' range."""
    rows = re.findall(r"^\| `0x0\w{3}` \| ESME_\w+ \| ((?:`\w+`(?:, )?)+) \| ([^|]*) \|$", INTERFACE, re.MULTILINE)
    return {word: when.strip() for words, when in rows for word in re.findall(r"`(\w+)`", words)}


def findings() -> set[tuple[str, str]]:
    """Return (rule, reason) of every objection of a policy."""
    found = set()
    for path, tree in sources():
        faults = _faults(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding" and len(node.args) > 2:
                action, reason, rule = node.args[:3]
                if (isinstance(action, ast.Attribute) and action.attr == "FLAG") or isinstance(reason, ast.Attribute):
                    continue  # it lets the message go, or repeats what a rule has found
                if isinstance(reason, ast.Constant) and isinstance(rule, ast.Constant | ast.JoinedStr):
                    found |= {(name, str(reason.value)) for name in _names(rule, faults)}
                elif isinstance(reason, ast.Constant):
                    found.add((CHOSEN_WHILE_RUNNING[str(reason.value)], str(reason.value)))
                elif path.name == "content.py":
                    found |= {(CHOSEN_WHILE_RUNNING[word], word) for word in ("link", "phone")}
                elif path.name != "judging.py":  # which repeats what the hours have found
                    assert path.name == "docket.py", (path, node.lineno)
                    found.add(("fail", "policy_failed"))
    return found


def _names(rule: ast.Constant | ast.JoinedStr, faults: list[str]) -> Iterable[str]:
    """Return how a rule is called: what is put in while running stands in <>, unless the source lists it."""
    if isinstance(rule, ast.Constant):
        return [str(rule.value)]
    pieces = [str(part.value) if isinstance(part, ast.Constant) else "<>" for part in rule.values]
    inside = [ast.unparse(part.value) for part in rule.values if isinstance(part, ast.FormattedValue)]
    if inside == ["fault"]:
        return ["".join(pieces).replace("<>", fault) for fault in faults]
    shown = {"wanted": "<registered|refuse>", "submission.category": "<category>", "name": "<id>"}
    return ["".join(pieces).replace("<>", shown.get(inside[0], "<id>"))]


def _faults(tree: ast.Module) -> list[str]:
    """Return the words that `_signature_fault` returns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "_signature_fault":
            returned = (part for one in ast.walk(node) if isinstance(one, ast.Return) and one.value for part in ast.walk(one.value))
            words = {part.value for part in returned if isinstance(part, ast.Constant) and type(part.value) is str}
            return sorted(word for word in words if word)
    return []


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table in Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _status_rows() -> list[list[str]]:
    number = {name: code for code, name in const.STATUS_NAMES.items()}
    rows = [(number.get(name, -1), name, reason, when) for (name, reason), when in told().items()]
    rows += [(pair[0], status_name(pair[0]), reason, own()[reason]) for reason, pair in STATUSES.items()]
    return [
        [
            f"`0x{code:08x}`" if code >= 0 else "as it is",
            name,
            f"`{reason}`" if re.fullmatch(r"\w+", reason) else reason or "none",
            when,
            AGAIN[status_class(code)] if code >= 0 else "as its class says",
        ]
        for code, name, reason, when in sorted(set(rows))
    ]


def _rule_rows() -> list[list[str]]:
    return [
        [f"`{rule}`", f"`{reason}`", f"`0x{STATUSES[reason][0]:04x}`", status_name(STATUSES[reason][1])]
        for rule, reason in sorted(findings())
    ]


def _command_rows() -> list[list[str]]:
    states = [SessionState.OPEN, SessionState.BOUND_TX, SessionState.BOUND_RX, SessionState.BOUND_TRX]
    binds = LEGAL[Role.MC, SessionState.OPEN]
    refused = ("ESME_RINVBNDSTS", "ESME_RALYBND")
    commands = sorted(set().union(*(LEGAL.get((Role.MC, state), frozenset()) for state in states)))
    return [
        [
            f"`0x{command:08x}`",
            const.command_name(command),
            *("yes" if command in LEGAL.get((Role.MC, state), ()) else refused[command in binds] for state in states),
        ]
        for command in commands
    ]


def _tlv_rows() -> list[list[str]]:
    lengths = {tag: " ".join(map(str, sorted(sizes))) for tag, sizes in tlv._LENGTHS.items()}
    return [[f"`0x{tag:04X}`", name, lengths.get(tag, "any")] for tag, name in sorted(const.TAG_NAMES.items())]


def _limit_rows() -> list[list[str]]:
    smpp = {field.name: field.default for field in msgspec.structs.fields(Smpp)}
    account = {name: getattr(Account, "__dataclass_fields__")[name].default for name in ("window", "deliver_window", "max_binds")}  # noqa: B009
    assert session.SessionSettings().max_pdu == smpp["max_pdu"]
    names = ("session_init_s", "enquire_link_s", "response_timeout_s", "inactivity_s", "slow_pdu_s", "max_pdu", "failed_binds")
    return [[f"`account.{name}`", str(value)] for name, value in account.items()] + [
        [f"`smpp.{name}`", str(smpp[name])] for name in names
    ]


def _part_rows() -> list[list[str]]:
    rows = []
    for rule in ("gsm_ucs2", "cn_char", "octet"):
        cells = [f"`{rule}`"]
        for coding, unit in ((0, b"a"), (8, b"\x4e\x2d"), (4, b"a")):
            counts = [(n, text.count_parts(unit * n, coding, rule=rule)) for n in range(1, 330)]  # type: ignore[arg-type]
            one = max(n for n, parts in counts if parts == 1)
            two = max(n for n, parts in counts if parts == 2)
            cells.append(f"{one}, then {two // 2}")
        rows.append(cells)
    return rows


def _state_rows() -> list[list[str]]:
    return [[f"`{state.name}`", str(MESSAGE_STATE[state]), STAT[state].decode() if state in STAT else "none"] for state in State]


def tables() -> dict[str, str]:
    """Return all tables by their marks."""
    return {
        "commands": table(("command_id", "command", "open", "transmitter", "receiver", "transceiver"), _command_rows()),
        "statuses": table(("command_status", "name", "reason", "when", "again?"), _status_rows()),
        "rules": table(("rule", "reason", "status", "with `strict_34`"), _rule_rows()),
        "tlvs": table(("tag", "name", "octets of the value"), _tlv_rows()),
        "limits": table(("setting", "default"), _limit_rows()),
        "parts": table(("rule", "GSM 7-bit (data_coding 0)", "UCS-2 (8)", "binary (4)"), _part_rows()),
        "states": table(("state", "message_state", "`stat`"), _state_rows()),
        "receipt": f"```\n{_receipt()}\n```",
    }


def _receipt() -> str:
    """Return a receipt of our own as it is built."""
    body = receipt.build(
        our_id=b"1234567890123456789",
        source=(1, 1, b"8613800138000"),
        dest=(0, 1, b"10690001"),
        state=const.STATE_DELIVERED,
        submit_date=b"2611251200",
        done_date=b"2611251201",
    )
    start = body.index(b"id:")
    return body[start : start + body[start - 1]].decode()


def written(document: str) -> str:
    """Return a document with every table in its place."""
    for name, content in tables().items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        head, _, rest = document.partition(begin)
        assert rest, f"docs/interface.md has no {begin}"
        document = f"{head}{begin}\n{content}\n{end}{rest.partition(end)[2]}"
    return document


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
