"""What was applied last, what the file says, what is live: each line of the table, without a store."""

from __future__ import annotations

from smsgw.admin.three_way import plan
from smsgw.store.provisioning import Entities, Key

ROUTE: Key = ("route", "86")
A: Entities = {ROUTE: {"links": ["a"]}}
B: Entities = {ROUTE: {"links": ["b"]}}
C: Entities = {ROUTE: {"links": ["c"]}}


def test_what_nobody_else_touched_is_changed():
    """From what is live to what the file says, and back to nothing where the file has it no more."""
    assert [str(one) for one in plan(A, B, A).changes] == ["~ route '86'  links a → b"]
    assert [str(one) for one in plan(A, {}, A).changes] == ["- route '86'"]
    assert [str(one) for one in plan({}, B, {}).changes] == ["+ route '86'  links b"]


def test_what_others_did_is_a_conflict_unless_overwritten():
    """Changed, made or deleted by somebody else: nothing of it is planned; with overwrite the file's word is."""
    for last, live, why in ((A, C, "changed"), ({}, C, "made"), (A, {}, "deleted")):
        refused = plan(last, B, live)
        assert (refused.changes, [why in one.why for one in refused.conflicts]) == ((), [True])
        assert [one.new for one in plan(last, B, live, overwrite=True).changes] == [B[ROUTE]]


def test_what_no_file_created_is_left_alone():
    """It was there before a file named it: that the file names it no more deletes nothing, and a note says so."""
    made = plan(A, {}, A, found={ROUTE})
    assert (made.empty, len(made.notes)) == (True, 1)


def test_what_is_needed_is_not_deleted():
    """Something that stays still refers to it: a final conflict, as is an account under another tenant."""
    live: Entities = {("carrier", "alpha"): {}, ("link", "a"): {"carrier": "alpha"}}
    (needed,) = plan({("carrier", "alpha"): {}}, {}, live).conflicts
    assert (needed.key, needed.final, "link 'a'" in needed.why) == (("carrier", "alpha"), True, True)
    before: Entities = {("account", "a1"): {"tenant": "acme"}}
    (refused,) = plan(before, {("account", "a1"): {"tenant": "zeta"}}, before).conflicts
    assert (refused.final, "acme" in refused.why) == (True, True)


def test_what_is_referred_to_is_made_first_and_deleted_last():
    """A link's carrier comes before the link, and goes after it."""
    both: Entities = {("link", "a"): {"carrier": "alpha"}, ("carrier", "alpha"): {}}
    assert [one.key[0] for one in plan({}, both, {}).changes] == ["carrier", "link"]
    assert [one.key[0] for one in plan(both, {}, both).changes] == ["link", "carrier"]


def test_agreement_is_no_conflict():
    """When everybody made the same change there is nothing to do."""
    made: Entities = {("carrier", "alpha"): {}}
    assert plan({}, made, made).empty
    assert plan({}, made, made, overwrite=True).empty
