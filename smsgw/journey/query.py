"""query: a tenant's query_sm → answered from our own rows; cancel_sm, replace_sm and submit_multi → told what is not offered.

A message is found by its id and its source address, and only among the account's own.

Must never: show a message of another account; ask a carrier.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from smsgw.journey.accept import STORE_UNAVAILABLE
from smsgw.model import MESSAGE_STATE, Rejected, State
from smsgw.smpp import const
from smsgw.smpp.bodies import query_sm_resp_body, read_query_sm
from smsgw.smpp.clock import format_absolute
from smsgw.smpp.pdu import BadPdu
from smsgw.store.database import LOST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from smsgw.journey.desk import Desk
    from smsgw.smpp.pdu import Pdu
    from smsgw.tenants.session import TenantSession

NO_MATCH: Final = Rejected(const.ESME_RQUERYFAIL, "query_no_match")
BUSY: Final = Rejected(const.ESME_RTHROTTLED, "queries_busy")
NOT_OFFERED: Final = {
    const.CANCEL_SM: Rejected(const.ESME_RCANCELFAIL, "cancel_not_offered"),
    const.REPLACE_SM: Rejected(const.ESME_RREPLACEFAIL, "replace_not_offered"),
}


class Query:
    """The journey of a question about a message."""

    def __init__(
        self, desk: Desk, ask: Callable[[Callable[[], Awaitable[None]]], bool], look_up: Callable[..., Awaitable[object]]
    ) -> None:
        """`ask(job)` runs a job in the background if there is room; `look_up(account id, text id)` reads the row."""
        self._desk = desk
        self._ask = ask
        self._look_up = look_up

    def __call__(self, session: TenantSession, pdu: Pdu) -> None:
        """Answer query_sm, now or after a look into the store; refuse its kin."""
        if pdu.command == const.SUBMIT_MULTI:
            session.nack(pdu, const.ESME_RINVCMDID)
            return
        if pdu.command != const.QUERY_SM:
            session.refuse(pdu, NOT_OFFERED[pdu.command])
            return
        try:
            asked = read_query_sm(pdu.octets)
        except BadPdu as error:
            session.refuse(pdu, Rejected(error.status, error.reason))
            return
        text_id = asked.message_id.decode("latin-1")
        source = asked.source.decode("latin-1")

        async def answer() -> None:
            account = session.account
            assert account is not None
            try:
                row = await self._look_up(account.id, text_id)
            except LOST:
                session.refuse(pdu, STORE_UNAVAILABLE)
                return
            # A NULL source asks for the messages that were sent with one: the account's default took its place.
            if row is None or row["source"] not in {source, source or account.default_source}:  # type: ignore[index]
                session.refuse(pdu, NO_MATCH)
                return
            state = State(row["state"])  # type: ignore[index]
            done_ms = row["done_ms"]  # type: ignore[index]
            final_date = format_absolute(datetime.fromtimestamp(done_ms / 1000, UTC)) if done_ms else b""
            shown = MESSAGE_STATE[state]
            body = query_sm_resp_body(
                message_id=asked.message_id,
                final_date=final_date,
                message_state=shown if shown or session.version >= const.V50 else 1,
                error_code=min(row["error"], 255),  # type: ignore[index]
            )
            session.respond(pdu, 0, body)

        if not self._ask(answer):
            session.refuse(pdu, BUSY)
