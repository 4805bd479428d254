"""Reports: closing documents, partners' statements, differences with a carrier's file, bundles. Pure; no store, no clock."""

from __future__ import annotations
