"""One entity of each kind that files have, for the tests of what is provisioned."""

from __future__ import annotations

from smsgw.store.provisioning import Entities, Key

TENANT: Key = ("tenant", "acme")
ACCOUNT: Key = ("account", "acme1")
LINK: Key = ("link", "alpha-1")
ENTITIES: Entities = {
    TENANT: {"currency": "CNY", "credit_limit": 5, "basis": "delivered"},
    ("carrier", "alpha"): {},
    ACCOUNT: {"tenant": "acme", "mode": "relay", "in_doubt": "hold", "window": 7, "allow_from": ["192.0.2.0/24"]},
    LINK: {
        "carrier": "alpha",
        "host": "h",
        "port": 1,
        "system_id": "gw",
        "dialect": {"submit_id": "hex-to-dec", "retryable": [88]},
    },
    ("number", "1069"): {"account": "acme1"},
    ("route", ""): {"links": ["alpha-1"], "part_rule": "octet"},
    ("price", "acme/86"): {"price": 38_000},
}
