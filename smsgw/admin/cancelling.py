"""Messages that were accepted and are not to be sent: counted, cancelled by a filter, and what came of it.

A cancellation is one row: the running gateways find it within a second and end what they hold (journey/cancel), and where none runs
the next one to start does. What is with a carrier cannot be called back: the answer says how many that were.

Must never: touch a message; show a whole number; cancel everything because nothing was said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from smsgw.admin.reasons import LONGEST_REASON
from smsgw.admin.standing import NotAllowed, NotFound
from smsgw.billing.tariff import format_money
from smsgw.store import cancels
from smsgw.store.cancels import Filter
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at
from smsgw.store.provisioning import audit

KIND: Final = "cancellation"
SINCE_S: Final = 3 * 86_400
"""How far back a filter looks that does not say."""

MASKED: Final = ("prefix", "number", "source")
_RESULT: Final = ("tenant", "account", "messages", "parts", "refund", "currency", "in_doubt", "out")


class Meant(msgspec.Struct, frozen=True):
    """Which messages, by names; all that is given has to hold. `prefix`, `number`: of the recipient; `rule`: what it met."""

    account: str = ""
    tenant: str = ""
    link: str = ""
    prefix: str = ""
    number: str = ""
    source: str = ""
    rule: str = ""

    def given(self) -> dict[str, str]:
        """Return what is given of it."""
        return {name: value for name in Meant.__struct_fields__ if (value := getattr(self, name))}


class Wanted(Meant, frozen=True):
    """What somebody wants cancelled: something but the times is given.

    `since_s`: accepted at most so long ago; `until_s`: and at least so long.
    """

    since_s: float = SINCE_S
    until_s: float = 0.0


async def preview(connection: Connection, wanted: Wanted) -> list[dict[str, Any]]:
    """Count what would be cancelled, by account, and change nothing. Raises NotFound, ValueError."""
    return _readable(await cancels.preview(connection, await _filter(connection, wanted)))


async def cancel(connection: Connection, wanted: Wanted, *, actor: str, reason: str, most: int) -> tuple[int, list[dict[str, Any]]]:
    """Have messages cancelled; returns the cancellation's number and its preview. Raises NotFound, NotAllowed, ValueError.

    It means what was accepted until now, also where that comes to light later. `most`: so many are carried out at a time, because
    every node looks through its messages once for each (`limits.cancellations`).
    """
    if not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise ValueError(f"a cancellation needs a reason: one line of at most {LONGEST_REASON} characters")
    async with connection.transaction():
        await cancels.lock(connection)
        if await cancels.count_open(connection) >= most:
            raise NotAllowed(
                f"{most} cancellations are being carried out: wait until some are done (smsgw cancel list), or raise"
                " limits.cancellations"
            )
        meant = await _filter(connection, wanted)
        rows = _readable(await cancels.preview(connection, meant))
        number = await cancels.ask(connection, meant, actor, reason)
        said = {**_said(wanted, meant.masked()), "messages": sum(row["messages"] for row in rows)}
        await audit(connection, actor, (KIND, str(number)), None, said, reason)
    return number, rows


async def listed(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """Return the newest cancellations: what each meant, by whom and why, and its sums once it is done."""
    return [_summary(row) for row in await cancels.newest(connection, limit)]


async def result(connection: Connection, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return one cancellation and, once it is done, what came of it by account. Raises NotFound."""
    rows = await cancels.newest(connection, 1, number)
    if not rows:
        raise NotFound(f"there is no cancellation {number} (smsgw cancel list)")
    return _summary(rows[0]), _readable([{key: one[key] for key in _RESULT} for one in rows[0]["result"]])


async def _filter(connection: Connection, wanted: Wanted) -> Filter:
    """Return what is wanted as the store has it. Raises NotFound for an unknown name, ValueError for what means nothing."""
    if not wanted.given():
        raise ValueError("say which messages: of an account, tenant, link, recipient (prefix or number), sender or rule")
    prefix, number = (_digits(word, text) for word, text in (("prefix", wanted.prefix), ("number", wanted.number)))
    if not wanted.since_s > wanted.until_s >= 0:
        raise ValueError("they were accepted between two times: since has to be before until")
    ids = await cancels.ids_of(connection, wanted.tenant, wanted.account, wanted.link)
    for what, name, found in zip(("tenant", "account", "link"), (wanted.tenant, wanted.account, wanted.link), ids, strict=True):
        if found is None:
            raise NotFound(f"there is no {what} {name!r}")
    now = await cancels.now(connection)
    return Filter(
        since_id=least_id_at(now - wanted.since_s),
        until_id=least_id_at(now - wanted.until_s + 0.001),
        tenant=ids[0] or 0,
        account=ids[1] or 0,
        link=ids[2] or 0,
        prefix=prefix,
        number=number,
        source=wanted.source,
        rule=wanted.rule,
    )


def _digits(word: str, text: str) -> str:
    """Return a number, or the beginning of one, without + and 0 in front. Raises ValueError for what is none."""
    digits = text.lstrip("+0")
    if text and not (digits and digits.isascii() and digits.isdecimal() and len(digits) <= 20):
        raise ValueError(
            f"the {word} is no {'number' if word == 'number' else 'beginning of a number'}: digits, with the country's"
        )
    return digits


def _said(wanted: Meant, masked: Filter) -> dict[str, Any]:
    """Return a filter in words, with masked numbers."""
    return {key: getattr(masked, key) if key in MASKED else value for key, value in wanted.given().items()}


def _summary(row: Mapping[str, Any]) -> dict[str, Any]:
    meant: Filter = row["filter"]
    told = {key: getattr(meant, key) for key in (*MASKED, "rule")}
    names = Meant(account=row["account"] or "", tenant=row["tenant"] or "", link=row["link"] or "", **told)
    of = _said(names, meant.masked() if row["done_at"] is None else meant)
    sums = {key: sum(one[key] for one in row["result"]) for key in ("messages", "parts", "in_doubt", "out")}
    return {
        "id": row["id"],
        "state": "open" if row["done_at"] is None else "done",
        "of": " ".join(f"{key}={value}" for key, value in of.items()),
        "taken": row["taken"],
        **sums,
        "at": row["at"],
        "done": row["done_at"],
        "actor": row["actor"],
        "reason": row["reason"],
    }


def _readable(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "refund": format_money(row["refund"])} for row in rows]
