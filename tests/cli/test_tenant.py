"""`smsgw tenant`, `account`, `notice`."""

from __future__ import annotations

import pytest

from smsgw.notices.letter import tenant_key
from tests.cli.commands import Command, rows


def test_who_is_provisioned(acme: Command):
    """Tenants with balance, state and term; accounts with state, binds and secrets; no hash among them."""
    (tenant,) = rows(acme("tenant", "list", "--json"))
    assert (tenant["tenant"], tenant["balance"], tenant["state"], tenant["accounts"]) == ("acme", "1000.00", "active", 1)
    (account,) = rows(acme("account", "list", "--json"))
    assert (account["account"], account["state"], account["binds"], account["secrets"]) == ("acme1", "active", 0, 1)
    listed = acme("account", "get", "acme1")
    assert listed.exit_code == 0
    assert "argon2" not in listed.stdout
    assert acme("account", "list", "--tenant", "nobody").stderr == "no accounts\n"


def test_a_profile_is_changed_in_versions(acme: Command):
    """key=value makes a version, key= takes one out; without fields all versions are shown."""
    because = ("--reason", "signed", "--actor", "ops")
    assert rows(acme("tenant", "profile", "acme", "legal=ACME Ltd", "licence=A1", *because, "--json"))[0]["version"] == 1
    assert rows(acme("tenant", "profile", "acme", "licence=", *because, "--json"))[0]["fields"] == {"legal": "ACME Ltd"}
    assert [row["version"] for row in rows(acme("tenant", "profile", "acme", "--json"))] == [2, 1]
    assert rows(acme("tenant", "get", "acme", "--json"))[0]["profile.legal"] == "ACME Ltd"


def test_a_term_is_shown_and_changed(acme: Command):
    """Only what is given is changed; none takes a day out; a dry run keeps it all."""
    because = ("--reason", "contract 7", "--actor", "ops", "--json")
    days = ("--starts", "2026-01-01", "--ends", "2099-12-31", "--grace-days", "10", "--remind", "30,1", "--then", "frozen")
    (term,) = rows(acme("tenant", "term", "acme", *days, *because))
    assert (term["ends"], term["remind_days"], term["then_state"]) == ("2099-12-31", [30, 1], "frozen")
    acme("tenant", "term", "acme", "--ends", "none", *because, "--dry-run")
    assert rows(acme("tenant", "term", "acme", "--json")) == [term]
    assert rows(acme("tenant", "term", "acme", "--ends", "none", "--remind", "none", *because))[0]["ends"] is None
    assert rows(acme("tenant", "term", "acme", "--verified-till", "2099-01-01", "--gate", "limited", "--gate-rate", "2", *because))


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("tenant", "get", "nobody"), 3, "there is no tenant 'nobody'"),
        (("account", "get", "nobody"), 3, "there is no account 'nobody'"),
        (("tenant", "profile", "acme", "legal"), 2, "write key=value"),
        (("tenant", "profile", "acme", "legal=x"), 2, "--reason is needed"),
        (("tenant", "term", "acme", "--ends", "2099-12-31"), 2, "--reason is needed"),
        (("tenant", "term", "acme", "--ends", "soon", "--reason", "x"), 2, "is no day"),
        (("tenant", "term", "acme", "--remind", "a", "--reason", "x"), 2, "is no list of days"),
        (("tenant", "term", "acme", "--then", "closed", "--reason", "x"), 2, "suspended_arrears, frozen or closing"),
    ],
)
def test_exit_codes(acme: Command, arguments: tuple[str, ...], code: int, why: str):
    """Not found is 3, wrong usage 2; each says what was wrong."""
    result = acme(*arguments)
    assert result.exit_code == code
    assert why in result.stderr


def test_the_key_of_a_tenants_webhooks(command: Command):
    """It is made of the secret in the settings and the tenant's name; without a secret there is none, exit 78."""
    assert command("notice", "key", "acme").exit_code == 78
    with command.config.open("a", encoding="utf-8") as settings:
        settings.write('[notices]\nwebhook_secret = "s"\n')
    assert command("notice", "key", "acme").stdout.strip() == tenant_key("s", "acme")


def test_one_is_made_changed_and_deleted_by_hand(acme: Command):
    """add, set and rm tell what they changed, as apply does; what is there already or still needed is 4."""
    because = ("--reason", "x", "--actor", "ops")
    assert acme("tenant", "add", "beta", "currency=EUR", *because).stdout.startswith("+ tenant 'beta'")
    assert acme("account", "add", "beta1", "tenant=beta", "rate=5", *because).exit_code == 0
    (row,) = rows(acme("account", "set", "beta1", "rate=6", *because, "--json"))
    assert (row["old"]["rate"], row["new"]["rate"]) == (5, 6)
    assert acme("account", "set", "beta1", "rate=6", *because).stderr == "nothing to change\n"
    assert acme("account", "set", "beta1", "rate=x", *because).exit_code == 2
    assert acme("tenant", "add", "beta", "currency=EUR", *because).exit_code == 4
    assert acme("tenant", "rm", "beta", *because).exit_code == 4
    assert acme("account", "rm", "nobody", *because).exit_code == 3
    assert acme("account", "rm", "beta1", *because, "--dry-run").stderr == "nothing was changed (--dry-run)\n"
    assert acme("account", "rm", "beta1", *because).exit_code == acme("tenant", "rm", "beta", *because).exit_code == 0
