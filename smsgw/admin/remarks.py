"""What an operator may stumble over in a provisioning file although nothing in it is wrong: said by `apply`.

Never here: a reason to refuse; a secret.
"""

from __future__ import annotations

from smsgw.admin.provisioning_file import ProvisioningFile
from smsgw.billing.tariff import format_money
from smsgw.config import ConfigError, resolve
from smsgw.store import balances, credentials
from smsgw.store import provisioning as store
from smsgw.store.database import Connection
from smsgw.store.provisioning import Entities


async def remarks(connection: Connection, file: ProvisioningFile, live: Entities) -> tuple[str, ...]:
    """Return a line for each, in the order of the file; `live`: what is provisioned before it is applied."""
    notes = []
    former = await store.retired(connection, "tenant")
    secrets = await credentials.all_secrets(connection)
    for kind, name in file.entities:
        opening = file.openings.get(name, 0)
        if kind == "account" and name not in file.account_passwords:
            if name not in secrets:
                notes.append(f"account {name!r} has no password: it cannot bind (smsgw secret rotate makes one)")
        elif kind == "tenant" and (kind, name) in live:
            opened = await balances.opening_of(connection, name)
            if opened != opening:
                notes.append(f"tenant {name!r} was opened with {format_money(opened)}: its balance in the file is not used again")
        elif kind == "tenant" and name in former:
            notes.append(f"tenant {name!r} was here before: its old balance goes on, the one in the file is not used")
        elif kind == "tenant" and opening:
            notes.append(f"tenant {name!r} is opened with a balance of {format_money(opening)}, booked this once")
    return (*notes, *_references(file))


def _references(file: ProvisioningFile) -> list[str]:
    """Return which links' passwords are kept where this process cannot read them; a gateway may run elsewhere."""
    found = []
    for name, password in file.link_passwords.items():
        try:
            resolve(password, f"link {name!r}: its password")
        except ConfigError as error:
            found.append(f"{error}; a gateway that cannot read it either does not dial the link")
    return found
