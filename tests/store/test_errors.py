from __future__ import annotations

from smsgw.store.errors import DatabaseRefused, DatabaseUnavailable, StoreError


def test_exit_codes_are_those_of_sysexits():
    """A wrong set-up ends the process with 78 (systemd does not restart it), a server that is away with 69."""
    assert (DatabaseRefused.exit_code, DatabaseUnavailable.exit_code) == (78, 69)
    assert issubclass(DatabaseRefused, StoreError)
    assert issubclass(DatabaseUnavailable, StoreError)
