"""defer: what its recipient's hours have made wait is judged afresh when they begin, and then goes or does not.

Until then a SCHEDULED message is a row that waits, due when the hours begin (accept puts it there); journey/due claims it. Much may
have changed meanwhile: the account's state and its rules are asked again. Validity ends it before that like any other that waits.

Must never: await; let a message go at an hour that its rules do not allow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsgw.journey.accept import NOT_FILED
from smsgw.model import Message, Rejected, State
from smsgw.policy.docket import blocked, refused
from smsgw.policy.statuses import refusal
from smsgw.policy.verdict import Action
from smsgw.smpp.pdu import encode

if TYPE_CHECKING:
    from smsgw.carriers.pool import Carriers
    from smsgw.journey.desk import Desk
    from smsgw.journey.dispatch import Dispatch
    from smsgw.journey.ending import Ending
    from smsgw.journey.hold import Hold
    from smsgw.policy.docket import Docket


class Defer:
    """The journey of a message whose hours have begun."""

    def __init__(  # noqa: PLR0917 - the parties
        self, desk: Desk, docket: Docket, carriers: Carriers, dispatch: Dispatch, ending: Ending, hold: Hold
    ) -> None:
        """Take the parties."""
        self._desk = desk
        self._docket = docket
        self._carriers = carriers
        self._dispatch = dispatch
        self._ending = ending
        self._hold = hold

    def open(self, message: Message) -> None:
        """The time of a claimed message has come: judge it, and let it go, wait again, be seen by a person, or be refused."""
        account, desk = message.account, self._desk
        restriction = account.restriction
        stopped = refusal(restriction.refusal, strict_34=account.strict_34) if restriction is not None else None
        if stopped is not None:
            self._refuse(message, stopped)
            return
        if not account.system_id:
            self._refuse(message, Rejected(0, "held", "account.deleted"))
            return
        marks = self._docket.marks
        block = marks.block_of(account, message.destination) if marks.blocking else None
        if block is not None:
            self._refuse(message, blocked(account, block))
            return
        pdu, owner, now = encode(message.command, 0, 0, message.body), desk.directory.owner_of, desk.clock.time()
        parts = [(pdu, message.command)]
        verdict = self._docket.held(account, message.source, message.destination, parts, now, owner, joined=False)
        objection = verdict.objection
        if objection is not None and objection.action is Action.HOLD:
            self._hold.adopt(message)
        elif objection is not None:
            self._refuse(message, refused(account, objection, self._docket.rule_of(account, objection)))
        elif verdict.due:
            desk.commit.wait(message, message.link, verdict.due, claimed=False)
        else:
            self._release(message, verdict.carriers)

    def _release(self, message: Message, filed: frozenset[str] | None) -> None:
        """Send it on a link with room; where there is none it waits for one."""
        desk, account = self._desk, message.account
        links = desk.directory.routes.choose(message.destination) or (message.link,)
        message.links = links if filed is None else desk.directory.links_of(links, filed)
        if not message.links:
            self._refuse(message, refused(account, NOT_FILED, self._docket.rule_of(account, NOT_FILED)))
            return
        bind = self._carriers.reserve(message.links)
        if bind is not None:
            self._dispatch.take_slot(message, bind)
            desk.commit.change(message, self._dispatch.submit, message)
            return
        message.state, message.link = State.QUEUED, message.links[0]
        message.waiting, message.spilled = False, True
        desk.commit.change(message)
        desk.commit.wait(message, message.link, 0.0, claimed=False)

    def _refuse(self, message: Message, rejected: Rejected) -> None:
        message.state, message.error, message.rule = State.REJECTED, rejected.status, rejected.rule
        self._ending.end(message, rejected.reason)
