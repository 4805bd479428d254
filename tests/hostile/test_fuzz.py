"""The short form of `make fuzz`."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz import fuzz

COUNT = 10_000


async def test_mutated_pdus_harm_nobody(database: str, tmp_path: Path):
    """10,000 mutated PDUs from tenants and a carrier: none raises, hangs a session, harms a neighbour or stays in memory."""
    figures = await fuzz(database, tmp_path, COUNT, seed=2_026)
    assert figures.faults == []
    assert figures.read >= COUNT
    assert min(figures.from_carrier, figures.accepted, figures.neighbour) > 0
