"""The desk: what every journey has before it: the unit of work, the messages on their way, ids, time, the Directory, the books of
what happened.

Built once by the daemon. `directory` is replaced as a whole when ops apply a new version; journeys read it afresh for each message.

Never here: a decision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from smsgw.model import Account, InDoubt, Link, Message, State, Tenant
from smsgw.receipts.codes import TOLD_BY_CARRIER, UNKNOWN, look_up, text_of
from smsgw.store.ids import seconds_of
from smsgw.store.sealed import Opener, plain
from smsgw.telemetry import Record, mask
from smsgw.telemetry.names import STATE_NAMES

if TYPE_CHECKING:
    from smsgw.directory import Directory
    from smsgw.receipts.matching import Transit
    from smsgw.store.commit import Commit
    from smsgw.store.ids import Ids
    from smsgw.telemetry import Meters, RecordLog

_WELL: Final = frozenset({State.DELIVERED, State.SENT})
"""States that are no error to whoever has log.messages = "errors"; a carrier's FAILED may come without an error number."""


def class_of(link: Link, error: int) -> str:
    """Return the class of a carrier's error by the link's table; "unknown" for what it does not say."""
    code = look_up(link.dialect.codes, error)
    return code.kind if code is not None else UNKNOWN


def _nobody_asks(_message: Message, _now: float) -> None:
    """Nobody wants to know how messages end."""


SENDERS: Final = 4_096
"""Masked senders that are kept at hand; then all are forgotten, and begin anew."""


class Desk:
    """What the journeys share."""

    def __init__(  # noqa: PLR0917 - it is the list of what they share
        self,
        commit: Commit,
        transit: Transit,
        ids: Ids,
        clock: Any,
        directory: Directory,
        meters: Meters,
        records: RecordLog | None,
        *,
        records_of: str = "all",
    ) -> None:
        """Take what the daemon has built; `records_of` is the setting log.messages: all, errors or none."""
        self.commit = commit
        self.transit = transit
        self.ids = ids
        self.clock = clock
        self.directory = directory
        self.meters = meters
        self.process = meters.process
        self._records = records if records_of != "none" else None
        self._errors_only = records_of == "errors"
        self.several_nodes = False
        self.on_ended: Callable[[Message, float], None] = _nobody_asks
        self._senders: dict[str, str] = {}
        self._looked_at: Directory | None = None
        self._any_sealed = False
        self.opened: Opener = plain
        """Opens content that is sealed at rest."""

    def seals(self, account_id: int) -> bool:
        """Whether what an account's messages say is sealed at rest; of 0, nobody knows whose: whether any account's is."""
        if not account_id:
            return self._seals_any()
        account = self.directory.account_by_id(account_id)
        return account is None or account.sealed  # of one that was deleted nobody knows any more

    def _seals_any(self) -> bool:
        if self._looked_at is not self.directory:
            self._looked_at = self.directory
            self._any_sealed = any(account.sealed for account in self.directory.accounts())
        return self._any_sealed

    def account_of(self, account_id: int, tenant_id: int) -> Account:
        """Return the account of a stored message; a stand-in when it was deleted meanwhile.

        What it wanted nobody knows any more: so its content is sealed, and nothing of it is sent twice.
        """
        account = self.directory.account_by_id(account_id)
        if account is not None:
            return account
        tenant = Tenant(id=tenant_id, name="", currency="")
        return Account(id=account_id, system_id="", tenant=tenant, sealed=True, in_doubt=InDoubt.HOLD)

    def link_name(self, link_id: int) -> str:
        """Return a link's name; "" for none or one that was deleted."""
        link = self.directory.link(link_id)
        return link.name if link is not None else ""

    @property
    def records_refusals(self) -> bool:
        """True when refusals at the door get a record line."""
        return self._records is not None

    def record_final(self, message: Message) -> None:
        """Write the record line of a message that has come to its end."""
        if self._records is not None and not (self._errors_only and message.state in _WELL):
            if message.error and message.sent_at and message.state in TOLD_BY_CARRIER:
                link = self.directory.link(message.link)
                told = class_of(link, message.error) if link is not None and link.dialect.codes else ""
                self._records.append(self._record(message, "final", text_of(message.error), told))
            else:
                self._records.append(self._record(message, "final", message.error, ""))

    def record_refused(self, message: Message, status: int, reason: str, rule: str = "") -> None:
        """Write the record line of a message that was refused at the door; `rule`: which one of its policy did so."""
        if self._records is not None:
            message.rule = rule or message.rule
            self._records.append(self._record(message, "refused", status, reason))

    def _record(self, message: Message, record: str, status: int | str, reason: str) -> Record:
        now = self.clock.time()
        accepted = message.accepted_at or (seconds_of(message.id) if message.id else now)
        account = message.account
        link = self.directory.link(message.link) if message.link else None
        # By position, in the order of Record's fields: by name it costs half a microsecond more.
        return Record(
            now,
            record,
            account.tenant.name,
            account.system_id,
            message.id,
            link.name if link is not None else "",
            message.upstream_id,
            self._senders.get(message.source) or self._mask_sender(message.source),
            mask(message.destination),
            message.parts,
            message.price - message.refund,
            STATE_NAMES[message.state] if record == "final" else "",
            status,
            reason,
            message.attempt,
            int((message.answered_at - accepted) * 1000) if message.answered_at else 0,
            int((message.sent_at - accepted) * 1000) if message.sent_at else 0,
            int((message.done_at - accepted) * 1000) if message.done_at else 0,
            message.rule,
            message.transform,
            message.reply,
        )

    def _mask_sender(self, source: str) -> str:
        """Mask a sender and keep it so: a tenant has few of them."""
        if len(self._senders) >= SENDERS:
            self._senders.clear()
        masked = self._senders[source] = mask(source)
        return masked
