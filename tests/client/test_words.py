from __future__ import annotations

from smsgw.client import Incoming, NotBound, Receipt, Refused


def test_a_refusal_names_its_status() -> None:
    """Known statuses have their name, others their number."""
    assert str(Refused(0x58)) == "ESME_RTHROTTLED"
    assert (str(Refused(0x1234)), Refused(0x1234).status) == ("0x00001234", 0x1234)


def test_a_status_of_the_gateways_own_says_where_it_is_explained() -> None:
    """A number that no specification names would leave its reader alone."""
    assert str(Refused(0x403)).startswith("0x00000403, a status of the gateway's own")


def test_not_bound_keeps_the_status() -> None:
    """The command_status of a refused bind can be asked for."""
    assert NotBound("ESME_RINVPASWD", 0x0E).status == 0x0E


def test_a_message_shows_no_text() -> None:
    """The repr of a message to us holds neither its text nor its octets."""
    told = repr(Incoming("8613800000000", "10690001", "secret words", exact=True, data_coding=0, octets=b"secret words"))
    assert "secret" not in told


def test_delivered_is_told_by_the_word() -> None:
    """Only DELIVRD is delivered."""
    words = ("DELIVRD", "UNDELIV", "ENROUTE")
    receipts = [Receipt("1", word, 2, final=True, error="000", done_date="") for word in words]
    assert [receipt.delivered for receipt in receipts] == [True, False, False]
