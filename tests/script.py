"""Ladder tests: a conversation as lines, `>>` what the peer sends and `<<` what it must get, in this order and nothing else.

    await script.play(
        '>> bind_transceiver 1 system_id=acme1 password=secret',
        '<< bind_transceiver_resp 1 ESME_ROK system_id=smsgw',
        '>> submit_sm 2 dest=8613800138000 short_message=hello',
        '<< submit_sm_resp 2 ESME_ROK message_id=42',
        '== 31',                       # so many seconds pass
        '<< enquire_link 1',
        '>> raw 00000003',             # octets in hex
        '<< generic_nack 0 ESME_RINVCMDLEN',
        '<< closed bad_length',
    )

A line is a command, a sequence number, a status by name (ESME_ROK when left out) and fields; of what we send only the
fields named in the line are compared. Values: numbers as 5 or 0x05, text as it is, octets as hex:0001; TLVs go as
tlv=<hex>; `body=hex:…` replaces all fields. The wire under test is real; its transport is not, and time passes only when
the script says so.
"""

from __future__ import annotations

import asyncio
import shlex
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

from smsgw.smpp import bodies, const, pdu, tlv
from smsgw.smpp.pdu import Pdu
from smsgw.wire import Wire

COMMANDS = {name: number for number, name in const.COMMAND_NAMES.items()}
WAIT_S = 5.0
STATUSES = {name: number for number, name in const.STATUS_NAMES.items()}


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1_000.0, time: float = 1_790_000_000.0) -> None:
        self._now = now
        self._time = time

    def now(self) -> float:
        """Monotonic seconds."""
        return self._now

    def time(self) -> float:
        """Seconds since 1970."""
        return self._time

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
        self._time += seconds


class FakeTransport(asyncio.Transport):
    """Keeps what is written; `full()` and `empty()` are what the kernel would say of its buffer."""

    def __init__(self, protocol: Wire, remote: tuple[str, int] = ("192.0.2.1", 40_000)) -> None:
        super().__init__({"peername": remote})
        self.protocol = protocol
        self.written = bytearray()
        self.closed = False
        self.aborted = False
        self.paused = False

    def write(self, data: Any) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.protocol.connection_lost(None)

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def full(self) -> None:
        """The peer does not read."""
        self.protocol.pause_writing()

    def empty(self) -> None:
        """The peer has read."""
        self.protocol.resume_writing()


class Script:
    """Plays ladders against one wire. `tick(now)` is called when time passes, the wire's own by default."""

    def __init__(
        self, wire: Wire, clock: ManualClock, *, remote: str = "192.0.2.1", tick: Callable[[float], None] | None = None
    ) -> None:
        self.wire = wire
        self.clock = clock
        self.transport = FakeTransport(wire, (remote, 40_000))
        self.came: list[Pdu] = []
        """Everything that the peer has got."""
        self._tick = tick or wire.tick
        self._unread: list[Pdu] = []
        wire.connection_made(self.transport)

    async def play(self, *lines: str) -> None:
        """Play lines; raises AssertionError that names the first line that did not happen, or what came unasked at the end."""
        for line in lines:
            await self._line(line.strip())
        await self._settle()
        self._read()
        assert not self._unread, f"came unasked: {self._unread}"

    async def _line(self, line: str) -> None:
        mark, _, rest = line.partition(" ")
        words = shlex.split(rest)
        match mark:
            case ">>" if words[0] == "closed":
                self.transport.close()
            case ">>":
                self.wire.data_received(octets_of(words))
            case "<<" if words[0] == "closed":
                await self._until(lambda: self.transport.closed, line)
                if words[1:]:
                    assert words[1] == (self.wire.reason or self.wire.session.closing), line
            case "<<":
                await self._until(lambda: bool(self._unread), line)
                difference = differs(words, self._unread.pop(0))
                assert not difference, f"{line}: {difference}"
            case "==":
                self.clock.pass_(float(words[0]))
                for _ in range(10):  # whatever ticks a tenth at a time comes round
                    self._tick(self.clock.now())
            case _:
                raise ValueError(line)

    async def _until(self, happened: Callable[[], bool], line: str) -> None:
        give_up_at = time.monotonic() + WAIT_S  # real time: passwords are verified in threads
        while True:
            self._read()
            if happened():
                return
            assert time.monotonic() < give_up_at, f"{line}: did not come"
            await asyncio.sleep(0)

    async def _settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    def _read(self) -> None:
        written = self.transport.written
        while len(written) >= 16:
            length, command, status, sequence = struct.unpack_from(">IIII", written)
            octets = bytes(written[:length])
            assert len(octets) == length, "half a PDU"
            del written[:length]
            self.came.append(Pdu(octets, command, status, sequence))
            self._unread.append(self.came[-1])


# ---- lines to octets and back -------------------------------------------------------------------------------------------


def octets_of(words: list[str]) -> bytes:
    """Return the PDU that a line's words describe."""
    if words[0] == "raw":
        return bytes.fromhex("".join(words[1:]))
    command, sequence, status, fields = _header(words)
    body = fields["body"] if "body" in fields else _body(command, fields)
    return pdu.encode(command, status, sequence, body)


def differs(words: list[str], came: Pdu) -> str:
    """Say how a PDU differs from a line's words; "" when it does not."""
    command, sequence, status, fields = _header(words)
    if (came.command, came.sequence, came.status) != (command, sequence, status):
        return f"got {came!r}"
    found = _fields(came)
    for name, value in fields.items():
        got = found.get(name)
        if got != value:
            return f"{name} is {got!r}, not {value!r}"
    return ""


def _header(words: list[str]) -> tuple[int, int, int, dict[str, Any]]:
    command = COMMANDS[words[0]]
    sequence = status = 0
    fields: dict[str, Any] = {}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals:
            if word in STATUSES:
                status = STATUSES[word]
            elif word.startswith("status:"):
                status = int(word[7:], 0)
            else:
                sequence = int(word, 0)
        else:
            fields[name] = _value(name, value)
    return command, sequence, status, fields


_NUMBERS = frozenset(
    "interface_version addr_ton addr_npi source_ton source_npi dest_ton dest_npi esm_class protocol_id priority"
    " registered_delivery replace data_coding default_msg_id sm_length message_state error_code version".split()
)


def _value(name: str, value: str) -> Any:
    if name in _NUMBERS:
        return int(value, 0)
    if name == "tlv" or value.startswith("hex:"):
        return bytes.fromhex(value.removeprefix("hex:"))
    return value.encode()


def _body(command: int, fields: dict[str, Any]) -> bytes:
    tlvs = fields.pop("tlv", b"")
    match command:
        case const.BIND_TRANSMITTER | const.BIND_RECEIVER | const.BIND_TRANSCEIVER:
            numbers = bytes(fields.get(name, 0) for name in ("interface_version", "addr_ton", "addr_npi"))
            if "interface_version" not in fields:
                numbers = bytes((const.V34,)) + numbers[1:]
            strings = [fields.get(name, b"") for name in ("system_id", "password", "system_type")]
            return b"".join(s + b"\0" for s in strings) + numbers + fields.get("address_range", b"") + b"\0" + tlvs
        case const.SUBMIT_SM | const.DELIVER_SM:
            return pdu.sm_body(**{"source": b"1069", "dest": b"8613800138000", **fields}, tlvs=tlvs)
        case const.DATA_SM:
            return pdu.data_sm_body(**{"source": b"1069", "dest": b"8613800138000", **fields}, tlvs=tlvs)
        case const.QUERY_SM:
            return bodies.query_sm_body(**fields)
        case const.CANCEL_SM:
            return bodies.cancel_sm_body(**fields)
        case const.REPLACE_SM:
            return bodies.replace_sm_body(**{"short_message": b"", **fields})
        case const.SUBMIT_SM_RESP | const.DELIVER_SM_RESP | const.DATA_SM_RESP:
            return fields.get("message_id", b"") + b"\0" + tlvs
        case _:
            assert not fields, f"give {const.command_name(command)} a body="
            return tlvs


def _fields(came: Pdu) -> Mapping[str, Any]:
    """Return the fields of a PDU that we sent, as far as a line may name them."""
    octets = came.octets
    found: dict[str, Any] = {"body": came.body}
    match came.command:
        case const.BIND_TRANSMITTER_RESP | const.BIND_RECEIVER_RESP | const.BIND_TRANSCEIVER_RESP:
            found |= bodies.read_bind_resp(octets)._asdict()
        case const.BIND_TRANSMITTER | const.BIND_RECEIVER | const.BIND_TRANSCEIVER:
            found |= bodies.read_bind(octets)._asdict()
        case const.SUBMIT_SM | const.DELIVER_SM:
            sm = pdu.read_sm(octets, const.V50)
            found |= sm._asdict() | {"short_message": octets[sm.sm_at : sm.tlv_at], "tlv": octets[sm.tlv_at :]}
        case const.DATA_SM:
            data = pdu.read_data_sm(octets)
            found |= data._asdict() | {"tlv": octets[data.tlv_at :]}
        case const.SUBMIT_SM_RESP | const.DELIVER_SM_RESP | const.DATA_SM_RESP:
            found["message_id"] = pdu.read_message_id(octets)
        case const.QUERY_SM_RESP if len(octets) > 16:
            found |= bodies.read_query_sm_resp(octets)._asdict()
        case _:
            pass
    return found


def payload(octets: bytes) -> str:
    """Return a message_payload TLV as a script's tlv= wants it."""
    return tlv.append(const.TAG_MESSAGE_PAYLOAD, octets).hex()
