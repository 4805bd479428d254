from __future__ import annotations

import asyncio
import struct

from aiosmpplib import ESME, DeliverSm, SmppCommand, SmppCommandStatus

from smsgw.client.esme import SafeEsme


def _esme(octets: bytes = b"") -> SafeEsme:
    esme = SafeEsme("127.0.0.1", 1, "a", "b")
    esme._reader = asyncio.StreamReader()
    esme._reader.feed_data(octets)
    return esme


def test_what_is_replaced_is_still_there() -> None:
    """The library still has the private methods that are replaced here."""
    assert callable(ESME._get_pdu)
    assert callable(ESME._handle_request)


async def test_a_status_without_a_name_does_not_end_the_session() -> None:
    """A vendor's status is shown to the library as ESME_RUNKNOWNERR; the octets keep it."""
    octets = struct.pack(">IIII", 17, 0x80000004, 0x400, 5) + b"\0"
    pdu, header = await _esme(octets)._get_pdu()
    assert pdu == octets
    assert (header.command_status, header.sequence_num) == (SmppCommandStatus.ESME_RUNKNOWNERR, 5)


async def test_any_deliver_sm_is_answered() -> None:
    """A deliver_sm that the library cannot read still gives it something to answer."""
    octets = struct.pack(">IIII", 20, 5, 0, 9) + b"\xff\xff\xff\xff"
    esme = _esme(octets)
    pdu, header = await esme._get_pdu()
    message = await esme._handle_request(pdu, header)
    assert isinstance(message, DeliverSm)
    assert (message.sequence_num, message.smpp_command) == (9, SmppCommand.DELIVER_SM)
