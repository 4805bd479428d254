"""weigh: what is to become of a held text. Its parts are read as one and judged; what was decided before is kept.

Asked by journey/hold for each text at hand, as it was read from the store. It is weighed when it is whole, when its time is over,
when a part comes late, and when a person has let it go: then the rules are not asked again, but everything that nobody decides here
is: whether its account may still send, its recipient still wants it, its hours have begun, and how much its recipient has had.

Must never: change a message; write; judge half a text for a whole one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from smsgw.journey.accept import NOT_FILED
from smsgw.model import Account, Message, Rejected, State
from smsgw.policy.docket import BROKEN, blocked, refused
from smsgw.policy.statuses import refusal
from smsgw.policy.verdict import Action, Verdict
from smsgw.smpp.pdu import encode
from smsgw.store import holds
from smsgw.store.batch import FREQUENCY
from smsgw.store.holds import Capped, Decision, Fate, Text
from smsgw.store.ids import seconds_of

if TYPE_CHECKING:
    from smsgw.config import Hold as HoldSettings
    from smsgw.journey.desk import Desk
    from smsgw.journey.holdings import Holdings
    from smsgw.policy.docket import Docket

LEASE_S: Final = 5.0
"""How long whoever has a text at hand has it for himself."""
UNABLE_S: Final = 10.0
"""How often a set that could not be asked is asked again."""
KEPT: Final = frozenset({State.HELD, State.SCHEDULED})
"""States of messages on whose text a verdict may still fall."""


class Weigh:
    """Tells what is to become of texts, and lets that fall."""

    def __init__(self, desk: Desk, docket: Docket, settings: HoldSettings, holdings: Holdings) -> None:
        """Take the parties."""
        self._desk = desk
        self._docket = docket
        self._settings = settings
        self._holdings = holdings

    def __call__(self, text: Text, loaded: dict[int, Message], verdicts: dict[int, Verdict], *, late: bool) -> Decision | None:
        """Return what is to become of a text whose time is over (`late`) or not; None: what was decided before, or nothing yet.

        `loaded`: its messages, by id. What was judged is put to the `verdicts`.
        """
        now, released = self._desk.clock.time(), text.fate is Fate.RELEASED
        parts = [loaded[message] for _, message in text.parts if message in loaded]
        if len(parts) < len(text.parts):
            return None  # sealed with a key that this node has not: half a text is never judged for a whole one
        held = [message for message in parts if message.state in KEPT]
        if not held or text.fate > Fate.RELEASED:
            return None
        expires = min((message.expires_at for message in held if message.expires_at), default=0.0)
        if text.fate is Fate.REVIEW:
            return self._decided(text, Fate.EXPIRED) if late else None
        if expires and now >= expires:
            return self._decided(text, Fate.EXPIRED)
        account = held[0].account
        if not released and text.conflict:
            return self._refuse(text, account, "parts_conflict", "text.parts")
        if not released and not text.complete and not late:
            return None
        if not account.system_id:
            return self._refuse(text, account, "held", "account.deleted")
        verdict = verdicts[text.id] = self.judge(text, loaded, now)
        objection = self._objection(text, verdict)
        if objection is not None and (objection.action is not Action.HOLD or released):
            return self._refused(text, refused(account, objection, self._docket.rule_of(account, objection)))
        barred = self.barred(held[0], verdict)
        if barred is not None:
            return self._refused(text, barred)
        if released and verdict.unsaid and not text.counted and verdict.objection is not None:
            return self._unable(text, account, now, expires)
        if not text.complete and not released and not self._docket.releases_missing(account):
            return self._refuse(text, account, "parts_missing", "text.missing")
        if objection is not None:
            until = min(now + self._settings.review_s, expires or now + self._settings.review_s)
            rule = self._docket.rule_of(account, objection)
            return Decision(text, Fate.REVIEW, int(until * 1000), reason=objection.reason, rule=rule)
        if verdict.due:
            if not released and not text.waits and not self._holdings.defer(text.account, len(text.parts)):
                return self._refuse(text, account, "deferred_full", "hold.deferred")
            due = min(verdict.due, expires or verdict.due)
            return Decision(
                text, text.fate, int(due * 1000), int((due + self._settings.late_s) * 1000), rule=text.rule, deferred=True
            )
        if released and text.seen == text.judged:
            return None if text.counted else self._decided(text, Fate.RELEASED)
        rules = " ".join(self._docket.rule_of(account, flag) for flag in verdict.flags)
        return self._decided(text, Fate.RELEASED, rule=rules)

    def _unable(self, text: Text, account: Account, now: float, expires: float) -> Decision:
        """A person has let a text go, and nobody can tell what it cannot waive: it waits for its set, not for ever."""
        until = seconds_of(text.id) + 2 * self._settings.review_s
        if now >= until:
            return self._refuse(text, account, BROKEN, "fail")
        due = min(now + UNABLE_S, until, expires or until)
        forget = int((due + self._settings.late_s) * 1000)
        return Decision(text, text.fate, int(due * 1000), forget, reason=text.reason, rule=text.rule, deferred=True, unable=True)

    def judge(self, text: Text, loaded: dict[int, Message], now: float) -> Verdict:
        """Judge the parts that are there, each once, in their order."""
        numbered = {number: loaded[message] for number, message in reversed(text.parts) if message in loaded}
        parts = [numbered[number] for number in sorted(numbered)]
        first = parts[0]
        pdus = [(encode(one.command, 0, 0, one.body), one.command) for one in parts]
        owner = self._desk.directory.owner_of
        return self._docket.held(first.account, first.source, first.destination, pdus, now, owner, joined=text.total > 1)

    def _objection(self, text: Text, verdict: Verdict) -> Any:
        """Return what the rules have against a text, where they are still asked."""
        objection = verdict.objection
        if text.fate is not Fate.RELEASED or objection is None:
            return objection
        if text.seen == text.judged:
            return None  # what was let go stays so; only the hours, the recipient and the account are asked once more
        # somebody has seen it and let it go: what comes late goes, too
        return None if text.actor and objection.action is Action.HOLD else objection

    def barred(self, message: Message, verdict: Verdict) -> Rejected | None:
        """Return what stops a text whoever let it go.

        The state of its account, a block list, its recipient, its hours, or that no carrier is left that has its signature filed.
        """
        account, marks = message.account, self._docket.marks
        restriction = account.restriction
        stopped = refusal(restriction.refusal, strict_34=account.strict_34) if restriction is not None else None
        if stopped is not None:
            return stopped
        block = marks.block_of(account, message.destination) if marks.blocking else None
        if block is not None:
            return blocked(account, block)
        if verdict.stops is not None:
            return refused(account, verdict.stops, self._docket.rule_of(account, verdict.stops))
        if not self.links_of(message, verdict):
            return refused(account, NOT_FILED, self._docket.rule_of(account, NOT_FILED))
        return None

    def links_of(self, message: Message, verdict: Verdict) -> tuple[int, ...]:
        """Return the links that a text may take: those of its route, else the one that it was accepted for."""
        directory = self._desk.directory
        links = directory.routes.choose(message.destination) or (message.link,)
        return links if verdict.carriers is None else directory.links_of(links, verdict.carriers)

    def _refuse(self, text: Text, account: Account, reason: str, rule: str) -> Decision:
        told = refusal(reason, strict_34=account.strict_34)
        assert told is not None, reason
        return self._decided(text, Fate.REFUSED, error=told.status, reason=reason, rule=rule)

    def _refused(self, text: Text, told: Rejected) -> Decision:
        return self._decided(text, Fate.REFUSED, error=told.status, reason=told.reason, rule=told.rule)

    def _decided(self, text: Text, fate: Fate, *, error: int = 0, reason: str = "", rule: str = "") -> Decision:
        """A verdict; whoever made it has some seconds to carry it out, and parts that come late share it for a while."""
        now = self._desk.clock.time()
        due, forget = int((now + LEASE_S) * 1000), int((now + self._settings.late_s) * 1000)
        return Decision(text, fate, due, forget, error, reason or text.reason, rule or text.rule)

    # ---- letting it fall ------------------------------------------------------------------------------------------

    async def decide(
        self, connection: Any, decisions: dict[int, Decision], verdicts: dict[int, Verdict], loaded: dict[int, Message]
    ) -> set[int]:
        """Let verdicts fall; returns the texts on which they did.

        A text that may go, and whose recipient has had enough, is refused by the statement that counts it; its decision says so.
        """
        capped: dict[int, Capped] = {}
        accounts: dict[int, Account] = {}
        for number, one in decisions.items():
            caps = verdicts[number].caps if number in verdicts else ()
            if caps and one.counts:
                account = accounts[number] = next(loaded[message].account for _, message in one.text.parts if message in loaded)
                told = refusal(FREQUENCY, strict_34=account.strict_34)
                assert told is not None
                capped[number] = Capped(caps, told.status, tuple(self._docket.named(account, cap.rule) for cap in caps))
        if not capped:
            return await holds.decide(connection, list(decisions.values()))
        fell, full, over = await holds.decide_capped(connection, list(decisions.values()), capped)
        for number in fell & capped.keys():
            counted = capped[number]
            if number in full:
                at = full[number]
                over[number] = [at]
                changed = {"fate": Fate.REFUSED, "error": counted.error, "reason": FREQUENCY, "rule": counted.rules[at]}
                decisions[number] = msgspec.structs.replace(decisions[number], **changed)
            self._docket.capped(accounts[number], [counted.caps[at] for at in over.get(number, ())])
        return fell
