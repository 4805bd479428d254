"""A notice as it leaves: the JSON that a webhook gets, with its signature, and the words of a mail.

A receiver checks a webhook by the key of its tenant: X-Smsgw-Signature is `t=<seconds since 1970>,v1=<hex>`, and v1 the
HMAC-SHA256 of `<t>.<body>`. The key is derived from the gateway's own secret, so that no tenant can sign for another.

Never here: the network, the store; what a message says.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, Final

SIGNATURE: Final = "X-Smsgw-Signature"
NOTICE: Final = "X-Smsgw-Notice"
LONGEST_SUBJECT: Final = 120
TITLES: Final[Mapping[str, str]] = {
    "balance_low": "余额不足 The balance is low",
    "state": "状态变更 The state has changed",
    "warning": "警告 A warning",
    "appeal": "申诉结果 What became of an appeal",
    "bind_failures": "登录失败 Failed binds",
    "late_fee": "滞纳金 A late fee",
    "new_source": "新的登录地址 A bind from a new address",
    "places": "多处同时登录 Binds from several places at once",
    "rate_spike": "发送量突增 A sudden rise of traffic",
    "term": "合同期限 The term of the contract",
    "complaint": "收到投诉 A complaint",
    "complaint_rate": "投诉率过高 The rate of complaints is high",
    "price": "价格调整 A change of prices",
}
"""The first words of a mail by a notice's kind; another kind is its own title."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice to one address."""

    notice: int
    tenant: str
    kind: str
    at: datetime
    params: Mapping[str, Any]
    channel: str
    target: str
    tries: int = 0


def payload(letter: Letter) -> bytes:
    """Return what a webhook gets. The number is the same at each try: who has seen it may forget the rest."""
    said = {
        "notice": letter.notice,
        "tenant": letter.tenant,
        "kind": letter.kind,
        "at": letter.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "params": dict(letter.params),
    }
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def tenant_key(secret: str, tenant: str) -> str:
    """Return the key by which a tenant checks its webhooks."""
    return hmac.new(secret.encode(), b"smsgw webhook " + tenant.encode(), hashlib.sha256).hexdigest()


def signature(key: str, body: bytes, seconds: int) -> str:
    """Return the header that signs a body at a moment."""
    return f"t={seconds},v1={hmac.new(key.encode(), b'%d.' % seconds + body, hashlib.sha256).hexdigest()}"


def mail(letter: Letter, sender: str) -> EmailMessage:
    """Return a notice as a mail; no line of it comes from a tenant unfolded."""
    message = EmailMessage()
    title = TITLES.get(letter.kind, letter.kind)
    message["From"], message["To"] = sender, letter.target
    message["Subject"] = _one_line(f"[smsgw] {letter.tenant}: {title}")[:LONGEST_SUBJECT]
    message["Message-ID"] = f"<notice-{letter.notice}@smsgw.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [
        title,
        "",
        f"tenant: {letter.tenant}",
        f"kind: {letter.kind}",
        f"at: {letter.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
    ]
    lines += [f"{key}: {_one_line(_shown(value))}" for key, value in letter.params.items() if value not in (None, "", [])]
    message.set_content("\n".join(lines) + "\n")
    return message


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())
