from __future__ import annotations

from pathlib import Path

import pytest

from smsgw import config
from smsgw.admin.provisioning import parse_provisioning
from smsgw.demo import scene


def test_the_settings_are_good(tmp_path: Path) -> None:
    """The smsgw.toml of the demo is read without an error, and is durable as in production."""
    read = config.parse(scene.config_text(tmp_path, 2775, 8080))
    assert read.smpp.listen == ("127.0.0.1:2775",)
    assert (read.database.dsn, read.database.unsafe) == ("embedded", False)


def test_the_provisioning_is_good() -> None:
    """Three tenants, two carriers and an account for one's own client are read without an error."""
    entities = parse_provisioning(scene.provisioning_text(2776, 2777)).entities
    names = {kind: sorted(name for of, name in entities if of == kind) for kind, _ in entities}
    assert names["tenant"] == ["acme", "bolt", "nova"]
    assert names["account"] == ["acme1", "bolt1", "nova1", "you"]
    assert names["link"] == ["alpha-1", "beta-1"]


@pytest.mark.parametrize("carrier", [scene.ALPHA, scene.BETA])
def test_no_carrier_loses_a_receipt(carrier: object) -> None:
    """Faults are shown that leave every message with an end: none is swallowed, no receipt is lost."""
    settings = scene.ALPHA if carrier is scene.ALPHA else scene.BETA
    assert (settings.shares.lost, settings.shares.mute, settings.silent_after) == (0.0, 0.0, 0)
