"""What states do to submits, on a clock that the test holds."""

from __future__ import annotations

import pytest

from smsgw.model import Account, Rejected, Restriction, Standing, Tenant
from smsgw.policy.standing import LIMITED, Gate, reworded
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const

ACME = Tenant(1, "acme", "CNY")


def account(number: int = 1, *, strict_34: bool = False, **held: object) -> Account:
    """An account with a restriction of these fields."""
    restriction = Restriction(**{"standing": Standing.LIMITED, **held})  # type: ignore[arg-type]
    return Account(number, f"acme{number}", ACME, strict_34=strict_34, restriction=restriction)


@pytest.mark.parametrize("reason", ["suspended_arrears", "frozen", "closed", "term_over"])
def test_each_state_refuses_with_its_own_status(reason: str):
    """A vendor's status by which a client can tell them apart; with strict_34 that of the specification."""
    assert Gate().refuse(account(refusal=reason), 1, 0.0) == Rejected(STATUSES[reason][0], reason)
    assert Gate().refuse(account(refusal=reason, strict_34=True), 1, 0.0) == Rejected(const.ESME_RSUBMITFAIL, reason)


def test_limited_lets_its_rate_pass():
    """Four parts a second: four at once, then one each quarter of a second, and long messages count by their parts."""
    gate, held = Gate(), account(account_rate=4)
    assert [gate.refuse(held, 1, 0.0) for _ in range(5)] == [None] * 4 + [LIMITED]
    assert gate.refuse(held, 1, 0.25) is None
    assert gate.refuse(held, 2, 0.5) is LIMITED
    assert gate.refuse(held, 2, 0.75) is None
    assert LIMITED.status == const.ESME_RTHROTTLED


def test_a_limited_tenant_limits_all_its_accounts_together():
    """Two accounts of a tenant at 2/s share them; what an account's own limit refuses is not taken from the tenant."""
    gate = Gate()
    one, two = account(1, tenant_rate=2, account_rate=1), account(2, tenant_rate=2)
    assert gate.refuse(one, 1, 0.0) is None
    assert gate.refuse(one, 1, 0.0) is LIMITED
    assert gate.refuse(two, 1, 0.0) is None
    assert gate.refuse(two, 1, 0.0) is LIMITED


def test_what_is_refused_later_gives_its_parts_back():
    """Parts of a message that a price or a balance refused go back to account and tenant."""
    gate, held = Gate(), account(tenant_rate=2, account_rate=2)
    for _ in range(10):
        assert gate.refuse(held, 2, 0.0) is None
        gate.give_back(held, 2)
    assert gate.refuse(held, 2, 0.0) is None
    assert gate.refuse(held, 1, 0.0) is LIMITED


def test_another_rate_holds_at_once():
    """A rate that was changed begins with a full second's worth."""
    gate = Gate()
    assert gate.refuse(account(account_rate=1), 1, 0.0) is None
    assert gate.refuse(account(account_rate=2), 1, 0.0) is None
    assert gate.refuse(account(account_rate=2), 1, 0.0) is None
    assert gate.refuse(account(account_rate=2), 1, 0.0) is LIMITED


def test_an_account_that_is_closing_ends_with_its_money():
    """Only then, and only there, a refusal for the balance is one for the end of the contract."""
    closing = account(closing=True)
    assert (reworded(closing, "balance"), reworded(closing, "quota")) == ("closing", "quota")
    assert reworded(Account(1, "acme1", ACME), "balance") == "balance"
