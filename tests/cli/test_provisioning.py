from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from smsgw.cli import build
from smsgw.store.embedded import EmbeddedServer
from tests.cli.commands import CONFIG, EXAMPLE, Command


def test_apply_shows_what_it_does_and_then_has_nothing_to_do(command: Command):
    """Changes go to standard output in the order in which they are made; a second apply exits 0 as well."""
    done = command.apply()
    assert (done.exit_code, done.stdout.splitlines()[0][:15]) == (0, "+ tenant 'acme'")
    assert "8 changes, now at version 1" in done.stderr
    again = command.apply()
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "nothing to change\n")


def test_a_dry_run_changes_nothing(command: Command):
    """The same lines are shown twice: the first time only shown."""
    shown, made = command.apply("--dry-run"), command.apply()
    assert shown.exit_code == 0
    assert shown.stdout == made.stdout
    assert "none of them made" in shown.stderr


def test_rollback_and_its_end(command: Command):
    """Rollback makes the last change undone; with no version before, it exits 4."""
    command.apply()
    command.apply(text=EXAMPLE.replace('"0.038"', '"0.04"'))
    done = command("rollback")
    assert (done.exit_code, done.stdout) == (0, "~ price 'acme/'  price 0.04 → 0.038\n")
    assert command("rollback").exit_code == 4


def test_a_bad_file_changes_nothing_and_exits_78(command: Command):
    """Every error is on standard error, one a line, for check and for apply."""
    bad = EXAMPLE.replace("window = 50 ", "windo = 50 ").replace('"CNY"', '"yuan"')
    done = command.apply(text=bad)
    assert done.exit_code == 78
    assert len(done.stderr.splitlines()) == 2
    assert command("check", str(command.file)).stderr == done.stderr


def test_check_is_content_with_the_shipped_files():
    """config/smsgw.toml and config/provisioning.toml are right as they are."""
    done = CliRunner().invoke(build("check"), ["check", str(CONFIG / "provisioning.toml"), "-c", str(CONFIG / "smsgw.toml")])
    assert (done.exit_code, done.stdout) == (0, "ok\n")


def test_a_database_that_does_not_answer_is_69(tmp_path: Path):
    """Without a server behind the dsn, apply says so and exits 69."""
    done = Command(tmp_path, "postgresql://nobody@127.0.0.1:1/none").apply()
    assert (done.exit_code, "does not answer" in done.stderr) == (69, True)


def test_a_file_that_is_not_there_is_78(command: Command):
    """A file that cannot be read is named."""
    done = command("apply", "nowhere.toml")
    assert (done.exit_code, done.stderr) == (78, "nowhere.toml: cannot be read: No such file or directory\n")


def test_the_embedded_server_runs_only_for_the_moment(tmp_path: Path, scratch: Path):
    """With no gateway running, apply starts the server under data_dir, and stops it again."""
    command = Command(tmp_path, "embedded", scratch)
    assert command.apply().exit_code == 0
    assert EmbeddedServer(scratch).pid is None
    assert command.apply().stderr == "nothing to change\n"
    assert EmbeddedServer(scratch).pid is None


def test_check_looks_at_the_certificates_of_the_api(command: Command, tmp_path: Path):
    """A file that is not there, and one that is no certificate, are told before anything is served."""
    before = command.config.read_text(encoding="utf-8")
    (tmp_path / "x.pem").write_text("no certificate", encoding="utf-8")
    command.config.write_text(f'{before}[api]\ntls_cert = "{tmp_path}/x.pem"\ntls_key = "{tmp_path}/none.pem"\n', encoding="utf-8")
    checked = command("check")
    assert checked.exit_code == 78
    assert f"api.tls_key: {tmp_path}/none.pem cannot be read" in checked.stderr
    (tmp_path / "none.pem").write_text("no key", encoding="utf-8")
    assert "api.tls_cert, api.tls_key: " in command("check").stderr
