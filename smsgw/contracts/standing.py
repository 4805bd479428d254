"""How contracts and accounts stand, and which moves there are: a table, and two pure functions over it.

The ladder of measures is warn (which changes nothing) → limited → frozen → closed. Beside it stand what money brings
(suspended_arrears) and the way out (closing: it sends what the balance still pays, then it is closed).

    from, to           active  limited  closing  suspended_arrears  frozen  closed
    active             -       a        p        a                  a       -
    limited            p       p        p        a                  a       -
    closing            p       -        p        -                  p       a
    suspended_arrears  a       p        p        p                  a       p
    frozen             p       p        p        p                  p       p
    closed             -       -        -        -                  -       -

p: a person alone may; a: so may smsgw itself (actor `smsgw`). Only a person ends a contract: smsgw closes nothing but what a
person had set to closing, by a command or by a term that says that closing follows its end. Closed is for good; who comes back
comes as another tenant. From a state to itself a person changes its rate, its end or its reason.

A decision with an end gives way to those under it that are milder and not over yet. smsgw may lift a suspension for
arrears whose cause was money. What the calendar brought nobody lifts by a state, but by other dates.

Never here: the store, what a state does to a submit (`smsgw.policy.standing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from smsgw.model import Standing
from smsgw.store.standing import Decision

AUTOMATIC: Final = "smsgw"
"""The actor of what nobody decided."""
TERM_NOT_BEGUN: Final = "term_not_begun"
TERM_OVER: Final = "term_over"
VERIFICATION_OVER: Final = "verification_over"
NOT_MONEY: Final = frozenset({TERM_NOT_BEGUN, TERM_OVER, VERIFICATION_OVER})
"""Reasons that the calendar brought: they last until the dates are changed."""
RENEWED: Final = "term_renewed"
"""The reason with which such a state is lifted, by whoever, or whatever, changed the dates."""

_ACTIVE, _LIMITED, _CLOSING = Standing.ACTIVE, Standing.LIMITED, Standing.CLOSING
_SUSPENDED, _FROZEN, _CLOSED = Standing.SUSPENDED_ARREARS, Standing.FROZEN, Standing.CLOSED

BY_PERSON: Final[Mapping[Standing, frozenset[Standing]]] = {
    _ACTIVE: frozenset({_LIMITED, _CLOSING, _SUSPENDED, _FROZEN}),
    _LIMITED: frozenset({_ACTIVE, _LIMITED, _CLOSING, _SUSPENDED, _FROZEN}),
    _CLOSING: frozenset({_ACTIVE, _CLOSING, _FROZEN, _CLOSED}),
    _SUSPENDED: frozenset({_ACTIVE, _LIMITED, _CLOSING, _SUSPENDED, _FROZEN, _CLOSED}),
    _FROZEN: frozenset({_ACTIVE, _LIMITED, _CLOSING, _SUSPENDED, _FROZEN, _CLOSED}),
    _CLOSED: frozenset(),
}
AUTOMATICALLY: Final[Mapping[Standing, frozenset[Standing]]] = {
    _ACTIVE: frozenset({_LIMITED, _SUSPENDED, _FROZEN}),
    _LIMITED: frozenset({_SUSPENDED, _FROZEN}),
    _CLOSING: frozenset({_CLOSED}),
    _SUSPENDED: frozenset({_ACTIVE, _FROZEN}),
    _FROZEN: frozenset(),
    _CLOSED: frozenset(),
}


class NotAllowed(Exception):
    """A move that is not in the table, or a state that lacks what it needs; the text says what to do instead."""


def decide(present: Decision, wanted: Decision) -> Decision:
    """Return the decision that follows when `wanted` is taken over `present`. Raises NotAllowed.

    A person who says active means it; smsgw only lifts what money had brought, and what lies under it holds again.
    """
    _check_parameters(wanted)
    automatic = wanted.actor == AUTOMATIC
    was, shall = present.standing, wanted.standing
    table = AUTOMATICALLY if automatic else BY_PERSON
    renewed = shall is _ACTIVE and wanted.reason == RENEWED and present.reason in NOT_MONEY
    run_out = automatic and shall is _CLOSING and wanted.reason == TERM_OVER and was in {_ACTIVE, _LIMITED}
    if shall not in table[was] and not renewed and not run_out:
        raise NotAllowed(_why_not(was, shall, automatic=automatic))
    if shall is _ACTIVE:
        if present.reason in NOT_MONEY and not renewed:
            raise NotAllowed(f"it came by {present.reason}: new dates lift it (smsgw tenant term)")
        return _uncovered(present.under, wanted) if automatic or renewed else wanted
    under = present.under if was is _ACTIVE else (replace(present, under=()), *present.under)
    return replace(wanted, under=tuple(one for one in under if one.standing < shall))


def after(present: Decision, now: datetime) -> Decision:
    """Return what holds once `present` is over: the strictest under it that is not over too, or active."""
    over = Decision(_ACTIVE, "expired", AUTOMATIC, since=now)
    return _uncovered(tuple(one for one in present.under if one.until is None or one.until > now), over)


def _uncovered(under: tuple[Decision, ...], otherwise: Decision) -> Decision:
    return replace(under[0], under=under[1:]) if under else otherwise


def _check_parameters(wanted: Decision) -> None:
    standing, word = wanted.standing, wanted.standing.name.lower()
    if standing is _LIMITED and wanted.rate <= 0:
        raise NotAllowed("limited needs a rate of at least 1 part per second")
    if standing is not _LIMITED and wanted.rate:
        raise NotAllowed(f"{word} has no rate: only limited has one")
    if wanted.until is not None:
        if standing in {_ACTIVE, _CLOSING, _CLOSED}:
            raise NotAllowed(f"{word} has no end")
        if wanted.until <= wanted.since:
            raise NotAllowed("its end is over already")


def _why_not(was: Standing, shall: Standing, *, automatic: bool) -> str:
    here, there = was.name.lower(), shall.name.lower()
    if was is _CLOSED:
        return "it is closed, for good: who comes back comes as another tenant or account"
    if was is shall:
        return f"it is {here} already"
    if shall is _CLOSED and was in {_ACTIVE, _LIMITED}:
        return f"from {here} it may not be closed at once: freeze it or set it to closing first"
    if automatic and shall in BY_PERSON[was]:
        return f"from {here} to {there} a person has to decide"
    return f"there is no way from {here} to {there}"
