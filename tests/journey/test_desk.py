"""The desk: record lines that say what happened and nothing private, accounts of old messages."""

from __future__ import annotations

from typing import Any

from smsgw.directory import Directory
from smsgw.journey.desk import Desk
from smsgw.model import Account, Message, Provisioned, State, Tenant
from smsgw.receipts.matching import Transit
from smsgw.telemetry import Meters, Record
from smsgw.wire import Clock
from tests.builds import plain_only

ACME = Tenant(1, "acme", "CNY")
ACCOUNT = Account(1, "acme1", ACME)


class Kept:
    """Takes records as the record log does."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, record: Record) -> None:
        """Keep it."""
        self.records.append(record)


def desk(kept: Kept | None, records_of: str = "all") -> Desk:
    """Make a desk with one account and no unit of work."""
    directory = Directory(Provisioned(version=1, tenants=(ACME,), accounts=(ACCOUNT,)))
    nothing: Any = None
    log: Any = kept
    return Desk(nothing, Transit(), nothing, Clock(), directory, Meters(), log, records_of=records_of)


def message(state: State, error: int = 0) -> Message:
    """Make a message that has come to its end."""
    made = Message(
        id=1 << 30, account=ACCOUNT, source="10690001", destination="8613800138000", body=b"private", state=state,
        price=38_000, error=error, accepted_at=100.0, sent_at=100.5, done_at=101.0,
    )  # fmt: skip
    made.answered_at = 100.25
    return made


@plain_only
def test_a_record_tells_the_life_and_hides_the_numbers():
    """One line has ids, state, price and times in milliseconds; numbers are masked and content is nowhere."""
    kept = Kept()
    desk(kept).record_final(message(State.DELIVERED))
    (record,) = kept.records
    assert (record.record, record.tenant, record.account, record.state) == ("final", "acme", "acme1", "DELIVERED")
    assert (record.destination, record.price) == ("8613****8000", 38_000)
    assert (record.commit_ms, record.sent_ms, record.final_ms) == (250, 500, 1000)
    assert "private" not in repr(record)


@plain_only
def test_errors_only_leaves_out_what_went_well():
    """With log.messages = "errors" a delivered message has no line, a failed one has."""
    kept = Kept()
    made = desk(kept, "errors")
    made.record_final(message(State.DELIVERED))
    made.record_final(message(State.FAILED, 5))
    assert [record.state for record in kept.records] == ["FAILED"]


@plain_only
def test_what_is_refused_at_the_door_has_no_state():
    """A refused message was never in one: its record line has none."""
    kept = Kept()
    desk(kept).record_refused(message(State.QUEUED), 8, "rate")
    assert [(record.record, record.state, record.reason) for record in kept.records] == [("refused", "", "rate")]


@plain_only
def test_none_records_nothing():
    """With log.messages = "none" there is no line at all, refusals included."""
    kept = Kept()
    made = desk(kept, "none")
    made.record_final(message(State.FAILED, 5))
    made.record_refused(message(State.QUEUED), 8, "rate")
    assert kept.records == []
    assert not made.records_refusals


@plain_only
def test_a_message_of_a_deleted_account_still_has_one():
    """Rows outlive accounts: a stand-in with the row's ids takes its place."""
    made = desk(None)
    assert made.account_of(1, 1) is ACCOUNT
    stand_in = made.account_of(9, 4)
    assert (stand_in.id, stand_in.tenant.id, stand_in.system_id) == (9, 4, "")
    assert made.link_name(3) == ""


@plain_only
def test_what_a_deleted_account_is_owed_is_sealed():
    """Its content may have been, and nobody knows any more."""
    made = desk(None)
    assert (made.seals(1), made.account_of(1, 1).sealed) == (False, False)
    assert (made.seals(9), made.account_of(9, 4).sealed) == (True, True)
