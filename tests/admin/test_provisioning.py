from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smsgw.admin import provisioning
from smsgw.admin.provisioning import parse_provisioning
from smsgw.admin.sealing import Key
from smsgw.admin.three_way import Plan
from smsgw.billing.tariff import parse_money
from smsgw.model import Mode
from smsgw.store import credentials, provisioned
from smsgw.store import provisioning as store
from smsgw.store.database import Connection, connect

SEAL = Key(bytes(32))
EXAMPLE = (Path(__file__).parents[2] / "config" / "provisioning.toml").read_text(encoding="utf-8")
TENANT_KEY = ("tenant", "acme")
ACCOUNT = ("account", "acme1")
LINK = ("link", "alpha-1")


async def put(connection: Connection, text: str, *, overwrite: bool = False, dry_run: bool = False) -> Plan:
    """Apply the text of a file."""
    file = parse_provisioning(text)
    return await provisioning.apply(connection, file, actor="ops", seal=SEAL, overwrite=overwrite, dry_run=dry_run)


async def balance(connection: Connection) -> int:
    """What acme has."""
    return await connection.fetchval("SELECT amount FROM balance JOIN tenant ON id = tenant WHERE name = 'acme'")


async def test_the_example_becomes_live(connection: Connection):
    """The file that travels with smsgw applies, and reads back as what it says."""
    done = await put(connection, EXAMPLE)
    live = await provisioned.read(connection, SEAL.unseal)
    (account,), (link,) = live.accounts, live.links
    assert not done.conflicts
    assert len(done.changes) == 8
    assert (account.system_id, account.mode, account.tenant.currency) == ("acme1", Mode.STORE, "CNY")
    assert (link.name, link.port, link.password) == ("alpha-1", 2776, "gw")
    assert (live.routes[0].links, live.prices[0].price, live.numbers[0].account) == (("alpha-1",), 38_000, "acme1")
    assert await balance(connection) == parse_money("1000.00")


async def test_the_same_file_again_changes_nothing(connection: Connection):
    """An apply of what is live leaves no version, no audit row, no new hash."""
    await put(connection, EXAMPLE)
    before = await provisioned.version(connection), await credentials.secrets_of(connection, "acme1")
    done = await put(connection, EXAMPLE)
    assert done.empty
    assert done.version == 0
    assert (await provisioned.version(connection), await credentials.secrets_of(connection, "acme1")) == before


async def test_a_dry_run_only_shows(connection: Connection):
    """--dry-run plans the same changes and makes none."""
    done = await put(connection, EXAMPLE, dry_run=True)
    assert len(done.changes) == 8
    assert await store.read_entities(connection) == {}


async def test_what_others_changed_is_a_conflict(connection: Connection):
    """A value that was changed elsewhere since is kept and told, until --overwrite."""
    await put(connection, EXAMPLE)
    await store.put(connection, ACCOUNT, {"tenant": "acme", "rate": 7})
    changed = EXAMPLE.replace("rate = 0                         # parts", "rate = 5 # parts")
    refused = await put(connection, changed)
    assert [str(one) for one in refused.conflicts] == [
        "! account 'acme1': was changed by somebody else since the last apply: rate (default) → 7"
    ]
    assert (await store.read_entities(connection))[ACCOUNT]["rate"] == 7
    done = await put(connection, changed, overwrite=True)
    assert [str(change) for change in done.changes] == ["~ account 'acme1'  rate 7 → 5"]
    assert (await store.read_entities(connection))[ACCOUNT]["rate"] == 5


async def test_only_what_a_file_made_is_deleted(connection: Connection):
    """What disappears from the file goes; what somebody else made stays."""
    await put(connection, EXAMPLE)
    await store.put(connection, ("carrier", "beta"), {})
    done = await put(connection, EXAMPLE.partition("[[route]]")[0])
    assert [str(change) for change in done.changes] == ["- price 'acme/'", "- route ''", "- operator 'cmcc'"]
    assert ("carrier", "beta") in await store.read_entities(connection)


async def test_nothing_is_deleted_from_under_others(connection: Connection):
    """A tenant whose account somebody else made cannot be deleted, not even with --overwrite."""
    await put(connection, EXAMPLE)
    await store.put(connection, ("account", "guest"), {"tenant": "acme"})
    refused = await put(connection, "", overwrite=True)
    assert [(one.key, one.final) for one in refused.conflicts] == [(TENANT_KEY, True)]
    assert TENANT_KEY in await store.read_entities(connection)


async def test_everything_goes_when_the_file_is_empty(connection: Connection):
    """Deleting keeps the order that the references need."""
    await put(connection, EXAMPLE)
    done = await put(connection, "")
    assert not done.conflicts
    assert await store.read_entities(connection) == {}


async def test_the_opening_balance_is_booked_once(connection: Connection):
    """A balance that is changed in the file later moves no money, and a note says so."""
    await put(connection, EXAMPLE)
    done = await put(connection, EXAMPLE.replace('"1000.00"', '"9999.00"'))
    assert await balance(connection) == parse_money("1000.00")
    assert done.notes == ("tenant 'acme' was opened with 1000.00: its balance in the file is not used again",)


async def test_a_new_password_is_hashed_and_nothing_shows_it(connection: Connection):
    """Only the changed password gets a new hash; plan, audit and version hold none of it."""
    await put(connection, EXAMPLE)
    (old,) = await credentials.secrets_of(connection, "acme1")
    done = await put(connection, EXAMPLE.replace('"secret"', '"geheim"'))
    (new,) = await credentials.secrets_of(connection, "acme1")
    assert done.passwords == (ACCOUNT,)
    assert old != new
    assert new.startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    kept = await connection.fetchval("SELECT string_agg(coalesce(old::text, '') || coalesce(new::text, ''), '') FROM audit")
    kept += await connection.fetchval("SELECT string_agg(content::text, '') FROM provisioning_version")
    assert "geheim" not in kept + repr(done)
    assert "argon2" not in kept


async def test_a_password_rotated_elsewhere_is_a_conflict(connection: Connection):
    """The file's older password does not undo what somebody else has set since, unless --overwrite."""
    await put(connection, EXAMPLE)
    await credentials.set_secret(connection, "acme1", "$argon2id$of another")
    refused = await put(connection, EXAMPLE)
    assert [one.key for one in refused.conflicts] == [ACCOUNT]
    assert (await put(connection, EXAMPLE, overwrite=True)).passwords == (ACCOUNT,)


async def test_a_link_password_is_sealed_or_a_reference(connection: Connection, tmp_path: Path):
    """The store holds no link password in clear, and the Directory gets the password itself."""
    await put(connection, EXAMPLE)
    assert '"gw"' not in (await store.link_password(connection, "alpha-1"))
    (tmp_path / "word").write_text("kept\n", encoding="utf-8")
    done = await put(connection, EXAMPLE.replace('password = "gw"', f'password = {{file = "{tmp_path}/word"}}'))
    live = await provisioned.read(connection, SEAL.unseal)
    assert done.passwords == (LINK,)
    assert live.links[0].password == "kept"


async def test_rollback_goes_back_one_version(connection: Connection):
    """The version before comes back, with neither money nor passwords touched; a second rollback has nowhere to go."""
    await put(connection, EXAMPLE)
    await put(connection, EXAMPLE.replace('"0.038"', '"0.050"').replace('"secret"', '"geheim"'))
    secret = await credentials.secrets_of(connection, "acme1")
    done = await provisioning.rollback(connection, actor="ops")
    assert [str(change) for change in done.changes] == ["~ price 'acme/'  price 0.05 → 0.038"]
    assert await credentials.secrets_of(connection, "acme1") == secret
    assert await balance(connection) == parse_money("1000.00")
    again = await provisioning.rollback(connection, actor="ops")
    assert [one.final for one in again.conflicts] == [True]


async def test_a_change_of_credit_that_books_forbid_is_a_conflict(connection: Connection):
    """A credit limit below what the tenant owes already is refused, and nothing of the file applies."""
    await put(connection, EXAMPLE.replace('"0.00"', '"10.00"').replace('"1000.00"', '"-5.00"'))
    refused = await put(connection, EXAMPLE.replace('"0.038"', '"0.050"'))
    assert [one.key for one in refused.conflicts] == [TENANT_KEY]
    assert (await store.read_entities(connection))["price", "acme/"] == {"price": 38_000}


async def test_rollback_brings_the_deleted_back_whole(connection: Connection):
    """Tenant, account and link that a file deleted by mistake come back with ids, balance and passwords: clients bind again."""
    await put(connection, EXAMPLE)
    before = await provisioned.read(connection, SEAL.unseal)
    await connection.execute("UPDATE balance SET amount = amount - 5")
    await put(connection, "")
    done = await provisioning.rollback(connection, actor="ops")
    after = await provisioned.read(connection, SEAL.unseal)
    assert [after.tenants, after.accounts, after.links] == [before.tenants, before.accounts, before.links]
    assert await balance(connection) == parse_money("1000.00") - 5
    assert (done.notes, len(done.changes)) == ((), 8)


async def test_rollback_says_who_comes_back_without_a_password(connection: Connection):
    """An account that never had a password has none after a rollback either, and a note says that it cannot bind."""
    await put(connection, EXAMPLE.replace('password = "secret"\n', ""))
    await put(connection, "")
    done = await provisioning.rollback(connection, actor="ops")
    assert done.notes == ("account 'acme1' comes back without a password: apply a file that has it",)


async def test_a_tenant_that_comes_back_goes_on_with_its_balance(connection: Connection):
    """Deleted and given again in a file, a tenant keeps the books that it had: no second opening balance."""
    await put(connection, EXAMPLE)
    await connection.execute("UPDATE balance SET amount = amount - 5")
    await put(connection, "")
    done = await put(connection, EXAMPLE.replace('credit_limit = "0.00"', 'credit_limit = "3.00"'))
    assert await balance(connection) == parse_money("1000.00") - 5
    assert await connection.fetchval("SELECT credit_limit FROM balance") == parse_money("3.00")
    assert done.notes == ("tenant 'acme' was here before: its old balance goes on, the one in the file is not used",)


async def test_what_a_file_found_is_not_deleted_by_it(connection: Connection):
    """An entity that was there before a file named it stays when the file names it no more, after rollbacks too."""
    await store.put(connection, ("carrier", "alpha"), {})
    await put(connection, EXAMPLE)
    await put(connection, EXAMPLE.replace("max_binds = 10", "max_binds = 11"))
    await provisioning.rollback(connection, actor="ops")
    done = await put(connection, "")
    assert await store.read_entities(connection) == {("carrier", "alpha"): {}}
    assert done.notes == ("carrier 'alpha' is left alone: no file created it",)


async def test_an_account_stays_with_its_tenant(connection: Connection):
    """Its messages are billed to the tenant that it had: another tenant's account takes another system_id."""
    await put(connection, EXAMPLE)
    other = '[[tenant]]\nname = "other"\ncurrency = "CNY"\n' + EXAMPLE.replace(
        'tenant = "acme"\nsystem_id', 'tenant = "other"\nsystem_id'
    )
    refused = await put(connection, other, overwrite=True)
    assert [(one.key, one.final) for one in refused.conflicts] == [(ACCOUNT, True)]
    assert "is tenant 'acme' whom its messages are billed to" in str(refused.conflicts[0])


async def test_books_keep_their_currency(connection: Connection):
    """Once something is booked a tenant's currency is fixed; before, it is a slip of the pen that a file corrects."""
    unused = EXAMPLE.replace('balance = "1000.00"', 'balance = "0.00"')
    await put(connection, unused)
    assert not (await put(connection, unused.replace("CNY", "EUR"))).conflicts
    await put(connection, "")
    await connection.execute(
        "INSERT INTO ledger (tenant, kind, day, amount) SELECT id, 'top_up', 1, 1 FROM retired WHERE kind = 'tenant'"
    )
    await put(connection, unused)
    refused = await put(connection, unused.replace("CNY", "EUR"), overwrite=True)
    assert [(one.key, one.final) for one in refused.conflicts] == [(TENANT_KEY, True)]


async def test_what_is_sent_meanwhile_may_undo_an_apply(database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch):
    """When a balance falls below the new credit limit between the look and the change, nothing changes, and a conflict says so."""
    await put(connection, EXAMPLE.replace('credit_limit = "0.00"', 'credit_limit = "10.00"'))
    other = await connect(database, name="other")
    make = provisioning.make

    async def send_first(*args: Any, **kwargs: Any) -> list[store.Key]:
        await other.execute("UPDATE balance SET amount = -1")
        return await make(*args, **kwargs)

    monkeypatch.setattr(provisioning, "make", send_first)
    refused = await put(connection, EXAMPLE)
    await other.close()
    assert [(one.key, one.final) for one in refused.conflicts] == [(TENANT_KEY, True)]
    assert (await store.read_entities(connection))[TENANT_KEY]["credit_limit"] == parse_money("10.00")


async def test_an_apply_makes_those_who_send_wait_for_nothing_but_its_end(database: str, connection: Connection):
    """While an apply writes, balances can be debited: it takes their rows last, and in the order of the unit of work."""
    await put(connection, EXAMPLE)
    other = await connect(database, name="other")
    await other.execute("SET lock_timeout = '5s'")
    async with connection.transaction():
        for change in (TENANT_KEY, ("tenant", "zeta")):
            await store.put(connection, change, {"currency": "CNY", "credit_limit": 7, "basis": "submitted"})
        assert await other.execute("UPDATE balance SET amount = amount - 1") == "UPDATE 1"
    await other.close()
