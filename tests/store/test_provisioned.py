from __future__ import annotations

from smsgw.model import Basis, InDoubt, Mode
from smsgw.store import credentials, provisioned, provisioning
from smsgw.store.database import Connection
from tests.store.entities import ACCOUNT, TENANT


async def test_rows_become_values(filled: Connection):
    """The daemon reads the model's values: enumerations, tuples, a dialect, the link's opened password."""
    await provisioning.set_link_password(filled, "alpha-1", "sealed")
    await credentials.set_secret(filled, "acme1", "hash")
    read = await provisioned.read(filled, str.upper)
    (account,), (link,) = read.accounts, read.links
    assert (account.mode, account.in_doubt, account.window, account.secrets) == (Mode.RELAY, InDoubt.HOLD, 7, ("hash",))
    assert (account.tenant.basis, account.tenant.credit_limit, account.allow_from) == (Basis.DELIVERED, 5, ("192.0.2.0/24",))
    assert (link.password, link.dialect.submit_id, link.dialect.retryable) == ("SEALED", "hex-to-dec", frozenset({88}))
    assert (read.routes[0].part_rule, read.numbers[0].number, read.prices[0].prefix) == ("octet", "1069", "86")


async def test_a_few_changed_accounts_are_read_alone(filled: Connection):
    """An account's change is that account, a deletion its name; what touches more than accounts is for a whole read."""
    before = await provisioned.read(filled, str)
    tenants = {tenant.id: tenant for tenant in before.tenants}
    await provisioning.put(filled, ACCOUNT, {"tenant": "acme", "window": 9})
    for name in ("acme1", "gone"):
        await provisioning.audit(filled, "ops", ("account", name), None, None)
    few = await provisioned.read_changed_accounts(filled, before.version, tenants)
    assert few is not None
    version, accounts, gone = few
    assert (version, [account.window for account in accounts], gone) == (await provisioned.version(filled), [9], {"gone"})
    await provisioning.audit(filled, "ops", TENANT, None, None)
    assert await provisioned.read_changed_accounts(filled, before.version, tenants) is None


async def test_what_is_booked_is_no_new_version(filled: Connection):
    """What people do to books and messages is audited, and no daemon reads anything again for it."""
    await provisioning.audit(filled, "ops", TENANT, None, None)
    before = await provisioned.version(filled)
    for kind in ("balance", "content", "opt_out", "api_token"):
        await provisioning.audit(filled, "ops", (kind, "acme"), None, None)
    assert await provisioned.version(filled) == before
    assert await provisioned.read_changed_accounts(filled, before, {}) is None
