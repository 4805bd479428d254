"""The domain's words: states, outcomes, messages, and what ops provision.

One meaning each, the same word in row, record line, metric label and README (DESIGN §5). Values are frozen; `Message` and
`Owed` are the mutable types, because a message changes its state while it travels and a receipt its number of tries.
Both are untracked by the garbage collector: they must never hold something that leads back to them for good.

Never here: SQL, sockets, time, settings of the process.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

MONEY_UNIT: Final = 1_000_000
"""Money is an int: 10⁻⁶ of the currency."""

EPOCH_MS: Final = 1_735_689_600_000
"""MessageIds count milliseconds from 2025-01-01T00:00:00Z."""


class State(enum.IntEnum):
    """Where a message stands. Up to SENT it is open; from DELIVERED on it is final."""

    HELD = 1
    SCHEDULED = 2
    QUEUED = 3
    SUBMITTING = 4
    IN_DOUBT = 5
    SENT = 6
    DELIVERED = 10
    FAILED = 11
    REFUSED = 12
    REJECTED = 13
    EXPIRED = 14
    CANCELLED = 15
    UNKNOWN = 16


FIRST_FINAL: Final = 10
"""Every state from this number on is final."""

_GIVEN_UP = frozenset({State.EXPIRED, State.CANCELLED, State.REJECTED})
_RECEIPTED = frozenset({State.DELIVERED, State.FAILED, State.EXPIRED, State.CANCELLED, State.UNKNOWN})

# A missing pair is an illegal move. A receipt may arrive before the answer to submit_sm, and even while the message
# is queued again after a doubt: so SUBMITTING, IN_DOUBT and QUEUED lead straight to what a receipt says. SENT expires
# only by the carrier's word. UNKNOWN is final for the books, yet one late receipt still moves it.
TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.HELD: frozenset({State.QUEUED, State.SUBMITTING, State.SCHEDULED}) | _GIVEN_UP,
    State.SCHEDULED: frozenset({State.QUEUED, State.SUBMITTING}) | _GIVEN_UP,
    State.QUEUED: frozenset({State.SUBMITTING, State.REFUSED, State.SENT}) | _GIVEN_UP | _RECEIPTED,
    State.SUBMITTING: frozenset({State.SENT, State.REFUSED, State.QUEUED, State.IN_DOUBT}) | _RECEIPTED,
    State.IN_DOUBT: frozenset({State.QUEUED, State.SENT, State.SUBMITTING, State.REFUSED}) | _RECEIPTED,
    State.SENT: _RECEIPTED,
    State.UNKNOWN: _RECEIPTED - {State.UNKNOWN},
    State.DELIVERED: frozenset(),
    State.FAILED: frozenset(),
    State.REFUSED: frozenset(),
    State.REJECTED: frozenset(),
    State.EXPIRED: frozenset(),
    State.CANCELLED: frozenset(),
}

MESSAGE_STATE: Final[Mapping[State, int]] = {
    State.HELD: 1,
    State.SCHEDULED: 0,
    State.QUEUED: 1,
    State.SUBMITTING: 1,
    State.IN_DOUBT: 1,
    State.SENT: 1,
    State.DELIVERED: 2,
    State.FAILED: 5,
    State.REFUSED: 8,
    State.REJECTED: 8,
    State.EXPIRED: 3,
    State.CANCELLED: 4,
    State.UNKNOWN: 7,
}
"""The SMPP message_state (3.4 §5.2.28) that query_sm and receipts say for each state; 3.x sessions read 1 for SCHEDULED."""

STAT: Final[Mapping[State, bytes]] = {
    State.DELIVERED: b"DELIVRD",
    State.FAILED: b"UNDELIV",
    State.REFUSED: b"REJECTD",
    State.REJECTED: b"REJECTD",
    State.EXPIRED: b"EXPIRED",
    State.CANCELLED: b"DELETED",
    State.UNKNOWN: b"UNKNOWN",
}
"""The `stat:` word of a receipt that smsgw itself originates for a final state (3.4 Appendix B)."""

STATE_OF_RECEIPT: Final[Mapping[int, State]] = {
    2: State.DELIVERED,
    3: State.EXPIRED,
    4: State.CANCELLED,
    5: State.FAILED,
    7: State.UNKNOWN,
    8: State.FAILED,
    9: State.FAILED,
}
"""message_state of a carrier's final receipt → our state. ENROUTE, ACCEPTED and SCHEDULED are absent: they never close."""


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


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A refusal: the SMPP status goes to the peer, the reason (a constant word) to log, record and metric.

    `rule`: which rule of which policy said so, for the record; "" where no policy did.
    """

    status: int
    reason: str
    rule: str = ""


class Sent(msgspec.Struct, frozen=True, gc=False):
    """The carrier took the message and gave it this id (raw octets, possibly empty).

    `late_on`: the link whose answer came after the time-out had been told as Unknown; 0 for an answer in time. The message may be
    on another bind's slot by then.
    """

    upstream_id: bytes
    late_on: int = 0


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The carrier said no; `retryable` when another route or a later time may do."""

    status: int
    retryable: bool


class Throttled(msgspec.Struct, frozen=True, gc=False):
    """The carrier asked to slow down (ESME_RTHROTTLED, ESME_RMSGQFUL): the message was surely not taken."""

    status: int


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """No answer came. `written` False: not one octet had left, so the message surely was not taken."""

    reason: str
    written: bool


Outcome = Sent | Refused | Throttled | Unknown


@dataclass(frozen=True, slots=True)
class Tenant:
    """A contract: its currency, its credit limit (Money) and the basis it is billed on."""

    id: int
    name: str
    currency: str
    credit_limit: int = 0
    basis: Basis = Basis.SUBMITTED


@dataclass(frozen=True, slots=True)
class Account:
    """One system_id of a tenant with its limits. `rate` and `burst` in parts per second and parts; 0 = no limit.

    `allow_from`: networks that it may bind from ("192.0.2.0/24"); none given: from anywhere. `policy`: the rule set that judges
    its messages; "": none does.
    """

    id: int
    system_id: str
    tenant: Tenant
    mode: Mode = Mode.STORE
    max_binds: int = 10
    window: int = 50
    rate: int = 0
    burst: int = 0
    in_doubt: InDoubt = InDoubt.RESEND
    max_resends: int = 1
    in_doubt_wait_s: int = 30
    secrets: tuple[str, ...] = field(default=(), repr=False)
    quota_day: int = 0
    quota_month: int = 0
    default_source: str = ""
    receipt_ttl_s: int = 259_200
    receipt_cap: int = 1_000_000
    deliver_window: int = 0
    bind_status_34: bool = False
    strict_34: bool = False
    allow_from: tuple[str, ...] = ()
    policy: str = ""


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
    """

    submit_id: str = "as-is"
    receipt_id: str = "as-is"
    strip_zeros: bool = False
    ignore_case: bool = True
    prefer_id: str = "tlv"
    closing_accepted: bool = False
    tlvs: str = "auto"
    retryable: frozenset[int] = frozenset()
    permanent: frozenset[int] = frozenset()


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
    """Destinations that start with `prefix` may take these links, in this order. `part_rule`: how parts are counted."""

    id: int
    prefix: str
    links: tuple[str, ...]
    part_rule: str = "gsm_ucs2"


@dataclass(frozen=True, slots=True)
class Price:
    """What one part to a destination prefix costs a tenant (Money)."""

    tenant: str
    prefix: str
    price: int


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
    faults: tuple[tuple[str, str], ...] = ()


class Message(msgspec.Struct, gc=False):
    """One submit_sm or data_sm of a tenant on its way, and what is known of it. The one mutable type of the domain.

    `body` is the PDU after its header, as it goes upstream. `rev` counts the row's revisions: every update names the one it
    read. `price` is Money for all parts. `registered` are the tenant's registered_delivery bits. Times are seconds (Unix).
    Below the line stand things of this process only, never stored.
    """

    id: int
    account: Account
    source: str
    destination: str
    body: bytes
    command: int = 4
    state: State = State.QUEUED
    rev: int = 0
    link: int = 0
    attempt: int = 0
    resends: int = 0
    parts: int = 1
    price: int = 0
    debit_day: int = 0
    basis: int = 0
    registered: int = 0
    mode: int = 0
    short_id: str = ""
    upstream_id: str = ""
    error: int = 0
    refund: int = 0
    accepted_at: float = 0.0
    expires_at: float = 0.0
    sent_at: float = 0.0
    done_at: float = 0.0
    links: tuple[int, ...] = ()
    # ---- of this process only
    session: Any = None
    sequence: int = 0
    bind: Any = None
    ends: Ends | None = None
    long_message: str = ""
    rule: str = ""
    answered_at: float = 0.0
    due_at: float = 0.0
    spilled: bool = False
    waiting: bool = False
    pending: list[tuple[Effect | None, Any, Owed | None]] | None = None

    @property
    def final(self) -> bool:
        """True once nothing but a late receipt after UNKNOWN can change the message."""
        return self.state >= FIRST_FINAL

    @property
    def text_id(self) -> bytes:
        """The id the tenant was given: decimal, or 8 hex digits where it bound with SMPP 3.3."""
        return self.short_id.encode() if self.short_id else b"%d" % self.id


Ends = tuple[tuple[int, int, bytes], tuple[int, int, bytes]]
"""(ton, npi, address) of a message's source and of its destination, as the tenant wrote them."""


class OwedKind(enum.IntEnum):
    """What is owed to a tenant."""

    RECEIPT = 0
    INTERMEDIATE = 1
    MO = 2


class Owed(msgspec.Struct, gc=False):
    """A deliver_sm (or data_sm) body that an account is owed, until it answers for it. Times are seconds (Unix)."""

    id: int
    account: int
    message: int
    kind: int
    body: bytes
    command: int = 5
    tries: int = 0
    due_at: float = 0.0
    expires_at: float = 0.0
    claimed: bool = False
    session: Any = None


Effect = Callable[[Any, Any], None]
"""What a journey does once a cycle is durable: effect(message or argument, None | Rejected)."""
