from __future__ import annotations

from pathlib import Path

from smsgw.admin.provisioning import apply
from smsgw.admin.provisioning_file import parse_provisioning
from smsgw.admin.remarks import remarks
from smsgw.admin.sealing import load_key
from smsgw.store.database import Connection
from tests.rig import provisioning


async def test_an_opening_balance_is_told_before_it_is_booked(connection: Connection, tmp_path: Path):
    """A new tenant's balance is told by --dry-run too; once it is booked nothing more is said of it."""
    file = parse_provisioning(provisioning(1))
    told = "tenant 'acme' is opened with a balance of 1000000.00, booked this once"
    assert (await apply(connection, file, actor="test", seal=load_key(tmp_path), dry_run=True)).notes == (told,)
    assert (await apply(connection, file, actor="test", seal=load_key(tmp_path))).notes == (told,)
    assert (await apply(connection, file, actor="test", seal=load_key(tmp_path))).notes == ()


async def test_a_password_that_cannot_be_read_here_is_told(connection: Connection, tmp_path: Path):
    """A link's password that is kept in a file is looked for: where it is not, apply says which and what comes of it."""
    secret = tmp_path / "secret"
    text = provisioning(1).replace('password = "gw"', f'password = {{file = "{secret}"}}')
    (missing,) = (note for note in await remarks(connection, parse_provisioning(text), {}) if note.startswith("link"))
    assert missing.startswith(f"link 'alpha-1': its password: {secret} cannot be read: No such file")
    assert "does not dial" in missing
    secret.write_text("gw")
    assert not [note for note in await remarks(connection, parse_provisioning(text), {}) if note.startswith("link")]
