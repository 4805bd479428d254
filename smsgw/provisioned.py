"""What ops provision, as frozen values: tenants, accounts, carriers, links, routes, prices, numbers, policies.

One meaning each, the same word in row, file and README; `smsgw.model` has them under the same names. The store reads
them, the Directory keeps them, the hot path looks at them.

Never here: SQL, how a file says it, a rule.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from smsgw.smpp.text import PartRule


class Mode(enum.IntEnum):
    """When a tenant is answered: after our COMMIT (store), or after the carrier's answer is committed (relay)."""

    STORE = 0
    RELAY = 1


class Basis(enum.IntEnum):
    """What a contract pays for."""

    SUBMITTED = 0
    SENT = 1
    DELIVERED = 2


class InDoubt(enum.IntEnum):
    """What to do with a message of which nobody knows whether the carrier took it."""

    RESEND = 0
    HOLD = 1
    RESEND_IF_NO_RECEIPT = 2


class Standing(enum.IntEnum):
    """How a contract, or one account of it, stands, mildest first. `smsgw.contracts.standing` has the table of moves."""

    ACTIVE = 0
    LIMITED = 1
    CLOSING = 2
    SUSPENDED_ARREARS = 3
    FROZEN = 4
    CLOSED = 5


@dataclass(frozen=True, slots=True)
class Restriction:
    """What standings other than ACTIVE, of an account and of its tenant, mean for the account; both hold.

    `standing`: the stricter one. `refusal`: the reason every submit is refused with; "": none is. `closing`: it sends what the
    balance still pays. `tenant_rate`, `account_rate`: parts per second of all accounts of the tenant together, and of this
    one; 0: no limit.
    """

    standing: Standing
    refusal: str = ""
    closing: bool = False
    tenant_rate: int = 0
    account_rate: int = 0


@dataclass(frozen=True, slots=True)
class Tenant:
    """A contract: its currency, its credit limit (Money), the basis it is billed on, and the zone of its calendar.

    A `cycle` (day, week, month) begins on `cycle_start_day`. It is told of balances below `balance_alarms`, and of other prices
    `price_notice_days` before. `suspend_at_limit`: when it can pay no part. `partner` is paid `partner_share` of its net charges.
    """

    id: int
    name: str
    currency: str
    credit_limit: int = 0
    basis: Basis = Basis.SUBMITTED
    timezone: str = "UTC"
    price_notice_days: int = 0
    cycle: str = "month"
    cycle_start_day: int = 1
    balance_alarms: tuple[str, ...] = ()
    suspend_at_limit: bool = False
    notice_webhook: str = ""
    notice_mail: tuple[str, ...] = ()
    partner: str = ""
    partner_share: str = "0"


QUOTA_SPANS: Final = ("minute", "hour", "day", "month")
"""What a quota may be for; the index is its number in the store."""


@dataclass(frozen=True, slots=True)
class Account:
    """One system_id of a tenant with its limits. Rates and bursts in parts per second and parts; 0 = no limit.

    `limited` and `quotas` are made of the other fields: whether any rate is set, and (span, messages, parts) for each span of
    `QUOTA_SPANS` that has a quota.

    `allow_from`: networks that it may bind from ("192.0.2.0/24"); none given: from anywhere. `restriction`: None while both it and
    its tenant are active, which is all that the hot path looks at. `certificates`: of which its client must show one (a fingerprint
    or parts of a subject). `max_tx`, `max_rx`, `max_trx`: binds by kind, beside `max_binds`; 0: no limit. `expiring`: those of its
    secrets that have an end, with it (seconds since 1970). `policy`: the rule set that judges its messages; "": none does.
    `retention`: how long what they say is kept (`content_class`), `sealed` at rest or not.
    """

    id: int
    system_id: str
    tenant: Tenant
    mode: Mode = Mode.STORE
    max_binds: int = 10
    window: int = 50
    rate: int = 0
    burst: int = 0
    session_rate: int = 0
    session_burst: int = 0
    sender_rate: float = 0.0
    sender_burst: int = 0
    recipient_rate: float = 0.0
    recipient_burst: int = 0
    in_doubt: InDoubt = InDoubt.RESEND
    max_resends: int = 1
    in_doubt_wait_s: int = 30
    secrets: tuple[str, ...] = field(default=(), repr=False)
    quota_minute: int = 0
    quota_hour: int = 0
    quota_day: int = 0
    quota_month: int = 0
    quota_parts_minute: int = 0
    quota_parts_hour: int = 0
    quota_parts_day: int = 0
    quota_parts_month: int = 0
    quota_window: str = "calendar"
    duplicate_window_s: int = 0
    default_source: str = ""
    receipt_ttl_s: int = 259_200
    receipt_cap: int = 1_000_000
    deliver_window: int = 0
    bind_status_34: bool = False
    strict_34: bool = False
    allow_from: tuple[str, ...] = ()
    policy: str = ""
    retention: str = ""
    tls_only: bool = False
    certificates: tuple[str, ...] = ()
    max_tx: int = 0
    max_rx: int = 0
    max_trx: int = 0
    restriction: Restriction | None = None
    expiring: tuple[tuple[str, float], ...] = field(default=(), repr=False)
    content_class: int = 0
    sealed: bool = False
    limited: bool = field(default=False, init=False, repr=False, compare=False)
    quotas: tuple[tuple[int, int, int], ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sum up what the hot path asks of every message."""
        object.__setattr__(self, "limited", bool(self.rate or self.session_rate or self.sender_rate or self.recipient_rate))
        messages = (self.quota_minute, self.quota_hour, self.quota_day, self.quota_month)
        parts = (self.quota_parts_minute, self.quota_parts_hour, self.quota_parts_day, self.quota_parts_month)
        quotas = zip(range(len(QUOTA_SPANS)), messages, parts, strict=True)
        object.__setattr__(self, "quotas", tuple(quota for quota in quotas if quota[1] or quota[2]))


@dataclass(frozen=True, slots=True)
class Carrier:
    """An operator."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """A carrier's habits, applied by `carriers.dialect`. Ids: how each PDU's id becomes the form they are matched in.

    `submit_id`, `receipt_id`: "as-is" | "hex-to-dec" | "dec-to-hex". `prefer_id`: "tlv" | "text" where a receipt has both.
    `closing_accepted`: ACCEPTD closes a message (never by default). `tlvs`: "auto" (by interface_version) | "always" | "never".
    `codes`: the table that explains its errors (`receipts.codes`), "" for none.
    """

    submit_id: str = "as-is"
    receipt_id: str = "as-is"
    strip_zeros: bool = False
    ignore_case: bool = True
    prefer_id: str = "tlv"
    closing_accepted: bool = False
    tlvs: str = "auto"
    codes: str = ""
    retryable: frozenset[int] = frozenset()
    permanent: frozenset[int] = frozenset()


def stored_dialect(settings: Mapping[str, Any]) -> Dialect:
    """Make a dialect of its settings as they are stored, lists for sets.

    By its constructor: msgspec.convert takes a class that was compiled for one whose defaults are all nought.
    """
    values: dict[str, Any] = {key: frozenset(value) if isinstance(value, list) else value for key, value in settings.items()}
    return Dialect(**values)


@dataclass(frozen=True, slots=True)
class Link:
    """One configured upstream connection. `bind`: "transceiver" | "transmitter" | "receiver" | "pair" (TX + RX)."""

    id: int
    name: str
    carrier: Carrier
    host: str
    port: int
    system_id: str
    password: str = field(repr=False, default="")
    system_type: str = ""
    interface_version: int = 0x34
    bind: str = "transceiver"
    binds: int = 1
    window: int = 100
    rate: int = 0
    tls: bool = False
    tls_ca: str = ""
    tls_verify: bool = True
    source_address: str = ""
    response_timeout_s: float = 60.0
    enquire_link_s: float = 30.0
    reconnect_min_s: float = 1.0
    reconnect_max_s: float = 60.0
    nodes: tuple[int, ...] = ()
    dialect: Dialect = field(default_factory=Dialect)


@dataclass(frozen=True, slots=True)
class Route:
    """Destinations that start with `prefix` may take these links, in this order. `part_rule`: how parts are counted.

    `name`: what prices may refer to.
    """

    id: int
    prefix: str
    links: tuple[str, ...]
    part_rule: PartRule = "gsm_ucs2"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """What one part to a destination prefix costs a tenant (Money) from `since` on (Unix seconds); None: it has no price.

    `operator`, `category`, `route` (the name of one): "" is any.
    """

    tenant: str
    prefix: str
    price: int | None
    operator: str = ""
    category: str = ""
    route: str = ""
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Operator:
    """Whose numbers begin with these prefixes."""

    name: str
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A service number and the account that owns it: MO messages to it (or to an extension of it) go there."""

    number: str
    account: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule set by its name; `version` is the hash of its content, which the store keeps apart."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The rows of provisioning, as values; ids are the store's. `faults`: (link, why its password cannot be had)."""

    version: int
    tenants: tuple[Tenant, ...] = ()
    accounts: tuple[Account, ...] = ()
    numbers: tuple[Number, ...] = ()
    carriers: tuple[Carrier, ...] = ()
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    prices: tuple[Price, ...] = ()
    policies: tuple[Policy, ...] = ()
    operators: tuple[Operator, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()
