from __future__ import annotations

from smsgw.policy.statuses import STATUSES, refusal
from smsgw.smpp import const


def test_each_reason_has_a_status_of_its_own_unless_it_says_the_same():
    """Clients tell money, quota, states and rules apart; closing and closed are one thing to a sender."""
    own = [status for status, _ in STATUSES.values()]
    assert len(set(own)) == len(own) - 1
    assert STATUSES["closing"] == STATUSES["closed"]
    named = {"sender", "recipient", "tlv_missing", "tlv_value"}  # the specification has a status for these
    assert all(0x400 <= status <= 0x4FF for reason, (status, _) in STATUSES.items() if reason not in named)
    assert all(own == strict for reason, (own, strict) in STATUSES.items() if reason in named)


def test_none_of_them_invites_to_try_again():
    """In neither profile is a refusal for money, quota or state the status of a throttle or of a full queue."""
    passing = {const.ESME_ROK, const.ESME_RTHROTTLED, const.ESME_RMSGQFUL, const.ESME_RSYSERR}
    assert not {status for pair in STATUSES.values() for status in pair} & passing


def test_the_profile_of_the_account_chooses():
    """The vendor's status by default, one of the specification with strict_34; what is not in the table has none here."""
    own, strict = refusal("balance", strict_34=False), refusal("balance", strict_34=True)
    assert own is not None
    assert strict is not None
    assert (own.status, own.reason) == (0x0400, "balance")
    assert (strict.status, strict.reason) == (const.ESME_RSUBMITFAIL, "balance")
    assert refusal("no_price", strict_34=False) is None


def test_every_version_of_the_protocol_gets_them():
    """A vendor's status goes to 3.3, 3.4 and 5.0 sessions as it is."""
    for version in (const.V33, const.V34, const.V50):
        vendors = {own for own, _ in STATUSES.values() if own >= 0x400}
        assert {const.status_for_version(own, version) for own in vendors} == vendors
