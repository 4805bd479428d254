"""Malformed PDUs on a session that behaves otherwise: each costs one answer, none the session."""

from __future__ import annotations

import random
from pathlib import Path

from smsgw.smpp import const, pdu
from tests.hostile.town import town
from tests.mutants import good_pdus
from tests.peers import Esme

RESPONSES = 0x80000000


def cut(dice: random.Random) -> list[tuple[int, bytes]]:
    """Requests of every kind but unbind and binds, each with a body that is cut, torn or swollen: command, body."""
    made = []
    for octets in good_pdus():
        command, body = int.from_bytes(octets[4:8], "big"), octets[16:]
        if command & RESPONSES or command in {const.UNBIND, const.OUTBIND, const.ALERT_NOTIFICATION} or not body:
            continue
        made += [(command, body[:at]) for at in (0, 1, len(body) // 2, len(body) - 1)]
        made += [(command, body + dice.randbytes(3)), (command, b"\xff" * 300), (command, bytes(dice.randbytes(80)))]
    return made


async def test_malformed_requests_cost_an_answer_each(database: str, tmp_path: Path):
    """Every torn request on a bound session is answered, with its sequence number; good submits between them are taken."""
    dice = random.Random(34)
    async with town(database, tmp_path) as place, await Esme.connect(place.gateway.port) as esme:
        assert (await esme.bind("evil", "evil")).status == const.ESME_ROK
        for number, (command, body) in enumerate(cut(dice)):
            answer = await esme.ask(command, body)
            assert answer.command in {command | RESPONSES, const.GENERIC_NACK}
            if number % 20 == 0:
                assert (await esme.submit()).status == const.ESME_ROK
        assert not esme.ended.is_set()
        assert (await esme.ask(const.UNBIND)).status == const.ESME_ROK


async def test_answers_to_nothing_are_ignored(database: str, tmp_path: Path):
    """Responses that nobody asked for, with any body and any status, are dropped without a word; the session goes on."""
    async with town(database, tmp_path) as place, await Esme.connect(place.gateway.port) as esme:
        assert (await esme.bind("evil", "evil")).status == const.ESME_ROK
        for octets in good_pdus():
            command = int.from_bytes(octets[4:8], "big")
            if command & RESPONSES:
                esme.send_raw(pdu.encode(command, 0x45, 0x7FFFFFFF, octets[16:] + b"\xff"))
                esme.send_raw(pdu.encode(command, 0, 0, b""))
        before = len(esme.responses)
        assert (await esme.submit()).status == const.ESME_ROK
        assert len(esme.responses) == before + 1
