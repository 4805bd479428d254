"""Secrets in turn: made, shown once, ended, taken away."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from smsgw.admin.credentials import ALPHABET, generate, hasher_of, listed, revoke, rotate
from smsgw.admin.standing import NotFound
from smsgw.config import Secrets
from smsgw.store import credentials as store
from smsgw.store import provisioned, provisioning
from smsgw.store.database import Connection
from tests.contract import contract

CHEAP = hasher_of(Secrets(memory_kib=1_024))
HOUR = timedelta(hours=1)


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant with an account that has a secret."""
    await contract(connection, "acme1")
    await store.set_secret(connection, "acme1", "hash")
    return connection


def test_a_secret_fits_into_every_bind():
    """Eight characters that no eye takes for others, another one each time."""
    made = {generate() for _ in range(200)}
    assert len(made) == 200
    assert all(len(secret) == 8 and set(secret) <= set(ALPHABET) for secret in made)
    assert not set("0O1lI") & set(ALPHABET)


def test_what_a_hash_costs_is_a_setting():
    """The parameters of the settings are those of the hash; the default is 8 MiB, one pass, one lane."""
    assert re.match(r"\$argon2id\$v=19\$m=8192,t=1,p=1\$", hasher_of(Secrets()).hash("x"))
    assert re.match(r"\$argon2id\$v=19\$m=1024,t=2,p=4\$", hasher_of(Secrets(memory_kib=1_024, passes=2, lanes=4)).hash("x"))


async def test_the_old_secret_gets_an_end_and_the_one_before_it_goes(acme: Connection):
    """After two rotations two secrets work, the older of them for an hour; what is stored is a hash, and the audit has none."""
    first = await rotate(acme, "acme1", overlap=HOUR, actor="ops", reason="yearly", hasher=CHEAP)
    second = await rotate(acme, "acme1", overlap=HOUR, actor="ops", reason="lost", hasher=CHEAP)
    assert (second.ending, len(second.dropped)) == ((first.number,), 1)
    (account,) = (await provisioned.read(acme, str)).accounts
    assert [CHEAP.verify(known, secret.secret) for known, secret in zip(account.secrets, (second, first), strict=True)] == [
        True
    ] * 2
    assert [known for known, _ in account.expiring] == [account.secrets[1]]
    said = str([tuple(row.values()) for row in await acme.fetch("SELECT * FROM audit")])
    assert first.secret not in said + repr(first)
    assert "argon2" not in said
    rows = await listed(acme, "acme1")
    assert [(row["id"], row["live"], row["until"] is None, row["actor"]) for row in rows] == [
        (second.number, True, True, "ops"),
        (first.number, True, False, "ops"),
    ]


async def test_without_an_overlap_the_old_one_is_gone(acme: Connection):
    """A secret that may have been seen is replaced at once."""
    done = await rotate(acme, "acme1", overlap=timedelta(), actor="ops", reason="seen", hasher=CHEAP)
    assert (done.ending, done.until, len(done.dropped)) == ((), None, 1)
    assert [row["id"] for row in await listed(acme, "acme1")] == [done.number]


async def test_a_secret_is_revoked_by_its_number(acme: Connection):
    """It is gone at once; a number that the account does not have is said so."""
    (row,) = await listed(acme, "acme1")
    assert (await revoke(acme, "acme1", row["id"], actor="ops", reason="x", dry_run=True))["id"] == row["id"]
    await revoke(acme, "acme1", row["id"], actor="ops", reason="x")
    assert await listed(acme, "acme1") == []
    with pytest.raises(NotFound, match="smsgw secret list acme1"):
        await revoke(acme, "acme1", row["id"], actor="ops", reason="x")


async def test_a_dry_run_makes_no_secret(acme: Connection):
    """It says which would end, and shows and stores none."""
    done = await rotate(acme, "acme1", overlap=HOUR, actor="ops", reason="x", dry_run=True)
    assert (done.secret, len(done.ending)) == ("", 1)
    assert len(await listed(acme, "acme1")) == 1


async def test_a_secret_whose_time_is_over_does_not_come_back_with_its_account(acme: Connection):
    """An account that is deleted and brought back has the secrets that lasted, never one that had an end."""
    done = await rotate(acme, "acme1", overlap=HOUR, actor="ops", reason="x", hasher=CHEAP)
    await provisioning.delete(acme, ("account", "acme1"))
    (known,) = await provisioning.put(acme, ("account", "acme1"), {"tenant": "acme"})
    assert CHEAP.verify(known, done.secret)
