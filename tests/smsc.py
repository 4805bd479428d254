"""A carrier that tests drive by hand: a raw SMPP server end on a real socket that does as it is told, wrong things included.

    async with Smsc() as smsc:
        ...                                       # a link dials smsc.port
        submit = await smsc.submit()              # the next submit_sm or data_sm
        await smsc.delivered(smsc.receipt(submit, "DELIVRD"))

It shares nothing with `smsgw.smpp.session`: framing and correlation are those of `tests.peers.Esme`.
"""

from __future__ import annotations

import asyncio
import ssl as tls
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from smsgw.smpp import bodies, const, pdu, tlv
from smsgw.smpp.pdu import DataSm, Pdu, Sm, encode
from tests.peers import WAIT_S, Esme

STATES = {
    "ENROUTE": 1, "DELIVRD": 2, "EXPIRED": 3, "DELETED": 4, "UNDELIV": 5, "ACCEPTD": 6, "UNKNOWN": 7, "REJECTD": 8,
}  # fmt: skip
_BINDS = {const.BIND_TRANSMITTER: "tx", const.BIND_RECEIVER: "rx", const.BIND_TRANSCEIVER: "trx"}


@dataclass(eq=False)
class Submit:
    """A submit that came: on which session, its fields, and the id that it was (or would have been) given."""

    session: SmscSession
    pdu: Pdu
    sm: Sm | DataSm
    message_id: bytes

    @property
    def content(self) -> bytes:
        """The octets of short_message; of message_payload where that is empty."""
        octets = self.pdu.octets
        if isinstance(self.sm, Sm) and self.sm.sm_length:
            return octets[self.sm.sm_at : self.sm.tlv_at]
        return tlv.find(octets, self.sm.tlv_at, const.TAG_MESSAGE_PAYLOAD) or b""


class SmscSession(Esme):
    """One connection of the carrier; what comes is answered as its `Smsc` says."""

    def __init__(self, smsc: Smsc, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.smsc = smsc
        self.bind_fields: bodies.Bind | None = None
        self.kind = ""
        super().__init__(reader, writer)

    def _came(self, came: Pdu) -> None:
        if came.command & const.RESP:
            self.responses.append(came)
        else:
            self.requests.append(came)
            self.smsc.came(self, came)
        self.smsc.changed.set()

    async def _read(self) -> None:
        try:
            await super()._read()
        finally:
            self.smsc.changed.set()


class Smsc:
    """A carrier on a port of its own. It answers binds, submits, enquire_link and unbind by itself, but for these knobs:

    `bind_statuses`, `statuses`: of the next bind_resps and submit_sm_resps, ROK once they are used up; `version`: in the bind_resp,
    None for no TLV. `late`: answers to submits are kept in `kept` until `answer_late()`; `lost`: so many of the next are never
    sent; `garbled`: the next ones go through this function first (octets → octets); `quiet`: answers neither enquire_link nor
    unbind, `mute`: no binds either. `early`, `receipts`: the stat of a receipt sent before or right behind each answer, "" for
    none. `ids`: number → message_id; `receipt_ids`: message_id → how receipts write it. `greeting`: a deliver_sm body sent in
    the same write as each bind_resp.
    """

    def __init__(self, *, ssl: tls.SSLContext | None = None) -> None:
        self.port = 0
        self.bind_statuses: deque[int] = deque()
        self.statuses: deque[int] = deque()
        self.version: int | None = const.V34
        self.late = False
        self.lost = 0
        self.garbled: Callable[[bytes], bytes] | None = None
        self.quiet = False
        self.mute = False
        self.early = ""
        self.receipts = ""
        self.ids: Callable[[int], bytes] = lambda number: b"%d" % number
        self.receipt_ids: Callable[[bytes], bytes] = bytes
        self.greeting = b""
        self.kept: list[tuple[SmscSession, bytes]] = []
        self.sessions: list[SmscSession] = []
        """Every connection, in order; also those that have ended."""
        self.submits: list[Submit] = []
        """Every submit_sm and data_sm, in order."""
        self.changed = asyncio.Event()
        self._taken = 0
        self._ssl = ssl
        self._server: asyncio.Server | None = None
        self._gone = False

    # ---- a life ---------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._gone = True
        await self.close()
        for session in self.sessions:
            await session.close()

    async def open(self) -> None:
        """Listen, on the same port as before where there was one."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=self._ssl, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening: new connections are refused, present ones stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self) -> None:
        """Reset every connection."""
        for session in self.sessions:
            session.abort()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not a coroutine: it would be a task, and one that the end of the loop cancels before its first step closes nothing.
        if self._gone:
            writer.transport.abort()
            return
        self.sessions.append(SmscSession(self, reader, writer))
        self.changed.set()

    # ---- waiting --------------------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until something that came makes the condition true; returns what it returned."""
        async with asyncio.timeout(WAIT_S):
            while not (found := condition()):
                self.changed.clear()
                await self.changed.wait()
            return found

    async def bound(self, count: int = 1) -> list[SmscSession]:
        """Wait until so many sessions are bound; returns them."""
        return list(await self.until(lambda: len(self.live) >= count and self.live))

    @property
    def live(self) -> list[SmscSession]:
        """The sessions that are bound now."""
        return [session for session in self.sessions if session.kind and not session.ended.is_set()]

    async def submit(self) -> Submit:
        """Wait for the next submit that no call has returned yet."""
        await self.until(lambda: len(self.submits) > self._taken)
        self._taken += 1
        return self.submits[self._taken - 1]

    async def submitted(self, count: int) -> list[Submit]:
        """Wait until so many submits have come in all; returns all."""
        await self.until(lambda: len(self.submits) >= count)
        return self.submits

    # ---- out ------------------------------------------------------------------------------------------------------

    def answer_late(self) -> None:
        """Send the answers that were kept."""
        for session, octets in self.kept:
            session.send_raw(octets)
        self.kept.clear()

    def deliver(self, body: bytes, command: int = const.DELIVER_SM, session: SmscSession | None = None) -> tuple[SmscSession, int]:
        """Send a deliver_sm, on a receiver or transceiver unless a session is given; for `delivered`."""
        chosen = session or next((one for one in self.live if one.kind != "tx"), self.live[0])
        return chosen, chosen.send(command, body)

    async def delivered(self, sent: tuple[SmscSession, int]) -> Pdu:
        """Wait for the answer to what `deliver` or `receipt` has sent."""
        session, sequence = sent
        return await session.answer_to(sequence)

    def receipt(
        self, submit: Submit, stat: str = "DELIVRD", *, session: SmscSession | None = None, **fields: Any
    ) -> tuple[SmscSession, int]:
        """Send a receipt for a submit; `fields` are those of `receipt_body`."""
        return self.deliver(self.receipt_body(submit, stat, **fields), session=session)

    def receipt_body(
        self,
        submit: Submit,
        stat: str = "DELIVRD",
        *,
        text_id: bytes | None = None,
        tlv_id: bytes | None = None,
        esm_class: int = 4,
        said: bytes = b"",
        err: bytes = b"000",
    ) -> bytes:
        """Return a receipt as this carrier writes it: the id in the text and, with its state, in TLVs; b"" leaves one out.

        `said`: what stands behind "text:".
        """
        ours = self.receipt_ids(submit.message_id)
        in_text = ours if text_id is None else text_id
        in_tlv = ours if tlv_id is None else tlv_id
        named = b"id:%b " % in_text if in_text else b""
        text = named + b"sub:001 dlvrd:001 submit date:2611240300 done date:2611240301 stat:%b err:%b text:%b" % (
            stat.encode(),
            err,
            said,
        )
        tlvs = b""
        if in_tlv:
            tlvs = tlv.append(const.TAG_RECEIPTED_MESSAGE_ID, in_tlv + b"\0")
            tlvs += tlv.append(const.TAG_MESSAGE_STATE, bytes((STATES.get(stat, 7),)))
        sm = submit.sm
        return pdu.sm_body(source=sm.dest, dest=sm.source, short_message=text, esm_class=esm_class, tlvs=tlvs)

    # ---- in -------------------------------------------------------------------------------------------------------

    def came(self, session: SmscSession, came: Pdu) -> None:
        """Do what a carrier does with a request, as the knobs say."""
        match came.command:
            case const.BIND_TRANSMITTER | const.BIND_RECEIVER | const.BIND_TRANSCEIVER:
                self._bind_came(session, came)
            case const.SUBMIT_SM | const.DATA_SM:
                self._submit_came(session, came)
            case const.ENQUIRE_LINK | const.UNBIND:
                if not self.quiet:
                    session.send(came.command | const.RESP, sequence=came.sequence)
            case _:
                session.send(const.GENERIC_NACK, sequence=came.sequence, status=const.ESME_RINVCMDID)

    def _bind_came(self, session: SmscSession, came: Pdu) -> None:
        # Without the specification's limits: carriers give out longer passwords.
        system_id, password, system_type, rest = came.body.split(b"\0", 3)
        session.bind_fields = bodies.Bind(system_id, password, system_type, rest[0], rest[1], rest[2], rest[3:-1])
        if self.mute:
            return
        status = self.bind_statuses.popleft() if self.bind_statuses else const.ESME_ROK
        body = b"" if status else bodies.bind_resp_body(b"smsc", self.version)
        octets = encode(came.command | const.RESP, status, came.sequence, body)
        if not status:
            session.kind = _BINDS[came.command]
            octets += encode(const.DELIVER_SM, 0, 4_711, self.greeting) if self.greeting else b""
        session.send_raw(octets)

    def _submit_came(self, session: SmscSession, came: Pdu) -> None:
        sm = pdu.read_data_sm(came.octets) if came.command == const.DATA_SM else pdu.read_sm(came.octets, const.V50)
        submit = Submit(session, came, sm, self.ids(len(self.submits) + 1))
        self.submits.append(submit)
        status = self.statuses.popleft() if self.statuses else const.ESME_ROK
        if self.early and not status:
            self.receipt(submit, self.early)
        body = b"" if status else submit.message_id + b"\0"
        self._answer(session, encode(came.command | const.RESP, status, came.sequence, body))
        if self.receipts and not status:
            self.receipt(submit, self.receipts)

    def _answer(self, session: SmscSession, octets: bytes) -> None:
        if self.lost:
            self.lost -= 1
            return
        if self.garbled is not None:
            octets = self.garbled(octets)
        if self.late:
            self.kept.append((session, octets))
        else:
            session.send_raw(octets)
