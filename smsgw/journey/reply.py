"""reply: a handset's keyword that its set answers → one text, durable with the mark → to the handset, as any message goes.

A message of the platform for the account that owns the number: from that number, on the links of the account's own messages, free
of charge. No rule is asked but block lists: an answer to whoever has just refused marketing is none. It is written in the
transaction that writes the mark, waits in the store for its link, and is then a message like the others, with row and record line.

Promises: nothing is answered twice after a restart, as the answer is there with the mark or not at all, and one in doubt is not
sent again; one number answers a recipient at most once in `reply_interval_s`, so that two machines do not talk for ever.
Must never: await; hold up a mark, or the message that is the tenant's, because it cannot be answered.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from smsgw.policy.numbers import canonical
from smsgw.policy.signature import carriers_of, signed
from smsgw.smpp import const
from smsgw.smpp.pdu import sm_body
from smsgw.store.ids import least_id_at
from smsgw.store.replies import Answer

if TYPE_CHECKING:
    from smsgw.journey.desk import Desk
    from smsgw.journey.optout import Heard
    from smsgw.policy.marks import Marks
    from smsgw.policy.replies import Reply
    from smsgw.telemetry import Meters

VALID_S: Final = 86_400
"""An answer that found no carrier for so long is of no use to anybody."""
_NUMBER: Final = re.compile(rb"\+?\d{3,20}")


class Replies:
    """What is answered to keywords, and what came of it."""

    def __init__(self, desk: Desk, marks: Marks, bound: Callable[[int], bool], *, interval_s: int) -> None:
        """`bound(link)`: whether it can send now. `interval_s`: so long a recipient is not answered again by the same number."""
        self._desk = desk
        self._marks = marks
        self._bound = bound
        self._interval_s = interval_s
        self.on_ready: Callable[[int], None] = _nobody
        """Told the link for which an answer waits."""
        self.counted: Counter[tuple[str, ...]] = Counter()

    def register(self, meters: Meters) -> None:
        """Export what was answered, and what was not."""
        meters.counter("smsgw_replies", "Answers to keywords, by what became of them.", lambda: self.counted, ("means", "result"))

    def answer(self, heard: Heard) -> Answer | None:
        """Make the answer to a keyword; None where it has none, or cannot get one."""
        reply = heard.wish.reply
        if reply is None:
            return None
        links = self._links(heard, reply)
        if isinstance(links, str):
            self.counted[heard.wish.means, links] += 1
            return None
        (ton, npi, handset), service = heard.ends
        account = heard.account
        message = self._desk.ids.next()
        body = sm_body(
            source_ton=service[0],
            source_npi=service[1],
            source=service[2],
            dest_ton=ton,
            dest_npi=npi,
            dest=handset,
            data_coding=reply.data_coding,
            short_message=reply.octets,
        )
        return Answer(
            message,
            account.tenant.id,
            account.id,
            next(filter(self._bound, links), links[0]),
            account.content_class,
            int((heard.at + VALID_S) * 1000),
            service[2].decode("latin-1"),
            handset.decode("latin-1"),
            self._desk.commit.seal(message, body) if account.sealed else body,
            heard.number,
            canonical(heard.service),
            heard.wish.means,
            heard.reference,
        )

    def _links(self, heard: Heard, reply: Reply) -> tuple[int, ...] | str:
        """Return the links that an answer may take, as the account's messages do; or why there is none."""
        (ton, _, handset), _ = heard.ends
        if _is_shadow(heard):
            return "shadow"
        if ton == const.TON_ALPHANUMERIC or not _NUMBER.fullmatch(handset):
            return "no_number"
        number, directory = handset.decode("ascii"), self._desk.directory
        if self._marks.blocking and self._marks.block_of(heard.account, number) is not None:
            return "blocked"
        links = directory.routes.choose(number)
        carriers = carriers_of(heard.policy.filed.get(signed(reply.text).signature, ()), heard.service)
        return (directory.links_of(links, carriers) if carriers else links) or "no_route"

    @property
    def since(self) -> int:
        """The id from which on an answer counts as given lately."""
        return least_id_at(self._desk.clock.time() - self._interval_s)

    def given(self, answers: Sequence[Answer], stored: set[int] | None) -> None:
        """These were to be stored, and of them these were (None: the store could not take them): let their links know."""
        for answer in answers:
            result = "failed" if stored is None else "accepted" if answer.id in stored else "limited"
            self.counted[answer.means, result] += 1
        for link in {answer.link for answer in answers if answer.id in (stored or ())}:
            self.on_ready(link)


def _is_shadow(heard: Heard) -> bool:
    """Tell whether the set only watches: what it does not do it does not confirm."""
    table = heard.policy.table
    watches = table.consent is not None and table.consent.mode == "shadow" and heard.wish.means != "help"
    return heard.policy.shadow or watches


def _nobody(_link: int) -> None:
    """Nobody takes up what waits; the next look does."""
