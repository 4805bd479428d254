"""Held texts: hold(), as cycle() calls it, puts parts to them and tells which are to be judged; verdicts fall on them once."""

from __future__ import annotations

import random
from typing import Any

import pytest

from smsgw.model import State
from smsgw.store import holds
from smsgw.store.batch import quote
from smsgw.store.database import Connection
from smsgw.store.holds import Decision, Fate
from tests.store.cycles import Cycles
from tests.store.work import fund, seat

KEY, OTHER = "0a" * 16, "0b" * 16
DUE = 4_000_000_000_000


class Parts:
    """Puts parts into a store, each in a cycle of its own."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.cycle = Cycles(connection)

    async def put(self, *parts: tuple[int, int, int], key: str = KEY, octets: str = "", due: int = DUE) -> list[int]:
        """Write new messages (number, part, total) in one cycle; returns the texts that are then to be judged."""
        rows = [(number, 1, quote(key), part, total, due, quote(octets or f"{part:032x}")) for number, part, total in parts]
        answer = await self.cycle(new=[self.cycle.new(number, state=State.HELD) for number, _, _ in parts], held=rows)
        found: list[int] = answer.get("held", [])
        return found

    async def text(self, number: int) -> dict[str, Any]:
        """A text's row."""
        return dict(await self.connection.fetchrow("SELECT * FROM held_text WHERE id = $1", number))


@pytest.fixture
async def parts(connection: Connection) -> Parts:
    """A tenant with some units, and a node."""
    await fund(connection, 1_000)
    await seat(connection)
    return Parts(connection)


async def test_the_last_part_makes_a_text_whole(parts: Parts):
    """Parts come in any order and in any cycle; the one that makes the text whole has it judged, once."""
    assert await parts.put((1, 3, 3)) == []
    assert await parts.put((2, 1, 3), due=5) == []
    assert await parts.put((3, 2, 3)) == [1]
    text = await parts.text(1)
    assert (text["parts"], text["complete"], text["joins"], text["state"]) == (3, True, False, 0)


async def test_all_parts_in_one_cycle(parts: Parts):
    """A text may be whole within one cycle; another with another key is another text."""
    assert await parts.put((1, 1, 2), (2, 2, 2)) == [1]
    assert await parts.put((3, 1, 2), key=OTHER) == []


async def test_a_reference_is_used_again(parts: Parts):
    """What comes after a text was whole begins another one, though it has the same key."""
    assert await parts.put((1, 1, 2), (2, 2, 2)) == [1]
    assert await parts.put((3, 1, 2)) == []
    assert await parts.put((4, 2, 2)) == [3]


async def test_a_part_that_comes_again(parts: Parts):
    """The same octets again change nothing; others contradict, and have the text judged at once."""
    assert await parts.put((1, 1, 2)) == []
    assert await parts.put((2, 1, 2)) == []
    assert not (await parts.text(1))["conflict"]
    assert await parts.put((3, 1, 2), octets=OTHER) == [1]
    assert (await parts.text(1))["conflict"]


async def test_a_late_part_is_judged_with_its_text(parts: Parts):
    """A part that was missing when the verdict fell belongs to its text; one that was there begins another."""
    await parts.put((1, 1, 2))
    await parts.connection.execute("UPDATE held_text SET state = 3, done = true, due_ms = 0")
    assert await parts.put((2, 2, 2)) == [1]
    text = await parts.text(1)
    assert not text["done"]
    assert text["due_ms"] > 0
    assert await parts.put((3, 1, 2)) == []
    assert (await parts.text(3))["parts"] == 1


async def test_the_first_deadline_counts(parts: Parts):
    """A text is looked at when the time of the first of its parts is over."""
    await parts.put((1, 1, 3), due=500)
    await parts.put((2, 2, 3), due=300)
    await parts.put((3, 2, 3), due=400)
    assert (await parts.text(1))["due_ms"] == 300


async def test_what_was_refused_is_not_held(parts: Parts):
    """A message that its balance does not pay for is no part of anything."""
    await parts.connection.execute("UPDATE balance SET amount = 0, credit_limit = 0")
    await parts.connection.execute("UPDATE held_text SET state = 3")
    assert await parts.put((1, 1, 1), key="") == []
    assert await parts.connection.fetchval("SELECT count(*) FROM held_part") == 0


async def test_a_message_by_itself(parts: Parts):
    """A message that is no part of a long one is a text of its own, and judged at once."""
    assert await parts.put((1, 1, 1), (2, 1, 1), key="") == [1, 2]


@pytest.mark.parametrize("seed", range(4))
async def test_how_parts_are_spread_over_cycles_changes_nothing(parts: Parts, seed: int):
    """Parts that come twice, contradict, complete a text, begin another with its key: the same texts in one cycle or in many."""
    chance = random.Random(seed)
    came = [(chance.choice("ab"), chance.randint(1, 3), chance.random() < 0.2) for _ in range(24)]
    found = []
    for cycles in (1, 4, len(came)):
        await parts.connection.execute(
            "TRUNCATE held_text, held_part, message, content, commit_token; UPDATE balance SET amount = 1000"
        )
        size = -(-len(came) // cycles)
        for first in range(0, len(came), size):
            numbered = list(enumerate(came, 1))[first : first + size]
            rows = [
                (number, 1, quote(key * 32), part, 3, DUE + number, quote(f"{part + 7 * other:032x}"))
                for number, (key, part, other) in numbered
            ]
            await parts.cycle(new=[parts.cycle.new(number, state=State.HELD) for number, _ in numbered], held=rows)
        texts = await parts.connection.fetch(
            "SELECT id, key, parts, numbers, complete, conflict, joins, (SELECT array_agg(message ORDER BY message) FROM held_part"
            " WHERE text = h.id) AS messages FROM held_text h ORDER BY id"
        )
        found.append([tuple(row) for row in texts])
    assert found[0] == found[1] == found[2]
    assert sum(row[2] for row in found[0]) == len(came)


async def test_a_late_part_and_one_more_after_it(parts: Parts):
    """Two parts that were missing when the verdict fell come in one cycle: both belong to the text, which is judged once more."""
    await parts.put((1, 1, 4))
    await parts.connection.execute("UPDATE held_text SET state = 2, judged = 1, done = true, due_ms = 0")
    assert await parts.put((2, 2, 4), (3, 4, 4)) == [1]
    text = await parts.text(1)
    assert (text["parts"], text["complete"], text["joins"], text["done"]) == (3, False, True, False)


# ---- verdicts -------------------------------------------------------------------------------------------------------


async def test_a_verdict_falls_once_and_on_what_was_judged(parts: Parts):
    """Of two decisions one falls; none does when a part has come since the text was read."""
    await parts.put((1, 1, 3))
    (text,) = await holds.load(parts.connection, [1])
    assert (text.fate, text.seen, text.parts) == (Fate.OPEN, 1, [(1, 1)])
    await parts.put((2, 2, 3))
    assert await holds.decide(parts.connection, [Decision(text, Fate.REFUSED, 5)]) == set()
    (text,) = await holds.load(parts.connection, [1])
    decision = Decision(text, Fate.REFUSED, 5, 6, error=7, reason="content", rule="set@1:terms.x")
    assert await holds.decide(parts.connection, [decision]) == {1}
    assert await holds.decide(parts.connection, [decision]) == set()
    (text,) = await holds.load(parts.connection, [1])
    assert (text.fate, text.judged, text.error, text.reason, text.rule) == (Fate.REFUSED, 2, 7, "content", "set@1:terms.x")


async def test_due_texts_are_taken_once(parts: Parts):
    """Whoever takes a text that is due has it for a while."""
    await parts.put((1, 1, 2), due=5)
    assert await holds.due(parts.connection, 60.0, 10) == [1]
    assert await holds.due(parts.connection, 60.0, 10) == []
    assert await holds.of_messages(parts.connection, [1, 9]) == [1]


async def test_what_is_done_is_forgotten_in_time(parts: Parts):
    """A decided text is done once its messages are, and goes when no late part is waited for; one with a new part is not done."""
    await parts.put((1, 1, 2))
    (text,) = await holds.load(parts.connection, [1])
    await holds.decide(parts.connection, [Decision(text, Fate.REFUSED, 5, 6)])
    await holds.done(parts.connection, [(1, 2)])
    assert await holds.forget(parts.connection, 10) == 0
    await holds.done(parts.connection, [(1, 1)])
    assert await holds.forget(parts.connection, 10) == 1
    assert await parts.connection.fetchval("SELECT count(*) FROM held_part") == 0


async def test_what_is_held_is_counted_by_account(parts: Parts):
    """Open texts, those in review, those that wait for their hours, and the age of the oldest; what is decided is not counted."""

    async def counted() -> set[tuple[int, str, int, int]]:
        found = await holds.counts(parts.connection)
        assert all(0 <= one.age_s < 60 for one in found)
        return {(one.account, one.kind, one.texts, one.messages) for one in found}

    await parts.put((1, 1, 3), (2, 2, 3))
    await parts.put((3, 1, 3), key=OTHER)
    (text,) = await holds.load(parts.connection, [3])
    await holds.decide(parts.connection, [Decision(text, Fate.OPEN, DUE, deferred=True)])
    assert await counted() == {(1, "parts", 1, 2), (1, "deferred", 1, 1)}
    (text,) = await holds.load(parts.connection, [3])
    assert text.waits
    await holds.decide(parts.connection, [Decision(text, Fate.REVIEW, DUE)])
    assert await counted() == {(1, "parts", 1, 2), (1, "review", 1, 1)}
    assert [row["id"] for row in await holds.reviews(parts.connection)] == [3]
    assert await holds.review(parts.connection, 1) is None
    assert await holds.settle(parts.connection, 3, Fate.RELEASED, actor="ann")
    assert not await holds.settle(parts.connection, 3, Fate.REFUSED, actor="bob")
    assert await counted() == {(1, "parts", 1, 2)}
