from __future__ import annotations

import re
from pathlib import Path
from typing import get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.admin import provisioning_file
from smsgw.admin.provisioning_file import parse_provisioning
from smsgw.config import ConfigError
from smsgw.model import Account, Dialect, Link, Tenant

EXAMPLE = (Path(__file__).parents[2] / "config" / "provisioning.toml").read_text(encoding="utf-8")
PACKAGE = Path(provisioning_file.__file__).parents[1]
TENANT = '[[tenant]]\nname = "acme"\ncurrency = "CNY"\n'
ACCOUNT = '[[account]]\ntenant = "acme"\nsystem_id = "acme1"\n'
PRICE = '[[price]]\ntenant = "acme"\nprefix = ""\nprice = "1"\n'
CARRIER = '[[carrier]]\nname = "alpha"\n'
LINK = '[[link]]\ncarrier = "alpha"\nname = "alpha-1"\nhost = "h"\nport = 1\nsystem_id = "gw"\n'


def errors(text: str) -> list[str]:
    """What is wrong with a file."""
    with pytest.raises(ConfigError) as refused:
        parse_provisioning(text, "p.toml")
    assert refused.value.exit_code == 78
    return refused.value.errors


def test_the_example_says_what_design_fixes():
    """The names of the shipped file are all known, and what says only the default is left out of the entities."""
    file = parse_provisioning(EXAMPLE)
    assert file.entities["account", "acme1"] == {"tenant": "acme"}
    assert file.entities["link", "alpha-1"] == {"carrier": "alpha", "host": "127.0.0.1", "port": 2776, "system_id": "gw"}
    assert file.entities["route", ""] == {"links": ["alpha-1"], "part_rule": "gsm_ucs2"}
    assert file.entities["price", "acme/"] == {"price": 38_000}
    assert file.openings == {"acme": 1_000_000_000}


def test_every_error_is_told_at_once():
    """Each error has file, line, entity, key and, where there is one, the word that was meant."""
    text = (
        '[[tenant]]\nname = "acme"\ncurrency = "yuan"\ncredit_limit = 5\n'
        '[[account]]\ntenant = "acne"\nsystem_id = "acme1"\nwindo = 5\nmode = "stored"\nrate = -1\nbasis = "sent"\n'
        '[[route]]\nprefix = "86x"\nlinks = ["alpha"]\n[[rout]]\nx = 1\n'
    )
    assert errors(text) == [
        "p.toml:1: tenant.acme.currency: 'yuan' is no currency: three capitals, such as CNY",
        'p.toml:1: tenant.acme.credit_limit: amounts are written in quotes, so that they stay exact: "5"',
        "p.toml:5: account.acme1.windo is not known: did you mean window?",
        "p.toml:5: account.acme1.mode: 'stored' is none of store, relay: did you mean store?",
        "p.toml:5: account.acme1.rate: -1 is less than 0",
        "p.toml:5: account.acme1.basis is not known: it belongs to [[tenant]]",
        "p.toml:12: route.86x.prefix: '86x' is no prefix: at most 20 digits",
        "p.toml: [[rout]] is not known: did you mean route?",
        "p.toml:5: account.acme1.tenant: there is no tenant 'acne': did you mean acme?",
    ]


@pytest.mark.parametrize("pack", ["china", "china-caps", "india", "north-america"])
def test_a_rule_set_is_told_where_it_belongs(pack: str):
    """One sentence, not one for each of its tables."""
    text = (Path(__file__).parents[2] / "config" / "policy" / f"{pack}.toml").read_text(encoding="utf-8")
    assert errors(text) == ["p.toml: this is a rule set: name it in the files of a [[policy]], and check the file with that"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[tenant]\n", "p.toml: Expected ']]'"),
        ('[tenant]\nname = "a"\n', "write [[tenant]]"),
        (TENANT + TENANT, "is given twice: p.toml:1: tenant.acme is the first"),
        (TENANT + 'balance = "0.0000001"\n', "at most six decimals"),
        (TENANT + 'balance = "-1.00"\n', "balance is below what credit_limit allows"),
        (ACCOUNT, "there is no tenant 'acme': there is none in this file"),
        (TENANT + ACCOUNT + 'password = "123456789"\n', "more than the 8 octets"),
        (TENANT + ACCOUNT + 'password = { vault = "x" }\n', "a reference is"),
        (TENANT + ACCOUNT + 'password = { env = "SMSGW_NOT_SET" }\n', "SMSGW_NOT_SET is not set"),
        (TENANT + ACCOUNT + 'allow_from = ["192.0.2.0/33"]\n', "192.0.2.0/33"),
        (TENANT + ACCOUNT + 'certificates = ["sha256:12"]\n', "is no certificate"),
        (TENANT + ACCOUNT + "window = 0\n", "0 is less than 1"),
        (TENANT + ACCOUNT + 'window = "5"\n', "Expected `int`"),
        (TENANT + '[[account]]\ntenant = "acme"\nsystem_id = "no spaces"\n', "is no system_id"),
        (CARRIER + LINK.replace("= 1", "= 65536"), "65536 is more than 65535"),
        (CARRIER + LINK.replace("host", "hots"), "hots is not known: did you mean host?"),
        (CARRIER + LINK.replace('host = "h"\n', ""), "alpha-1.host is missing"),
        (CARRIER + LINK + "reconnect_min_s = 90\n", "reconnect_min_s is more than reconnect_max_s"),
        (CARRIER + LINK + 'dialect = { submit_id = "hex" }\n', "'hex' is none of as-is, hex-to-dec, dec-to-hex"),
        (CARRIER + LINK + "dialect = { submitid = 1 }\n", "dialect.submitid is not known: did you mean submit_id?"),
        (CARRIER + LINK + '[[route]]\nprefix = ""\nlinks = []\n', "at least one link"),
        (CARRIER + LINK + '[[route]]\nprefix = "86"\nlinks = ["alpha-1"]\n' * 2, "route.86 is given twice"),
        (TENANT + '[[price]]\ntenant = "acme"\nprefix = ""\nprice = "-0.01"\n', "must not be negative"),
        (TENANT + 'timezone = "Mars/Olympus"\n', "is no time zone"),
        (TENANT + 'timezone = "../etc/passwd"\n', "is no time zone"),
        (TENANT + ACCOUNT + 'quota_window = "sliding"\n', "is none of calendar, rolling"),
        (TENANT + ACCOUNT + 'mode = "relay"\nduplicate_window_s = 5\n', 'duplicate_window_s needs mode = "store"'),
        (TENANT + PRICE + 'from = "2026-12-01"\n', "is no moment"),
        (TENANT + PRICE + "from = 2026-12-01T00:00:00\n", "an offset"),
        (TENANT + PRICE + 'operator = "x"\n', "there is no operator 'x'"),
        (TENANT + PRICE + 'route = "x"\n', "there is no route with name = 'x'"),
        (TENANT + PRICE + PRICE, "is given twice"),
        ('[[operator]]\nname = "x"\nprefixes = []\n', "at least one prefix"),
        (TENANT + ACCOUNT + '[[number]]\nnumber = "+1o"\naccount = "acme1"\n', "is no prefix"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(text: str, told: str):
    """Each mistake yields one line that says what to write instead."""
    (line,) = [error for error in errors(text) if told in error]
    assert line.startswith("p.toml")


def test_prices_are_named_by_what_they_are_for():
    """The same prefix may have prices for operators, routes and dates; a date may be written in both ways of TOML."""
    more = 'operator = "x"\ncategory = "otp"\nroute = "direct"\n'
    route = (
        CARRIER
        + LINK
        + '[[route]]\nprefix = ""\nlinks = ["alpha-1"]\nname = "direct"\n[[operator]]\nname = "x"\nprefixes = ["+86", "85"]\n'
    )
    dates = ['from = "2026-12-01T00:00:00+08:00"\n', "from = 2026-12-02T00:00:00Z\n"]
    file = parse_provisioning(TENANT + route + PRICE + PRICE + more + "".join(PRICE + date for date in dates))
    assert sorted(name for kind, name in file.entities if kind == "price") == [
        "acme/",
        "acme/;from=2026-11-30T16:00:00Z",
        "acme/;from=2026-12-02T00:00:00Z",
        "acme/;operator=x;category=otp;route=direct",
    ]
    assert file.entities["operator", "x"] == {"prefixes": ["85", "86"]}
    assert file.entities["route", ""]["name"] == "direct"


def test_secrets_stand_apart():
    """Passwords are in no entity and no repr; an account's reference is followed, a link's is kept."""
    text = TENANT + ACCOUNT + 'password = "secret"\n' + CARRIER + LINK + 'password = { env = "ALPHA" }\n'
    file = parse_provisioning(text)
    assert file.account_passwords == {"acme1": "secret"}
    assert file.link_passwords == {"alpha-1": {"env": "ALPHA"}}
    assert "secret" not in repr(file)
    assert all("password" not in values for values in file.entities.values())


def test_settings_of_the_model_are_taken_by_name():
    """An account's and a link's optional keys are those of the model, a version may be written as people say it."""
    settings = 'mode = "relay"\nin_doubt = "hold"\nallow_from = ["192.0.2.7/24"]\nquota_day = 5\n'
    dialect = 'interface_version = "5.0"\nnodes = [2, 1]\ndialect = { submit_id = "hex-to-dec", retryable = [88, 20] }\n'
    file = parse_provisioning(TENANT + ACCOUNT + settings + CARRIER + LINK + dialect)
    account, link = file.entities["account", "acme1"], file.entities["link", "alpha-1"]
    assert (account["mode"], account["in_doubt"], account["quota_day"]) == ("relay", "hold", 5)
    assert account["allow_from"] == ["192.0.2.0/24"]
    assert (link["interface_version"], link["nodes"]) == (0x50, [2, 1])
    assert link["dialect"] == {"submit_id": "hex-to-dec", "retryable": [20, 88]}


def test_the_example_explains_every_key():
    """With its comment signs taken away the shipped file names each key of each kind, and the optional ones with their defaults."""
    text = re.sub(r"^#(?=\w+ = |\[\[)", "", EXAMPLE, flags=re.MULTILINE)
    file = parse_provisioning(text)
    assert file.entities["account", "acme1"] == {"tenant": "acme"}
    assert file.entities["link", "alpha-1"] == {"carrier": "alpha", "host": "127.0.0.1", "port": 2776, "system_id": "gw"}
    for kind, shape in provisioning_file._TABLES.items():
        block = re.search(rf"\[\[{kind}\]\](.*?)(\[\[|\Z)", text, re.DOTALL)
        assert block is not None
        for key in shape.keys:
            assert re.search(rf"^{key} = ", block[1], re.MULTILINE), f"{kind}.{key} is not explained"
    for key in provisioning_file._DIALECT_KEYS:
        assert re.search(rf"\b{key} = ", text), f"dialect.{key} is not explained"


def test_every_setting_is_acted_on():
    """What a file may set is read somewhere."""
    rooms = ("journey", "tenants", "carriers", "policy", "store", "smpp")
    source = "".join(path.read_text(encoding="utf-8") for room in rooms for path in (PACKAGE / room).rglob("*.py"))
    source += (PACKAGE / "provisioned.py").read_text(encoding="utf-8")  # sums quotas up
    for key in provisioning_file._ACCOUNT_KEYS | provisioning_file._LINK_KEYS | provisioning_file._DIALECT_KEYS:
        assert re.search(rf"\.{key}\b|->> '{key}'", source), f"nothing acts on {key}"


def test_what_a_list_of_the_model_holds_is_known():
    """Of every setting that is a list, also where the model is compiled and its own annotations say no more than that."""
    source = (PACKAGE / "provisioned.py").read_text(encoding="utf-8")
    keys = [provisioning_file._settings_of(model)[0] for model in (Account, Link, Dialect, Tenant)]
    lists = {name: kind for one in keys for name, kind in one.items() if (get_origin(kind) or kind) in {tuple, frozenset}}
    assert "nodes" in lists
    for name, kind in lists.items():
        assert f"    {name}: {kind}" in source or name == "quotas", f"{name} is not {kind}"
    wrong = LINK + 'nodes = [1, "2"]\n[link.dialect]\nretryable = ["0x14"]\n'
    assert [told.split(": ", 1)[1] for told in errors(CARRIER + wrong)] == [
        "link.alpha-1.nodes: Expected `int`, got `str` - at `$[1]`",
        "link.alpha-1.dialect.retryable: Expected `int`, got `str` - at `$[0]`",
    ]


def test_numbers_and_prefixes_lose_their_plus():
    """A prefix with and without its plus is the same one."""
    file = parse_provisioning(TENANT + '[[price]]\ntenant = "acme"\nprefix = "+86"\nprice = "1"\n')
    assert file.entities["price", "acme/86"] == {"price": 1_000_000}


KEYS = ("tenant", "dialect", "links", "password", "price", "port", "name", "system_id", "allow_from", "nodes")
VALUES = ("1", "-1", "nan", "inf", "true", '"x"', "[]", "[[1]]", "{}", "{ file = 1 }", "1979-05-27", '{ env = "A", b = 1 }')
TABLES = st.builds(
    "[[{}]]\n{} = {}\n".format, st.sampled_from(["account", "link", "price"]), st.sampled_from(KEYS), st.sampled_from(VALUES)
)


@given(st.text(max_size=60) | st.lists(TABLES, max_size=3).map("".join))
def test_no_text_escapes_as_another_error(text: str):
    """Whatever a file holds, it is either read or refused with lines."""
    try:
        lines = list(parse_provisioning(text).entities)
    except ConfigError as error:
        lines = [("error", line) for line in error.errors]
    assert all(map(any, lines))
