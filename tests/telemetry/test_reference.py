"""docs/observability.md tells of everything that there is, and of nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from smsgw.telemetry import Record
from tests.telemetry.test_rules import exported

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "observability.md").read_text(encoding="utf-8")
SUFFIXES = re.compile(r"_(bucket|count|sum)$")


def test_every_metric_is_explained(tmp_path: Path):
    """Each metric of ours has a row, and each row a metric."""
    rows = set(re.findall(r"^\| `(smsgw_\w+)` \|", TEXT, re.MULTILINE))
    names = {name for name in exported(tmp_path) if name.startswith("smsgw_")}
    histograms = {SUFFIXES.sub("", name) for name in names if f"{SUFFIXES.sub('', name)}_bucket" in names}
    plain = {name for name in names if SUFFIXES.sub("", name) not in histograms}
    assert rows == plain | histograms


def test_every_key_of_a_record_line_is_explained():
    """The table of keys is that of the record line."""
    section = TEXT.partition("## Record lines")[2].partition("## Logs")[0]
    keys = [key for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)]
    assert keys == ["event", *(field.name for field in msgspec.structs.fields(Record))]
