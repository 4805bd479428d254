"""Telemetry: logs, the message record line, and every metric, declared here.

The hot path increments plain integers and appends plain records; a collector reads the integers at a scrape and a thread
writes the records. Secrets, content and full phone numbers never get here: numbers come masked.
"""

from __future__ import annotations

from smsgw.telemetry.collector import Exposition
from smsgw.telemetry.logs import hide_numbers, mask, setup_logging
from smsgw.telemetry.meters import AccountMeter, Histogram, LinkMeter, Meters, ProcessMeter
from smsgw.telemetry.records import Record, RecordLog

__all__ = [
    "AccountMeter",
    "Exposition",
    "Histogram",
    "LinkMeter",
    "Meters",
    "ProcessMeter",
    "Record",
    "RecordLog",
    "hide_numbers",
    "mask",
    "setup_logging",
]
