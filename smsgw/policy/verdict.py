"""What a judgement says: findings of rules, and the verdict on a message that they add up to.

Never here: a rule, a status for the peer (`statuses`), the matched text itself (a span of offsets is kept, content is not).
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from smsgw.policy.caps import Counted
    from smsgw.policy.senders import Replacement


class Action(enum.IntEnum):
    """What a rule asks for. Of several the greatest holds. DEFER: later, unless something else stops it."""

    FLAG = 1
    DEFER = 2
    HOLD = 3
    REJECT = 4


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One rule's objection. `reason`: its class, a word of `statuses`; `rule`: its id; `span`: where in which form of the text."""

    action: Action
    reason: str
    rule: str
    shadow: bool = False
    span: str = ""


class Part(msgspec.Struct, frozen=True, gc=False):
    """Which part of which long text a message is: "width:reference" of the text, from 1 to `total`; hash of what is read."""

    reference: str
    number: int
    total: int
    digest: str


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the rules say of a message.

    `objection`: why it may not go; None: it may. `flags`: what it is marked with, and what rules in shadow mode would have done.
    `carriers`: the carriers that its signature is filed with; None: any. `caps`: the counters that decide yet whether it may.
    `part`: it is part of a text that has to be judged as a whole, so only what needs no text has been asked yet.
    `due`: it may go then (Unix seconds), and not before; 0: at once. `added`: TLVs that the set puts at the end of the message.
    `sender`: what the set puts in the place of the tenant's own source; None: that stays.
    `stops`, of what is held: what keeps it from going whoever lets it go: its recipient's word, or hours that refuse.
    `simply`: it may go, and nothing else is said but its category. `unsaid`: what no person can waive cannot be told now.
    """

    category: str = ""
    objection: Finding | None = None
    flags: tuple[Finding, ...] = ()
    carriers: frozenset[str] | None = None
    caps: tuple[Counted, ...] = ()
    part: Part | None = None
    due: float = 0.0
    added: bytes = b""
    sender: Replacement | None = None
    stops: Finding | None = None
    simply: bool = False
    unsaid: bool = False


PASSING: Final = {category: Verdict(category, simply=True) for category in ("", "otp", "notice", "marketing")}
"""What is said of nearly every message, by category."""

NO_FINDINGS: tuple[Finding, ...] = ()
