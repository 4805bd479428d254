"""An unmodified aiosmpplib ESME, everything at its defaults, against the real process."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
from aiosmpplib import ESME, AbstractHook, DeliverSm, OptionalParam, PhoneNumber, SubmitSm, SubmitSmResp
from aiosmpplib.broker import SimpleBroker
from aiosmpplib.state import BindMode

from smsgw.smpp import const, pdu
from tests.interop.letters import PASSWORD, SOURCE, SYSTEM_ID, VENDOR, Letter
from tests.interop.scene import scene

LONG = "a long one " * 40
LATIN = "twenty letters first, then Grüße"
PARTS = ((b"a long one " * 40)[:153], (b"a long one " * 40)[153:306], (b"a long one " * 40)[306:])

# What its user writes, and what it makes of it.
WRITTEN: tuple[tuple[dict[str, Any], tuple[Letter, ...]], ...] = (
    ({"short_message": "Hello €"}, (Letter("gsm-7", b"Hello \x1be"),)),
    ({"short_message": "你好 😀"}, (Letter("ucs-2", "你好 😀".encode("utf-16-be"), data_coding=8),)),
    # It cannot read a receipt that quotes octets over 0x7F, as carriers do with the first twenty.
    ({"short_message": LATIN, "encoding": "latin_1"}, (Letter("latin-1", LATIN.encode("latin-1"), data_coding=3),)),
    ({"message_payload": LONG}, (Letter("message_payload", tlvs=((const.TAG_MESSAGE_PAYLOAD, LONG.encode()),)),)),
    (
        {"short_message": "TLV", "optional_params": [OptionalParam(VENDOR, "ab\0cd")]},
        (Letter("vendor", b"TLV", tlvs=((VENDOR, b"ab\0cd"),)),),
    ),
    (
        {"short_message": LONG, "auto_message_payload": False, "esm_class": 0x40},
        tuple(
            Letter("udh 8-bit", bytes((5, 0, 3, 0, len(PARTS), number)) + part, esm_class=0x40)
            for number, part in enumerate(PARTS, 1)
        ),
    ),
)


class Hook(AbstractHook):  # type: ignore[misc]  # the library is not typed
    """What its user sees."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.receipts: list[str] = []
        self.failures: list[Exception] = []

    async def sending(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
        """Nothing to do before sending."""

    async def received(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:  # noqa: ARG002 - its signature
        """Note ids of answers and receipts."""
        if isinstance(smpp_message, SubmitSmResp):
            self.ids.append(smpp_message.message_id)
        elif isinstance(smpp_message, DeliverSm):
            self.receipts.append(str(smpp_message.parse_receipt()["id"]))

    async def send_error(self, smpp_message: Any, error: Exception, client_id: str) -> None:  # noqa: ARG002 - its signature
        """Note what was not sent."""
        self.failures.append(error)


def esme(port: int, mode: BindMode, hook: Hook, broker: SimpleBroker) -> ESME:
    """An ESME as its users make it."""
    return ESME("127.0.0.1", port, SYSTEM_ID, PASSWORD, bind_mode=mode, hook=hook, broker=broker, log_level="CRITICAL")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves its sockets open
@pytest.mark.parametrize("modes", [(BindMode.TRANSCEIVER,), (BindMode.RECEIVER, BindMode.TRANSMITTER)], ids=["trx", "pair"])
async def test_aiosmpplib(database: str, tmp_path: Path, modes: tuple[BindMode, ...]):
    """What it can send comes through octet for octet, receipts bear our ids as it reads them, and it unbinds cleanly."""
    async with scene(database, tmp_path) as stage:
        hook, broker = Hook(), SimpleBroker()
        esmes = [esme(stage.tap.port, mode, hook, broker if mode != BindMode.RECEIVER else SimpleBroker()) for mode in modes]
        async with asyncio.TaskGroup() as group:
            for each in esmes:
                group.create_task(each.start())
            letters = []
            for number, (fields, made) in enumerate(WRITTEN):
                await broker.enqueue(
                    SubmitSm(source=PhoneNumber(SOURCE), destination=PhoneNumber("8613800138000"), log_id=str(number), **fields)
                )
                letters += made
            # Of parts the library tells its user about the last one alone.
            await stage.tap.until(lambda: len(stage.tap.sent(const.DELIVER_SM_RESP)) == len(letters))
            await stage.tap.until(lambda: len(hook.ids) == len(WRITTEN))
            for each in esmes:
                await each.stop()
        assert not hook.failures
        assert len(hook.receipts) >= len(WRITTEN) - 1
        assert set(hook.receipts) <= {pdu.read_message_id(each.octets).decode() for each in stage.tap.came(const.SUBMIT_SM_RESP)}
        await stage.check(letters, [])
    del esmes, each
    gc.collect()
