"""What the HTTP API takes and answers, as types: bodies are read as these, answers are these, the OpenAPI document shows these.

Never here: what is done.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from smsgw.admin import cancelling
from smsgw.admin.reasons import LONGEST_REASON

Reason = Annotated[str, msgspec.Meta(max_length=LONGEST_REASON)]
"""Why: it goes into the audit."""


class FileText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule file: its name, as [[policy]] files names it, and its text (TOML)."""

    name: str
    text: str


class PutBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All files of a set: rule files in their order, and the lists (of words, texts, numbers) that they name, by their names there.

    A list of numbers may have keyed hashes (h:…) as GET answers them, in place of numbers.
    """

    files: list[FileText]
    lists: dict[str, str] = {}
    reason: Reason = ""


class RollbackBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The version to go back to (its first 8 characters will do); none: the one in force before."""

    version: str = ""
    reason: Reason = ""


class ShadowBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shadow mode on or off, for a rule (terms.bait, pattern.x, links, …); none: for the whole set."""

    on: bool
    rule: str = ""
    reason: Reason = ""


class ReplayBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to try on stored texts: files as in PUT, or a version that the set had. `since`: 30m, 12h or 7d back; at most `limit`.

    `account`: only texts of this system_id, whatever its policy.
    """

    files: list[FileText] = []
    lists: dict[str, str] = {}
    version: str = ""
    since: str = "7d"
    limit: int = 10_000
    account: str = ""
    reason: Reason = ""


class WhyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message that is not sent: whose account, to whom, what it says, from which sender (none: an empty one)."""

    account: str
    to: str
    text: str
    source: str = ""


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong: in which file and line (0: nobody knows), at which rule or key, and what to do."""

    file: str
    line: int
    key: str
    message: str
    hint: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was not done. `error`: a constant word; `version`: the one in force, where another one was expected."""

    error: str
    message: str
    faults: list[Fault] = []
    version: str = ""
    permission: str = ""


class PolicyRow(msgspec.Struct, frozen=True):
    """A rule set. `state`: live, shadow, or faulty, where `fault` says why it cannot be read; `rules`: how many of each class.

    `in_force`: this node judges by this version.
    """

    name: str
    version: str
    state: str
    rules: dict[str, int]
    shadow_rules: list[str]
    accounts: int
    in_force: bool
    fault: str
    at: datetime | None
    by: str
    reason: str


class PolicyFiles(msgspec.Struct, frozen=True):
    """A version of a set as it is stored; PUT takes `files` and `lists` as they are."""

    name: str
    version: str
    live: bool
    files: list[FileText]
    lists: dict[str, str]


class VersionRow(msgspec.Struct, frozen=True):
    """A change of a set. `change`: made, changed or deleted; `kept`: its files still are; `live`: it is in force."""

    version: str
    previous: str
    change: str
    at: datetime
    by: str
    reason: str
    kept: bool
    live: bool


class ChangedRule(msgspec.Struct, frozen=True):
    """A rule that is otherwise: which keys, and how many of its words or numbers came and went."""

    rule: str
    keys: list[str]
    came: int
    went: int


class RuleDifference(msgspec.Struct, frozen=True):
    """Rules that came, went, and are otherwise than in the version in force."""

    added: list[str]
    removed: list[str]
    changed: list[ChangedRule]


class SelfTest(msgspec.Struct, frozen=True):
    """What the set was proved on: texts that its rules must find, and harmless ones that it lets go."""

    passed: bool
    must: int
    harmless: int


class PolicyChange(msgspec.Struct, frozen=True):
    """What a change did, or would do (`dry_run`): from version `previous` ("": there was none); `changed` false: nothing."""

    name: str
    version: str
    previous: str
    changed: bool
    dry_run: bool
    difference: RuleDifference
    self_test: SelfTest | None = None


class Example(msgspec.Struct, frozen=True):
    """A message: its id and its masked recipient."""

    id: str
    to: str


class ReplayRow(msgspec.Struct, frozen=True):
    """One way in which both sets differ: what would happen, to how many messages, by which rule now and before."""

    change: str
    messages: int
    rule: str
    rule_before: str
    examples: list[Example]


class ReplayAnswer(msgspec.Struct, frozen=True):
    """What the set tried would do otherwise than the one in force. `before` and `now`: how many it would pass, flag, hold, reject.

    `incomplete`: parts of texts that are not whole, which were not judged.
    """

    name: str
    version: str
    judged: int
    different: int
    incomplete: int
    before: dict[str, int]
    now: dict[str, int]
    differences: list[ReplayRow]


class WhyRow(msgspec.Struct, frozen=True):
    """What one step says of a message."""

    step: str
    result: str
    detail: str


class CancelBody(cancelling.Meant, frozen=True, forbid_unknown_fields=True):
    """Which messages are not to be sent: all that is given has to hold, and something but the times is given.

    `account`: a system_id; `prefix`, `number`: of the recipient; `source`: the sender; `rule`: what a held one met. Accepted at
    most `since` ago and at least `until` ago: 30m, 12h or 7d.
    """

    since: str = "3d"
    until: str = ""
    reason: Reason = ""


class CancelPreview(msgspec.Struct, frozen=True):
    """What a filter means of one account, as things stand. `messages` can be cancelled: they are held, scheduled or queued.

    `refund`: what is given back then, in `currency`. `in_doubt`: nobody knows whether the carrier has them; they are not sent
    again. `out`: they were sent, or are just being sent, and cannot be called back.
    """

    tenant: str
    account: str
    held: int
    scheduled: int
    queued: int
    messages: int
    parts: int
    refund: str
    currency: str
    in_doubt: int
    out: int


class CancelAnswer(msgspec.Struct, frozen=True):
    """What was asked for: the cancellation's number (0: a dry run, nothing was changed), and its preview by account."""

    number: int
    dry_run: bool
    accounts: list[CancelPreview]


class Cancellation(msgspec.Struct, frozen=True):
    """A cancellation. `state`: open while it is being carried out, then done; `of`: its filter; `taken`: messages begun so far.

    The sums are those of its result, 0 until it is done.
    """

    id: int
    state: str
    of: str
    taken: int
    messages: int
    parts: int
    in_doubt: int
    out: int
    at: datetime
    done: datetime | None
    actor: str
    reason: str


class CancelResult(msgspec.Struct, frozen=True):
    """What came of a cancellation in one account: `messages` were cancelled and `refund` given back.

    `in_doubt`: doubts that were given up; `out`: what it meant and was sent.
    """

    tenant: str
    account: str
    messages: int
    parts: int
    refund: str
    currency: str
    in_doubt: int
    out: int


class CancellationResult(msgspec.Struct, frozen=True):
    """A cancellation, and what came of it by account once it is done."""

    cancellation: Cancellation
    accounts: list[CancelResult]
