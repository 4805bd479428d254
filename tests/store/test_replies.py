"""Answers in the store: messages that wait, one a recipient and number in a time, and none for what changes nothing."""

from __future__ import annotations

from smsgw.model import State
from smsgw.store import invariants, marks, messages, replies
from smsgw.store.database import Connection
from tests.store.test_marks import OUT, setting
from tests.store.test_messages import account_of
from tests.store.work import fund, seat

YEAR = 31_536_000_000 << 22


def answer(message: int, means: str = "refuse", number: int = 5, service: str = "10690001", **fields: object) -> replies.Answer:
    """An answer to the MO message 17."""
    made = replies.Answer(message, 1, 1, 7, 0, 4_000_000_000_000, service, "8613800138000", b"body", number, service, means, "17")
    return made._replace(**fields)  # type: ignore[arg-type]


async def put(connection: Connection, *answers: replies.Answer, since: int = 0, marked: int = 0) -> set[int] | None:
    """Store answers in a transaction, with a mark of this number."""
    async with connection.transaction():
        await marks.lock(connection)
        if marked:
            codes = await marks.codes_of(connection, [OUT])
            await marks.put(connection, [setting(marked, codes[OUT])])
        return await replies.put(connection, answers, since)


async def test_an_answer_is_a_message_that_waits_for_its_link(connection: Connection):
    """It has a row, content and a place, no price and no debit; read back it says what it answers; the books hold."""
    await fund(connection, 100)
    await seat(connection)
    assert await put(connection) == set()
    assert await put(connection, answer(YEAR), answer(YEAR + 1, "help", 6, destination="86139")) == {YEAR, YEAR + 1}
    waiting = await connection.fetch("SELECT id, link, node, state FROM waiting ORDER BY id")
    assert waiting == [(YEAR, 7, 0, State.QUEUED), (YEAR + 1, 7, 0, State.QUEUED)]
    first, second = await messages.load(connection, [YEAR, YEAR + 1], account_of)
    assert (first.reply, first.body, first.price, first.registered, first.source) == ("refuse", b"body", 0, 0, "10690001")
    assert (second.reply, second.destination, second.state) == ("help", "86139", State.QUEUED)
    assert first.resends > first.account.max_resends
    assert await connection.fetchval("SELECT amount FROM balance") == 100
    assert await invariants.check(connection) == []


async def test_one_answer_a_recipient_and_number_in_a_time(connection: Connection):
    """Until the last one is old enough nothing else is answered; other recipients and other numbers are."""
    await put(connection, answer(YEAR), marked=5)
    assert await put(connection, answer(YEAR + 1, "help")) == set()
    assert await put(connection, answer(YEAR + 2, "help", 6)) == {YEAR + 2}
    assert await put(connection, answer(YEAR + 3, "help", service="1069000188")) == {YEAR + 3}
    assert await put(connection, answer(YEAR + 4, "help"), since=YEAR) == set()
    assert await put(connection, answer(YEAR + 5, "help"), since=YEAR + 1) == {YEAR + 5}
    assert await put(connection, answer(YEAR + 6, "help"), since=YEAR + 6) == {YEAR + 6}


async def test_what_changes_nothing_is_not_confirmed_again(connection: Connection):
    """The same keyword once more, however late, is confirmed only where it has changed a mark, or something else came between."""
    assert await put(connection, answer(YEAR), marked=5) == {YEAR}
    assert await put(connection, answer(YEAR + 1, reference="18"), since=2 * YEAR, marked=5) == set()
    assert await put(connection, answer(YEAR + 2, reference="17"), since=2 * YEAR) == {YEAR + 2}
    assert await put(connection, answer(YEAR + 3, "resume"), since=2 * YEAR) == {YEAR + 3}
    assert await put(connection, answer(YEAR + 4, reference="18"), since=2 * YEAR) == {YEAR + 4}


async def test_nonsense_costs_no_mark(connection: Connection):
    """What the store cannot take is not there, and the mark of the same transaction is."""
    assert await put(connection, answer(YEAR, body=None), marked=5) is None
    assert await connection.fetchval("SELECT count(*) FROM mark") == 1
    assert await connection.fetchval("SELECT count(*) FROM reply_last") == 0
