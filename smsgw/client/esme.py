"""aiosmpplib's ESME, made safe against what gateways and carriers really send.

Four methods are replaced. `_get_pdu`: a status that the library has no name for is shown to it as ESME_RUNKNOWNERR
instead of ending the session; the octets handed to the hook keep the real one. `_handle_request`: deliver_sm is
answered whatever it holds, and its octets go to the hook unread; the library would refuse receipts it cannot parse,
and end the session for some of them.

`connect` and `_disconnect` close the socket of the connection before, which the library leaves open.

They are private to the library, all but one: it is pinned below 0.8, and tests/client/test_esme.py fails if they are gone.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from aiosmpplib import ESME, DeliverSm, PduHeader, SmppCommand, SmppCommandStatus, SmppMessage

_HEADER: Final = 16
_KNOWN: Final = frozenset(int(status) for status in SmppCommandStatus)
_UNKNOWN: Final = struct.pack(">I", SmppCommandStatus.ESME_RUNKNOWNERR)


class SafeEsme(ESME):  # type: ignore[misc]  # the library is not typed
    """The ESME that `Client` runs."""

    _writer: Any

    async def connect(self) -> None:
        """Connect and bind. Raises OSError, TimeoutError, and what the library raises for a refused bind."""
        self.close()
        await super().connect()

    async def _disconnect(self) -> None:
        writer = self._writer
        await super()._disconnect()
        if writer is not None:
            writer.close()

    def close(self) -> None:
        """Close the socket, if there is one; without unbinding."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def _get_pdu(self) -> tuple[bytes, PduHeader]:
        header = await self._reader.readexactly(_HEADER)
        shown = header
        if int.from_bytes(header[8:12], "big") not in _KNOWN:
            shown = header[:8] + _UNKNOWN + header[12:]
        parsed = SmppMessage.parse_header(shown)
        body = await self._reader.readexactly(parsed.pdu_length - _HEADER)
        return header + body, parsed

    async def _handle_request(self, pdu: bytes, header: PduHeader) -> Any:
        if header.smpp_command == SmppCommand.DELIVER_SM:
            return DeliverSm(short_message="?", sequence_num=header.sequence_num)
        return await super()._handle_request(pdu, header)
