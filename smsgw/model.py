"""The domain's words: states, outcomes, messages, and what ops provision.

One meaning each, the same word in row, record line, metric label and README. Values are frozen; `Message` and
`Owed` are the mutable types, because a message changes its state while it travels and a receipt its number of tries.
Both must never hold something that leads back to them for good: compiled, the garbage collector does not know them.

Never here: SQL, sockets, time, settings of the process.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Final

from mypy_extensions import mypyc_attr

from smsgw.outcomes import Duplicate, Outcome, Refused, Rejected, Sent, Throttled, Unknown
from smsgw.provisioned import (
    QUOTA_SPANS,
    Account,
    Basis,
    Carrier,
    Dialect,
    InDoubt,
    Link,
    Mode,
    Number,
    Operator,
    Policy,
    Price,
    Provisioned,
    Restriction,
    Route,
    Standing,
    Tenant,
)
from smsgw.states import FIRST_FINAL, MESSAGE_STATE, STAT, STATE_OF_RECEIPT, TRANSITIONS, State

__all__ = [
    "EPOCH_MS",
    "FIRST_FINAL",
    "MESSAGE_STATE",
    "MONEY_UNIT",
    "QUOTA_SPANS",
    "STAT",
    "STATE_OF_RECEIPT",
    "TRANSITIONS",
    "Account",
    "Basis",
    "Carrier",
    "Dialect",
    "Duplicate",
    "Effect",
    "Ends",
    "InDoubt",
    "Link",
    "Message",
    "Mode",
    "Number",
    "Operator",
    "Outcome",
    "Owed",
    "OwedKind",
    "Policy",
    "Price",
    "Provisioned",
    "Refused",
    "Rejected",
    "Restriction",
    "Route",
    "Sent",
    "Standing",
    "State",
    "Tenant",
    "Throttled",
    "Unknown",
]

MONEY_UNIT: Final = 1_000_000
"""Money is an int: 10⁻⁶ of the currency."""

EPOCH_MS: Final = 1_735_689_600_000
"""MessageIds count milliseconds from 2025-01-01T00:00:00Z."""


@mypyc_attr(acyclic=True)
class Message:
    """One submit_sm or data_sm of a tenant on its way, and what is known of it. The one mutable type of the domain.

    `body` is the PDU after its header, as it goes upstream. `rev` counts the row's revisions: every update names the one it
    read. `price` is Money for all parts. `registered` are the tenant's registered_delivery bits. `content_class`: the retention
    class of its content. `transform`: words for what was changed in it. `reply`: what the keyword means that it answers, of the
    platform's own. `held`, for a new one: key, part and total of its text, due (ms), hash of the part. `caps`: by what it is
    counted; once decided, those it was over. Times are seconds (Unix). Below the line stand things of this process, never stored.
    """

    __slots__ = (
        "accepted_at",
        "account",
        "answered_at",
        "attempt",
        "basis",
        "bind",
        "body",
        "caps",
        "command",
        "content_class",
        "destination",
        "done_at",
        "due_at",
        "ends",
        "error",
        "expires_at",
        "fingerprint",
        "held",
        "id",
        "link",
        "links",
        "long_message",
        "mode",
        "parts",
        "pending",
        "price",
        "refund",
        "registered",
        "reply",
        "resends",
        "rev",
        "rule",
        "sent_at",
        "sequence",
        "session",
        "short_id",
        "source",
        "spilled",
        "state",
        "transform",
        "upstream_id",
        "waiting",
    )

    def __init__(  # noqa: PLR0917 - it is the row
        self,
        id: int,  # noqa: A002 - its name everywhere
        account: Account,
        source: str,
        destination: str,
        body: bytes,
        command: int = 4,
        state: State = State.QUEUED,
        rev: int = 0,
        link: int = 0,
        attempt: int = 0,
        resends: int = 0,
        parts: int = 1,
        price: int = 0,
        basis: int = 0,
        registered: int = 0,
        mode: int = 0,
        short_id: str = "",
        upstream_id: str = "",
        error: int = 0,
        refund: int = 0,
        accepted_at: float = 0.0,
        expires_at: float = 0.0,
        sent_at: float = 0.0,
        done_at: float = 0.0,
        ends: Ends | None = None,
        long_message: str = "",
        transform: tuple[str, ...] = (),
        reply: str = "",
    ) -> None:
        """Take what is known now."""
        self.id = id
        self.account = account
        self.source = source
        self.destination = destination
        self.body = body
        self.command = command
        self.state = state
        self.rev = rev
        self.link = link
        self.attempt = attempt
        self.resends = resends
        self.parts = parts
        self.price = price
        self.basis = basis
        self.registered = registered
        self.mode = mode
        self.short_id = short_id
        self.upstream_id = upstream_id
        self.error = error
        self.refund = refund
        self.accepted_at = accepted_at
        self.expires_at = expires_at
        self.sent_at = sent_at
        self.done_at = done_at
        self.links: tuple[int, ...] = ()
        self.transform, self.reply = transform, reply
        # ---- of this process only
        self.held: tuple[str, int, int, int, str] | None = None
        self.session: Any = None
        self.sequence = self.content_class = 0
        self.bind: Any = None
        self.ends = ends
        self.long_message = long_message
        self.rule = self.fingerprint = ""
        self.caps: tuple[Any, ...] = ()
        self.answered_at = self.due_at = 0.0
        self.spilled = self.waiting = False
        self.pending: list[tuple[Effect | None, Any, Owed | None]] | None = None

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


@mypyc_attr(acyclic=True)
class Owed:
    """A deliver_sm (or data_sm) body that an account is owed, until it answers for it. Times are seconds (Unix)."""

    __slots__ = (
        "account",
        "body",
        "claimed",
        "command",
        "due_at",
        "expires_at",
        "id",
        "kind",
        "message",
        "session",
        "tries",
    )

    def __init__(  # noqa: PLR0917 - it is the row
        self,
        id: int,  # noqa: A002 - its name everywhere
        account: int,
        message: int,
        kind: int,
        body: bytes,
        command: int = 5,
        tries: int = 0,
        due_at: float = 0.0,
        expires_at: float = 0.0,
        *,
        claimed: bool = False,
    ) -> None:
        """Take what is known now."""
        self.id = id
        self.account = account
        self.message = message
        self.kind = kind
        self.body = body
        self.command = command
        self.tries = tries
        self.due_at = due_at
        self.expires_at = expires_at
        self.claimed = claimed
        self.session: Any = None


Effect = Callable[[Any, Any], None]
"""What a journey does once a cycle is durable: effect(message or argument, None | Rejected)."""
