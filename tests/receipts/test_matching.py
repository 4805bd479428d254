"""Transit: which message is meant, and the low water."""

from __future__ import annotations

from smsgw.model import Account, Message, State, Tenant
from smsgw.receipts.matching import Transit
from smsgw.smpp.pdu import sm_body

ACCOUNT = Account(1, "acme1", Tenant(1, "acme", "CNY"))


def message(number: int, link: int = 1, upstream_id: str = "") -> Message:
    """Make a message that was sent on a link."""
    return Message(id=number, account=ACCOUNT, source="1", destination="2", body=b"", link=link, upstream_id=upstream_id)


def test_a_sent_message_is_found_by_link_and_id():
    """The same id at two carriers means two messages."""
    transit = Transit()
    one, other = message(1, 1, "x"), message(2, 2, "x")
    for sent in (one, other):
        transit.enter(sent)
        transit.sent(sent)
    assert transit.find(1, "x") is one
    assert transit.find(2, "x") is other
    assert transit.find(3, "x") is None


def test_an_id_given_again_means_the_newer_message():
    """A carrier reuses an id: the newer message is meant, and the older one's leaving does not forget it."""
    transit = Transit()
    old, new = message(1, 1, "x"), message(2, 1, "x")
    for sent in (old, new):
        transit.enter(sent)
        transit.sent(sent)
    transit.leave(old)
    assert transit.find(1, "x") is new


def test_no_id_matches_nothing():
    """A carrier that gives no id gets no receipt matched by it."""
    transit = Transit()
    sent = message(1)
    transit.enter(sent)
    transit.sent(sent)
    assert transit.find(1, "") is None


def test_the_low_water_is_the_oldest_open_id():
    """Recovery starts at the least id that is open here; with none there is none."""
    transit = Transit()
    assert transit.low_water() == 0
    messages = [message(number) for number in (5, 6, 7)]
    for entered in messages:
        transit.enter(entered)
    transit.leave(messages[0])
    assert transit.low_water() == 6
    assert [entered.id for entered in transit.oldest()] == [6, 7]
    assert len(transit) == 2


def test_of_reused_ids_the_newest_to_the_address_is_meant():
    """Messages of one id are told apart by where they went, with and without + and 0; each is forgotten by itself."""
    transit = Transit()
    sent = [message(number, 1, "x") for number in (1, 2, 3)]
    for one, destination in zip(sent, ("+861", "862", "861"), strict=True):
        one.destination = destination
        transit.enter(one)
        transit.sent(one)
    assert transit.find(1, "x", "00861") is sent[2]
    assert transit.find(1, "x", "862") is sent[1]
    assert transit.find(1, "x", "863") is None
    assert transit.named(1, "x") == [sent[2], sent[1], sent[0]]
    transit.leave(sent[1])
    assert transit.find(1, "x", "862") is None
    transit.leave(sent[2])
    assert transit.find(1, "x", "861") is sent[0]
    transit.leave(sent[0])
    assert transit.named(1, "x") == []


def test_what_a_carrier_has_is_found_by_its_addresses():
    """Only what went to the carrier and is open: not what is queued, not what has ended."""
    transit = Transit()
    for number, state in enumerate((State.QUEUED, State.SUBMITTING, State.SENT, State.DELIVERED), 1):
        entered = message(number)
        entered.state = state
        transit.enter(entered)
    assert [one.id for one in transit.between({(1, "2", "1"), (2, "2", "1")})[1, "2", "1"]] == [2, 3]


def test_what_was_displaced_is_forgotten_and_what_was_read_again_is_not():
    """A message whose row somebody else has changed leaves memory; another object of it that is open here stays."""
    transit = Transit()
    ours = message(1, 1, "x")
    transit.enter(ours)
    transit.sent(ours)
    transit.displaced(message(1, 1, "x"))
    assert transit.find(1, "x") is ours
    transit.displaced(ours)
    assert transit.find(1, "x") is None
    assert len(transit) == 0


def test_where_the_source_was_replaced_the_carriers_receipt_names_the_other_one():
    """A receipt without an id comes to the source that the carrier knows, which is not the tenant's."""
    transit = Transit()
    replaced = message(1)
    replaced.state, replaced.transform = State.SENT, ("source_replaced",)
    replaced.body = sm_body(source=b"10691234", dest=b"2")
    transit.enter(replaced)
    assert transit.between({(1, "2", "10691234"), (1, "2", "1")}) == {(1, "2", "10691234"): [replaced]}
