"""Perl's Net::SMPP against the real process."""

from __future__ import annotations

from pathlib import Path

from tests.interop.letters import LETTERS, plan
from tests.interop.scene import scene

SCRIPT = Path(__file__).with_name("esme.pl")
SESSIONS = [("trx", 0x34), ("pair", 0x34), ("pair", 0x33), ("trx", 0x50)]


async def test_net_smpp(database: str, tmp_path: Path, perl_environment: dict[str, str]):
    """Every letter on a transceiver, transmitters with receivers, 3.3 to 5.0: all comes through and back."""
    letters = [LETTERS if kind == "trx" else LETTERS[:9] for kind, _ in SESSIONS]
    asked = [{"kind": kind, "version": version, "letters": own} for (kind, version), own in zip(SESSIONS, letters, strict=True)]
    async with scene(database, tmp_path) as stage:
        told = await stage.run(["perl", SCRIPT], plan(stage.tap.port, asked), perl_environment)
        await stage.check([letter for own in letters for letter in own], told)
