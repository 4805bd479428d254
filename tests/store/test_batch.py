from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from smsgw.model import State
from smsgw.store.batch import GROUPS, NEW, PARK, REFER, Batch, halves_of, keys_of, literals, quote, statement
from smsgw.store.database import Connection
from smsgw.store.ids import Ids
from smsgw.wire import Clock
from tests.store.work import message

HARD = [
    "",
    "NULL",
    "null",
    "a b",
    'say "hi"',
    "back\\slash",
    '\\"',
    "{curly,comma}",
    "'; DROP TABLE message; --",
    "8613800138000",
    "+86",
    "²",
    "٣",
    "短信 ✓ \U0001f600",
    "\x01\x7f\x80\xff",
    " lead and trail ",
    "line\nfeed\ttab",
]
# PostgreSQL's text holds every character but NUL; a lone surrogate is no character.
TEXT = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]))


async def echo(connection: Connection, texts: list[str]) -> list[str]:
    """Send texts as cycle() gets them, and read back what PostgreSQL understood."""
    (literal,) = literals(["t"], [(quote(text),) for text in texts])
    return list(await connection.fetchval("SELECT $1::text::text[]", literal) or [])


@pytest.mark.parametrize("texts", [HARD, *([text] for text in HARD)], ids=lambda texts: repr(texts)[:20])
async def test_hard_texts_arrive_as_they_are(connection: Connection, texts: list[str]):
    """Empty text, NULL as a word, quotes, backslashes, separators and other alphabets come through, alone and in company."""
    assert await echo(connection, texts) == texts


@given(texts=st.lists(TEXT, min_size=1, max_size=5))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_text_arrives_as_it_is(connection: Connection, texts: list[str]):
    """Whatever a text holds, PostgreSQL reads the same text."""
    assert await echo(connection, texts) == texts


@given(rows=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), TEXT, st.integers(-(2**31), 2**31 - 1)), max_size=5))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_rows_arrive_in_their_columns(connection: Connection, rows: list[tuple[int, str, int]]):
    """Rows of numbers and texts become columns, as many as there are rows, the first and none included."""
    group = ["int8", "t", "int4"]
    columns = list(literals(group, [(big, quote(text), small) for big, text, small in rows]))
    found = await connection.fetch("SELECT * FROM unnest($1::text::int8[], $2::text::text[], $3::text::int4[]) AS r", *columns)
    assert [tuple(row) for row in found] == rows


def test_no_rows_are_empty_arrays():
    """A group without rows is one empty array a column."""
    assert list(literals(PARK, [])) == ["{}"] * len(PARK)


@given(bodies=st.lists(st.binary(max_size=40), max_size=8))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_octets_are_found_by_their_offsets(connection: Connection, bodies: list[bytes]):
    """Where `blob` says octets are, PostgreSQL finds them, empty ones too."""
    batch = Batch()
    places = [batch.blob(body) for body in bodies]
    at, length = literals(["int4", "int4"], places)
    found = await connection.fetch(
        "SELECT substring($1::bytea FROM u.a FOR u.n) AS body FROM unnest($2::text::int4[], $3::text::int4[]) AS u(a, n)",
        b"".join(batch.octets), at, length,
    )  # fmt: skip
    assert [row["body"] for row in found] == bodies


async def test_the_statement_fits_the_function(connection: Connection):
    """The call that is prepared has as many parameters as `arguments` gives, each of a type that the function takes."""
    prepared = await connection.prepare(statement())
    arguments = Batch().arguments((1, 1, 1, 1, 0, 0), 9)
    assert len(prepared.get_parameters()) == len(arguments)
    names = await connection.fetchval("SELECT proargnames FROM pg_proc WHERE proname = 'cycle'")
    assert len(names) == len(arguments)
    at = 8 + sum(len(group) for group in GROUPS[: GROUPS.index(REFER)])
    assert names[7:9] == ["n_id", "n_tenant"]
    assert names[at - 1] == "r_at"  # the one scalar among the arrays: statement() moves it there


def test_groups_are_in_the_order_of_the_statement():
    """`groups` gives one list for each of GROUPS, and `rows` counts them all."""
    batch = Batch()
    for number, rows in enumerate(batch.groups()):
        rows.extend([(0,)] * number)
    assert [len(rows) for rows in batch.groups()] == list(range(len(GROUPS)))
    assert batch.rows == sum(range(len(GROUPS)))
    assert len(NEW) == 18


# ---- halves ---------------------------------------------------------------------------------------------------------


def nothing(*_: Any) -> None:
    """An effect."""


def full() -> Batch:
    """A batch with rows in every group: messages 1 and 2 are new, 3 and 4 have changed, and more of no message."""
    ids = Ids(1, Clock())
    batch = Batch()
    batch.day, batch.started_at, batch.octets, batch.size = 20_000, 1.5, [b"octets"], 6
    for number in (1, 2):
        batch.new.append((number, "new"))
        batch.news.append((message(ids), nothing))
        batch.short.append((number, 1, "short"))
        batch.held.append((number, 1, "key"))
    for number in (3, 4):
        batch.changed.append((number, 0))
        batch.changes.append((message(ids, state=State.SENT), None))
        batch.owed.append((30 + number, 1, number))
        batch.unwait.append((number,))
        batch.refer.append((7, number))
    batch.wait = [(1, 7), (50, 7)]
    batch.owed += [(60, 1, 0), (61, 1, 0)]
    batch.park = [(70, 7), (71, 7)]
    batch.effects = [(nothing, 60), (nothing, 61), (nothing, 70), (nothing, 71)]
    batch.done, batch.put_back, batch.unpark = [(80,), (81,)], [(82, 1), (83, 1)], [(84,), (85,)]
    batch.claimed, batch.claims = [(7, 1), (8, 1)], [nothing, nothing]
    batch.leased, batch.leases = [(1, 1), (2, 1)], [nothing, nothing]
    batch.quota = [(1, 20260301, 5)]
    batch.low_water = 99
    return batch


def leaves(batch: Batch) -> list[Batch]:
    """Halve until nothing can be halved."""
    halves = halves_of(batch)
    return [leaf for half in halves for leaf in leaves(half)] if halves else [batch]


def test_halves_hold_every_row_once():
    """Split to the end, each row and each effect is in exactly one part, but for quotas, which all new messages need."""
    batch = full()
    parts = leaves(batch)
    for name in (
        "new",
        "short",
        "held",
        "changed",
        "owed",
        "wait",
        "unwait",
        "refer",
        "done",
        "put_back",
        "park",
        "unpark",
        "claimed",
        "leased",
    ):
        assert sorted(row for part in parts for row in getattr(part, name)) == sorted(getattr(batch, name)), name
    for name in ("news", "changes", "effects", "claims", "leases"):
        assert sum(len(getattr(part, name)) for part in parts) == len(getattr(batch, name)), name
    assert all(part.quota == batch.quota and part.day == 20_000 and part.size == 6 for part in parts)
    assert all(part.low_water == 0 for part in parts)


def test_halves_keep_what_is_about_one_message():
    """Rows about one message stay together: its change, its receipt, its places; effects stay with their rows."""
    parts = leaves(full())
    (third,) = [part for part in parts if part.changed[:1] == [(3, 0)]]
    assert (third.owed, third.unwait, third.refer, third.effects) == ([(33, 1, 3)], [(3,)], [(7, 3)], [])
    (first,) = [part for part in parts if part.new[:1] == [(1, "new")]]
    assert (first.short, first.wait) == ([(1, 1, "short")], [(1, 7)])
    assert len(first.news) == 1
    for part in parts:
        assert [argument for _, argument in part.effects] == [row[0] for row in part.rows_with_effects()]


def test_halves_are_smaller_and_end():
    """Each half is about fewer things than the whole, and what is about one thing is not halved."""
    batch = full()
    first, second = halves_of(batch)
    assert abs(len(keys_of(first)) - len(keys_of(second))) <= 1
    assert len(leaves(batch)) == len(keys_of(batch))
    assert halves_of(Batch()) == []


def test_changes_are_halved_off_first():
    """Changes come before new messages, as in a cycle: their refunds may pay for what is new."""
    first, second = halves_of(full())
    assert (len(first.changed), len(second.changed)) == (2, 0)
