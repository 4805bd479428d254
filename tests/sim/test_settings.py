from __future__ import annotations

from smsgw.sim.settings import CarrierSettings, TenantSettings


def test_passwords_are_not_shown() -> None:
    """No repr of a setting shows a password."""
    assert "geheim" not in repr(CarrierSettings(password="geheim")) + repr(TenantSettings(password="geheim"))
