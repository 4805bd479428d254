"""The process's settings: what a file may say, and how everything that is wrong in it is told at once."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw import config
from smsgw.config import Config, ConfigError

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "smsgw.toml"


def errors_of(text: str) -> list[str]:
    """What parse says of a bad file."""
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    return caught.value.errors


def test_an_empty_file_is_all_defaults():
    """Nothing has to be set."""
    assert config.parse("") == Config()


def test_the_names_that_scripts_rely_on():
    """Sections, keys and defaults of the design stay as they are."""
    settings = config.parse(
        """
        [node]
        id = 1
        data_dir = "/var/lib/smsgw"
        [database]
        dsn = "embedded"
        [smpp]
        listen = ["127.0.0.1:2775"]
        tls_listen = []
        tls_cert = ""
        tls_key = ""
        [admin]
        listen = "127.0.0.1:8080"
        [log]
        format = "json"
        level = "info"
        messages = "all"
        """
    )
    assert settings == Config()


def test_the_shipped_file_is_all_defaults():
    """config/smsgw.toml may be used as it is."""
    assert config.load(SHIPPED) == Config()


def test_the_shipped_file_explains_every_setting():
    """With its comment signs taken away, config/smsgw.toml names every setting with its default."""
    text = re.sub(r"^#(?=\w+ = )", "", SHIPPED.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert config.parse(text) == Config()
    for section in msgspec.structs.fields(Config):
        for key in msgspec.structs.fields(section.type):
            assert re.search(rf"^{key.name} = ", text, re.MULTILINE), f"{section.name}.{key.name} is not explained"


def test_every_error_is_told_at_once():
    """File, line, key and hint of each thing that is wrong, in the order of the file."""
    assert errors_of('[smpp]\nlsiten = 1\nmax_pdu = 3\n[nod]\n[node]\nid = 5000\n[log]\nlevel = "loud"') == [
        "smsgw.toml:2: smpp.lsiten is not known: did you mean listen?",
        "smsgw.toml:3: smpp.max_pdu: must be a whole number of at least 1024",
        "smsgw.toml:4: nod is no section: did you mean node?",
        "smsgw.toml:6: node.id: must be a whole number of at most 1023",
        "smsgw.toml:8: log.level: 'loud' is none of debug, info, warning, error",
    ]
    assert ConfigError([]).exit_code == 78


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[smpp]\nlisten = 'x:1'", "must be a list: [ ]"),
        ("[smpp]\nlisten = ['x']", "'x' is no address"),
        ("[smpp]\nlisten = ['::1:2775']", "[host]:port for IPv6"),
        ("[smpp]\nlisten = ['x:65536']", "is no address"),
        ("[smpp]\nlisten = []", "no tenant could reach"),
        ("[smpp]\nlisten = ['a:1', 'a:1']", "a:1 is listened on twice"),
        ("[smpp]\nstalled_s = nan", "must be a number"),
        ("[smpp]\nstalled_s = inf", "must be a number of at most"),
        ("[smpp]\nsystem_id = 'sixteen-letters-'", "at most 15 printable ASCII"),
        ("[smpp]\nbind_status_34 = 1", "must be true or false"),
        ("[compliance]\ncountry_code = '+86'\nnational_digits = 11", 'such as "86"'),
        ("[compliance]\ncountry_code = '86'", "country_code and national_digits go together"),
        ("[node]\ndata_dir = ''", "must name a directory"),
        ("[node]\nnew = 1", "it belongs to [unit_of_work]"),
        ("[database]\ndsn = 'mysql://x'", 'must be "embedded" or postgresql://'),
        ("[database]\ndsn = {vault = 'x'}", "a reference is {file"),
        ("[unit_of_work]\nundecided = 1", "less than one cycle takes"),
        ("smpp = 3", "must be a section: [smpp]"),
        ("[smpp\n", "smsgw.toml: "),
    ],
)
def test_what_is_wrong_is_said_in_the_files_words(text: str, said: str):
    """Each mistake has a message that tells what to write instead."""
    errors = errors_of(text)
    assert len(errors) == 1
    assert said in errors[0]


def test_tls_needs_a_certificate_and_its_key():
    """An address for TLS alone is a contradiction, told once for each missing file."""
    assert [error.partition("needs ")[2][:8] for error in errors_of("[smpp]\ntls_listen = [':3550']")] == ["tls_cert", "tls_key:"]


def test_a_file_that_cannot_be_read_is_one_error(tmp_path: Path):
    """No traceback for a missing or a binary file."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, said in (("none", "cannot be read: No such file"), ("binary", "is not UTF-8 at octet 0")):
        with pytest.raises(ConfigError, match=said):
            config.load(tmp_path / name)


def test_files_that_are_missing_are_found_by_check(tmp_path: Path):
    """Reading the settings opens no certificate; `missing_files` does."""
    settings = config.parse(f'[smpp]\ntls_listen = [":3550"]\ntls_cert = "{tmp_path}/cert"\ntls_key = "{tmp_path}/key"')
    (tmp_path / "cert").touch()
    assert config.missing_files(settings) == [f"smpp.tls_key: {tmp_path}/key cannot be read: No such file or directory"]


def test_no_password_is_shown():
    """The dsn's password is in no repr of the settings."""
    for dsn in ("postgresql://user:hunter2@host/db", "postgresql:///db?user=u&password=hunter2"):
        shown = repr(config.parse(f'[database]\ndsn = "{dsn}"'))
        assert "hunter2" not in shown
        assert "***" in shown


@given(st.text())
def test_any_text_is_settings_or_an_error(text: str):
    """No file makes the reader fail in another way."""
    try:
        assert isinstance(config.parse(text), Config)
    except ConfigError as error:
        assert error.errors  # noqa: PT017 - both ends are right


@given(st.recursive(st.integers() | st.floats() | st.booleans() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_any_value_is_taken_or_refused_by_name(value: object):
    """Whatever stands behind a key, the answer names the key."""
    for key in ("listen", "max_pdu", "session_init_s", "bind_status_34", "tls_cert"):
        reading = config._Reading("smsgw.toml", "")
        reading.section("smpp", {key: value})
        assert all(f"smpp.{key}" in error for error in reading.errors)


def test_the_api_is_off_unless_it_has_an_address():
    """An address of its own, with certificate and key or neither."""
    assert config.parse('[api]\nlisten = ""').api == Config().api
    assert config.parse('[api]\nlisten = "127.0.0.1:8081"').api.listen == "127.0.0.1:8081"
    assert "is no address" in errors_of('[api]\nlisten = "8081"')[0]
    assert "is listened on twice" in errors_of('[api]\nlisten = "127.0.0.1:8080"')[0]
    assert "tls_cert and tls_key go together" in errors_of('[api]\ntls_cert = "x.pem"')[0]
    assert "at most 64" in errors_of("[api]\nchecks = 65")[0]
