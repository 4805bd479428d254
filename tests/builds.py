"""What only the plain build can be tested by."""

from __future__ import annotations

import pytest

from smsgw.telemetry.build import BUILD

plain_only = pytest.mark.skipif(BUILD == "compiled", reason="a stand-in, a replaced function, or calls that are counted")
"""Compiled code takes no stand-ins, calls its own functions without looking them up, and is not seen by a profiler."""
