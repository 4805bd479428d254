"""What one cycle writes, packed for the one statement that writes it.

A `Batch` holds rows as they were when the cycle began: a message that changes again meanwhile is written again by the next
cycle, and a replay after a lost connection sends the very same arguments. Arrays travel as text literals and octets as one
blob with offsets, which halves the cost of packing against lists of objects (asyncpg checks every element of a list).

Never here: a connection, a decision, the meaning of an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from smsgw.model import Duplicate, Effect, Message, Owed
from smsgw.smpp.const import ESME_ROK

DUPLICATE: Final = "duplicate"
FREQUENCY: Final = "frequency"
"""The reason of what a cap refuses; the number of the cap follows it."""
NO_ROWS: Final[tuple[tuple[Any, ...], ...]] = ()

# Columns of each group of arrays, in the order in which cycle() takes them. "t" is text, everything else an integer type.
NEW: Final = "int8 int4 int4 int2 int2 int2 int2 int2 int2 int4 int4 int8 int8 t t int4 int4 int2".split()
QUOTA: Final = "int4 int2 int8 int8 int8 int8 int8".split()
DOUBLE: Final = "int8 int4 t int8".split()
SHORT: Final = "int8 int4 t".split()
HELD: Final = "int8 int4 t int2 int2 int8 t".split()
CAPPED: Final = ["int8"]
CHANGED: Final = "int8 int4 int2 int2 int2 int4 int8 int8 int8 int8 int4 t".split()
OWED: Final = "int8 int4 int8 int2 int4 int4 int8 int4 int4".split()
DONE: Final = ["int8"]
PUT_BACK: Final = "int8 int2 int8 int4".split()
LEASE: Final = "int4 int4".split()
WAIT: Final = "int8 int4 int2 int8 int8 int4".split()
UNWAIT: Final = ["int8"]
CLAIM: Final = "int4 int4".split()
REFER: Final = "int4 int8 t t".split()
PARK: Final = "int8 int4 int4 t int8 int4 int4".split()
UNPARK: Final = ["int8"]

GROUPS: Final = (
    NEW,
    QUOTA,
    DOUBLE,
    SHORT,
    HELD,
    CAPPED,
    CHANGED,
    OWED,
    DONE,
    PUT_BACK,
    LEASE,
    WAIT,
    UNWAIT,
    CLAIM,
    REFER,
    PARK,
    UNPARK,
)
"""The groups in the order of cycle()'s parameters; the reference group has one scalar before it, and that of caps is one array of
rows, because PostgreSQL takes no more than a hundred parameters."""

_FIRST: Final = "$1::int4, $2::int8, $3::int8, $4::int4, $5::int8, $6::int8, $7::bytea"


def statement() -> str:
    """Return the call of cycle() with each parameter's cast: $8 is the moment of writing, the arrays follow."""
    casts = []
    number = 9
    for group in GROUPS:
        arrays = []
        for column in group:
            arrays.append(f"${number}::text::{'text' if column == 't' else column}[]")
            number += 1
        if group is REFER:
            arrays.insert(0, "$8::int8")
        casts.append(", ".join(arrays))
    return f"SELECT cycle({_FIRST}, {', '.join(casts)})"


def quote(text: str) -> str:
    """Return an element of a text array literal. Digits go bare; all else is quoted (a bare NULL would be no text)."""
    if text.isdigit():
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_BRACES: Final = str.maketrans("()", "{}")


def matrix(rows: Sequence[tuple[int, ...]]) -> str:
    """Return the literal of an array of rows of integers; each row has at least two."""
    return "{" + str(list(rows))[1:-1].translate(_BRACES) + "}"


def caps_rows(message: int, caps: Sequence[Any]) -> list[tuple[int, ...]]:
    """Return the rows by which a message is counted for its recipient."""
    return [
        (message, number, cap.key, cap.since, cap.moment, cap.limit, cap.keep_h, int(cap.enforced))
        for number, cap in enumerate(caps)
    ]


def transform_row(message: Message) -> tuple[Any, ...]:
    """Return the row that says what was changed in a message: it travels among those of what is held, with a total of 0."""
    ton, npi = message.ends[0][:2] if message.ends is not None else (-1, 0)
    return (message.id, message.account.id, quote(" ".join(message.transform)), ton, 0, npi, quote(""))


def literals(group: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Iterable[str]:
    """Turn rows into one array literal a column."""
    if not rows:
        return ["{}"] * len(group)
    if group is CAPPED:
        return [matrix(rows)]
    columns = zip(*rows, strict=True)
    if len(rows) == 1:  # the text of a tuple of one ends in a comma
        return [f"{{{column[0]}}}" for column in columns]
    count = len(rows)
    return [
        "{" + ",".join(column) + "}"
        if kind == "t"
        # Most columns of integers say the same in each row of a cycle: one account's messages to one link, all in one state.
        else "{" + (f"{column[0]}," * (count - 1) + f"{column[0]}" if column.count(column[0]) == count else str(column)[1:-1]) + "}"
        for kind, column in zip(group, columns, strict=True)
    ]


class Batch:
    """The rows of one cycle, and what is to be done once they are durable."""

    __slots__ = (
        "capped",
        "changed",
        "changes",
        "claimed",
        "claims",
        "counted",
        "day",
        "done",
        "double",
        "effects",
        "held",
        "leased",
        "leases",
        "low_water",
        "new",
        "news",
        "octets",
        "owed",
        "park",
        "put_back",
        "quota",
        "refer",
        "short",
        "size",
        "started_at",
        "unpark",
        "unwait",
        "wait",
    )

    def __init__(self) -> None:
        """Start empty."""
        self.news: list[tuple[Message, Effect]] = []
        self.changes: list[tuple[Message, list[tuple[Effect | None, Any, Owed | None]] | None]] = []
        self.effects: list[tuple[Effect, Any]] = []
        self.claims: list[Effect] = []
        self.leases: list[Effect] = []
        self.new: list[tuple[Any, ...]] = []
        self.quota: list[tuple[Any, ...]] = []
        self.double: list[tuple[Any, ...]] = []
        self.short: list[tuple[Any, ...]] = []
        self.held: list[tuple[Any, ...]] = []
        self.capped: list[tuple[int, ...]] = []
        self.counted: dict[int, tuple[Any, ...]] = {}
        self.changed: list[tuple[Any, ...]] = []
        self.owed: list[tuple[Any, ...]] = []
        self.done: list[tuple[Any, ...]] = []
        self.put_back: list[tuple[Any, ...]] = []
        self.leased: list[tuple[Any, ...]] = []
        self.wait: list[tuple[Any, ...]] = []
        self.unwait: list[tuple[Any, ...]] = []
        self.claimed: list[tuple[Any, ...]] = []
        self.refer: list[tuple[Any, ...]] = []
        self.park: list[tuple[Any, ...]] = []
        self.unpark: list[tuple[Any, ...]] = []
        self.octets: list[bytes] = []
        self.size = 0
        self.low_water = 0
        self.started_at = 0.0
        self.day = 0

    def blob(self, octets: bytes) -> tuple[int, int]:
        """Add octets to the blob; returns where they start (SQL counts from 1) and how many they are."""
        at, length = self.size + 1, len(octets)
        self.size += length
        self.octets.append(octets)
        return at, length

    def groups(self) -> tuple[list[tuple[Any, ...]], ...]:
        """Return the rows of all groups, in the order of GROUPS."""
        return (
            self.new,
            self.quota,
            self.double,
            self.short,
            self.held,
            self.capped,
            self.changed,
            self.owed,
            self.done,
            self.put_back,
            self.leased,
            self.wait,
            self.unwait,
            self.claimed,
            self.refer,
            self.park,
            self.unpark,
        )

    def arguments(self, head: tuple[int, int, int, int, int, int], written_at: int) -> list[Any]:
        """Return everything that `statement` takes; `head` is node, epoch, sequence, day, low_water and last_ms."""
        arguments: list[Any] = [*head, b"".join(self.octets), written_at]
        for group, rows in zip(GROUPS, self.groups(), strict=True):
            arguments.extend(literals(group, rows))
        return arguments

    def rows_with_effects(self) -> list[tuple[Any, ...]]:
        """Return the rows that `effects` are about, in their order: what is owed to no message of ours, then what is parked."""
        if not self.effects:
            return []
        return self.owed[len(self.owed) + len(self.park) - len(self.effects) :] + self.park

    @property
    def rows(self) -> int:
        """How many rows this cycle writes, for the metrics."""
        return sum(map(len, self.groups()))


def duplicate_of(batch: Batch, first: int, short_id: str) -> Duplicate:
    """Return the verdict of a message that is the same as an earlier one, which may be of the same batch."""
    text_id = short_id.encode() or b"%d" % first
    for message, _ in batch.news:
        if message.id == first:
            text_id = message.text_id
    return Duplicate(ESME_ROK, DUPLICATE, text_id=text_id)


def tell_caps(batch: Batch, answer: dict[str, Any]) -> None:
    """Let each message of a decided batch know the caps that it was over: the one that refused it, or those that did not."""
    full: dict[int, list[int]] = {}
    for key, reason, *more in answer.get("refused", ()):
        if reason == FREQUENCY:
            full[key] = more
    for key, number in answer.get("over", ()):
        full.setdefault(key, []).append(number)
    if full:
        for message, _ in batch.news:
            if message.id in full:
                caps = batch.counted[message.id]
                message.caps = tuple(caps[number] for number in full[message.id])


# ---- when a cycle fails for its data ----------------------------------------------------------------------------------

# The rows of each group that say whose they are: a message's own rows stay together, whatever happens to it.
_KEY: Final = dict.fromkeys(
    ("double", "short", "held", "capped", "owed", "wait", "unwait", "done", "put_back", "park", "unpark"), 0
) | {"refer": 1}


def keys_of(batch: Batch) -> list[int]:
    """Return the ids of messages, of what is owed and of what is parked that the rows of a batch are about."""
    keys: dict[int, None] = {}
    for key, _, _, _ in _entries(batch):
        keys[key] = None
    return list(keys)


def halves_of(batch: Batch) -> list[Batch]:
    """Split a batch in two, by what its rows are about; [] when it is about one thing only. Changes come first, as in a cycle."""
    keys = keys_of(batch)
    if len(keys) < 2:
        return []
    halves = [Batch(), Batch()]
    for half in halves:
        half.octets, half.size, half.started_at, half.day = batch.octets, batch.size, batch.started_at, batch.day
        half.quota = batch.quota
    second = set(keys[len(keys) // 2 :])
    for key, name, row, (effects, effect) in _entries(batch):
        half = halves[key in second]
        getattr(half, name).append(row)
        if effects:
            getattr(half, effects).append(effect)
    return halves


def _entries(batch: Batch) -> Iterable[tuple[int, str, tuple[Any, ...], tuple[str, Any]]]:
    """Go through all rows: (what it is about, its group, the row, (the list its effect is in or "", its effect))."""
    ofs = {row[0] for row in batch.changed}
    for row, effect in zip(batch.changed, batch.changes, strict=True):
        yield row[0], "changed", row, ("changes", effect)
    for row, entry in zip(batch.new, batch.news, strict=True):
        yield row[0], "new", row, ("news", entry)
    loose = dict(zip((row[0] for row in batch.rows_with_effects()), batch.effects, strict=True))
    for name in ("double", "short", "held", "capped", "owed", "wait", "unwait", "refer", "done", "put_back", "park", "unpark"):
        for row in getattr(batch, name):
            key = row[_KEY[name]]
            if name == "owed" and row[2] in ofs:
                key = row[2]
            yield key, name, row, ("effects", loose[key]) if key in loose else ("", None)
    for number, (row, claim) in enumerate(zip(batch.claimed, batch.claims, strict=True), 1):
        yield -number, "claimed", row, ("claims", claim)
    for number, (row, lease) in enumerate(zip(batch.leased, batch.leases, strict=True), 1):
        yield -number, "leased", row, ("leases", lease)
