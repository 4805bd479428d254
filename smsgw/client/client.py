"""The client: bound as long as its block lasts, dialled again whenever the connection is lost.

Promises: each `send` ends, with an id, `Refused` or `Unanswered`; each receipt and message is given once to its
callback, and answered ESME_ROK whether the callback raises or not (it is logged by the library's user, not by us:
`on_error`).

Never here: octets (`smsgw.smpp` reads them), the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self

from aiosmpplib import (
    NPI,
    TON,
    AbstractHook,
    AbstractThrottleHandler,
    BindMode,
    PhoneNumber,
    SmppCommand,
    SubmitSm,
)
from aiosmpplib.broker import SimpleBroker

from smsgw.client.correlator import Correlator
from smsgw.client.esme import SafeEsme
from smsgw.client.words import Incoming, NotBound, Receipt, Refused, Unanswered
from smsgw.smpp import const, pdu, receipt, text, tlv
from smsgw.smpp.udh import read_udh

_THROTTLES: Final = frozenset({const.ESME_RTHROTTLED, const.ESME_RMSGQFUL})
_BINDS: Final = {"transceiver": BindMode.TRANSCEIVER, "transmitter": BindMode.TRANSMITTER, "receiver": BindMode.RECEIVER}
_LATIN: Final = "latin-1"


class Client:
    """A tenant's connection to the gateway."""

    def __init__(
        self,
        host: str,
        port: int,
        system_id: str,
        password: str,
        *,
        bind: str = "transceiver",
        window: int = 10,
        on_receipt: Callable[[Receipt], None] | None = None,
        on_message: Callable[[Incoming], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
        bind_timeout_s: float = 30.0,
        response_timeout_s: float = 60.0,
        throttle_pause_s: float = 0.2,
        throttle_tries: int = 20,
        enquire_link_s: float = 30.0,
        remember_s: float = 259_200.0,
        remember: int = 100_000,
    ) -> None:
        """Take where to bind. `bind`: "transceiver", "transmitter", "receiver"; raises ValueError for what SMPP cannot carry."""
        self._on_receipt = on_receipt
        self._on_message = on_message
        self._on_error = on_error
        self._bind_timeout_s = bind_timeout_s
        self._response_timeout_s = response_timeout_s
        self._throttle_pause_s = throttle_pause_s
        self._throttle_tries = throttle_tries
        self._room = asyncio.Semaphore(window)
        self._broker = SimpleBroker(window + 1)
        self._correlator = Correlator(response_timeout_s * 2, remember_s, remember)
        self._waiting: dict[str, asyncio.Future[tuple[int, str]]] = {}
        self._numbers = 0
        self._bound = asyncio.Event()
        self._bind_status = 0
        self._group: asyncio.TaskGroup | None = None
        self._running: asyncio.Task[None] | None = None
        self._esme = SafeEsme(
            smsc_host=host,
            smsc_port=port,
            system_id=system_id,
            password=password,
            bind_mode=_BINDS[bind],
            enquire_link_interval=float(enquire_link_s),
            hook=_Hook(self),
            broker=self._broker,
            correlator=self._correlator,
            throttle_handler=_NoThrottle(),
            log_level="CRITICAL",  # what the library logs may quote texts and passwords
        )

    # ---- life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect and bind. Raises NotBound when the bind is refused, or nobody answers in time."""
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._running = self._group.create_task(self._esme.start(), name="smsgw.client")
        try:
            async with asyncio.timeout(self._bind_timeout_s):
                await self._bound.wait()
        except TimeoutError:
            await self.__aexit__(None, None, None)
            raise NotBound("nobody answered the bind in time") from None
        if self._bind_status:
            await self.__aexit__(None, None, None)
            raise NotBound(const.status_name(self._bind_status), self._bind_status)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Unbind and close; what is unanswered ends as `Unanswered`."""
        assert self._group is not None
        assert self._running is not None
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(5):
                await self._esme.stop()
        self._running.cancel()
        self._esme.close()
        self._lose("the client was closed")
        await self._group.__aexit__(None, None, None)

    # ---- sending --------------------------------------------------------------------------------------------------

    async def send(
        self,
        source: str,
        destination: str,
        words: str,
        *,
        receipt: bool = True,
        validity: timedelta | None = None,
        reference: Any = None,
    ) -> str:
        """Send a text; returns the message's id. Waits while the window is full.

        `source`: digits or letters; `reference` comes back with the receipt. Raises Refused, Unanswered, ValueError.
        """
        message = SubmitSm(
            short_message=words,
            source=_sender(source),
            destination=PhoneNumber(destination.removeprefix("+"), TON.INTERNATIONAL, NPI.ISDN),
            registered_delivery=int(receipt),
            validity_period=validity,
            encoding=None if text.encode(words)[0] == 0 else "ucs2",
        )
        status, message_id = await self._submit(message, reference)
        tries = self._throttle_tries
        while status in _THROTTLES and tries > 0:
            tries -= 1
            await asyncio.sleep(self._throttle_pause_s)
            status, message_id = await self._submit(message, reference)
        if status:
            raise Refused(status)
        return message_id

    async def _submit(self, message: SubmitSm, reference: Any) -> tuple[int, str]:
        """Send once; returns status and id."""
        self._numbers += 1
        key = str(self._numbers)
        message.log_id, message.extra_data = key, ""
        message._encoded_message = b""  # what the library keeps of an earlier try
        message.client_reference = reference
        async with self._room:
            future: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
            self._waiting[key] = future
            try:
                await self._broker.enqueue(message)
                async with asyncio.timeout(self._response_timeout_s):
                    return await future
            except TimeoutError:
                raise Unanswered("no answer within the time-out") from None
            finally:
                self._waiting.pop(key, None)

    # ---- what the library tells -----------------------------------------------------------------------------------

    def _answered(self, message: Any, octets: bytes) -> None:
        """A submit_sm_resp came; its octets tell the status as it was sent."""
        future = self._waiting.get(message.log_id)
        if future is not None and not future.done():
            future.set_result((int.from_bytes(octets[8:12], "big"), pdu.read_message_id(octets).decode(_LATIN)))

    def _bind_answered(self, octets: bytes) -> None:
        """A bind was answered: the requests of an earlier connection will not be."""
        self._bind_status = int.from_bytes(octets[8:12], "big")
        self._lose("the connection was lost")
        self._bound.set()

    def _failed(self, message: Any, error: Exception) -> None:
        """The library could not send a message."""
        future = self._waiting.get(getattr(message, "log_id", ""))
        if future is not None and not future.done():
            future.set_exception(error if isinstance(error, ValueError) else Unanswered(type(error).__name__))

    def _lose(self, why: str) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Unanswered(why))

    def _delivered(self, octets: bytes) -> None:
        """A deliver_sm came: a receipt or a message."""
        try:
            sm = pdu.read_sm(octets)
            found = receipt.parse(octets, sm)
            if found is not None:
                self._give(self._on_receipt, self._receipt(found))
            else:
                self._give(self._on_message, _incoming(octets, sm))
        except pdu.BadPdu as bad:
            self._tell(ValueError(bad.reason))

    def _receipt(self, found: receipt.Receipt) -> Receipt:
        message_id = found.message_id.decode(_LATIN)
        sent = self._correlator.sent.take(message_id) if found.final else self._correlator.sent.get(message_id)
        return Receipt(
            message_id,
            found.stat.decode(_LATIN),
            found.state,
            found.final,
            found.error.decode(_LATIN),
            found.done_date.decode(_LATIN),
            getattr(sent, "client_reference", None),
        )

    def _give(self, callback: Callable[[Any], None] | None, what: Receipt | Incoming) -> None:
        if callback is None:
            return
        try:
            callback(what)
        except Exception as error:  # noqa: BLE001 - the wall between our session and the user's code
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if self._on_error is not None:
            self._on_error(error)


class _Hook(AbstractHook):  # type: ignore[misc]  # the library is not typed
    """What the library calls."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def sending(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:  # noqa: ARG002 - its signature
        """Correlate before the octets leave: the library does it after, and an answer may be faster."""
        await self._client._correlator.put(smpp_message)

    async def received(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:  # noqa: ARG002 - its signature
        """Something came; its octets are what counts."""
        command = int.from_bytes(pdu[4:8], "big")
        if command == SmppCommand.SUBMIT_SM_RESP and smpp_message is not None:
            self._client._answered(smpp_message, pdu)
        elif command == SmppCommand.DELIVER_SM:
            self._client._delivered(pdu)
        elif command in {const.BIND_TRANSCEIVER_RESP, const.BIND_TRANSMITTER_RESP, const.BIND_RECEIVER_RESP}:
            self._client._bind_answered(pdu)

    async def send_error(self, smpp_message: Any, error: Exception, client_id: str) -> None:  # noqa: ARG002 - its signature
        """A message could not be built or sent."""
        self._client._failed(smpp_message, error)


class _NoThrottle(AbstractThrottleHandler):  # type: ignore[misc]  # the library is not typed
    """Never hold anything back: the library's own stops all for minutes after one throttled answer in a hundred."""

    async def throttled(self) -> None:
        """Known by the answer itself."""

    async def not_throttled(self) -> None:
        """Known by the answer itself."""

    async def allow_request(self) -> bool:
        """Always."""
        return True

    async def throttle_delay(self) -> float:
        """None."""
        return 0.0


def _sender(source: str) -> PhoneNumber:
    """Digits are a national number, letters an alphanumeric sender id."""
    if source.removeprefix("+").isdigit():
        ton = TON.INTERNATIONAL if source.startswith("+") else TON.NATIONAL
        return PhoneNumber(source.removeprefix("+"), ton, NPI.ISDN)
    return PhoneNumber(source, TON.ALPHANUMERIC, NPI.UNKNOWN)


def _incoming(octets: bytes, sm: pdu.Sm) -> Incoming:
    body = octets[sm.sm_at : sm.tlv_at] if sm.sm_length else (tlv.find(octets, sm.tlv_at, const.TAG_MESSAGE_PAYLOAD) or b"")
    header = read_udh(body) if sm.esm_class & const.ESM_UDHI else None
    read = text.decode(body, sm.data_coding, udh=header)
    return Incoming(
        sm.source.decode(_LATIN),
        sm.dest.decode(_LATIN),
        read.text,
        read.exact,
        sm.data_coding,
        body[header.length :] if header else body,
    )
