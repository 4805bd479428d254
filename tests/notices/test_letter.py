from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime

from smsgw.notices.letter import Letter, mail, payload, signature, tenant_key

PARAMS = {"balance": "5.00", "evidence": ["1", "2"], "note": "a\r\nBcc: x@y"}
LETTER = Letter(7, "示例", "balance_low", datetime(2026, 11, 25, 20, tzinfo=UTC), PARAMS, "mail", "ops@acme.example")


def test_a_webhook_gets_the_notice_as_json():
    """Number, tenant, kind, moment and parameters; the same octets at each try."""
    said = json.loads(payload(LETTER))
    assert said == {
        "notice": 7,
        "tenant": "示例",
        "kind": "balance_low",
        "at": "2026-11-25T20:00:00Z",
        "params": {"balance": "5.00", "evidence": ["1", "2"], "note": "a\r\nBcc: x@y"},
    }
    assert payload(LETTER) == payload(LETTER)


def test_a_receiver_can_check_the_signature():
    """v1 is the HMAC-SHA256 of the moment and the body under the tenant's own key, which no other tenant has."""
    key = tenant_key("secret", "acme")
    body = payload(LETTER)
    moment, _, digest = signature(key, body, 1_796_000_000).partition(",")
    assert moment == "t=1796000000"
    assert digest == f"v1={hmac.new(key.encode(), b'1796000000.' + body, hashlib.sha256).hexdigest()}"
    assert tenant_key("secret", "borg") != key


def test_a_mail_says_it_in_lines_that_nobody_can_add_to():
    """Subject and body name tenant and kind; a line break in a parameter makes no header and no line of its own."""
    message = mail(LETTER, "smsgw@example.org")
    assert message["Subject"] == "[smsgw] 示例: 余额不足 The balance is low"
    assert (message["To"], message["From"]) == ("ops@acme.example", "smsgw@example.org")
    assert message["Bcc"] is None
    lines = message.get_content().splitlines()
    assert "note: a Bcc: x@y" in lines
    assert "evidence: 1, 2" in lines
