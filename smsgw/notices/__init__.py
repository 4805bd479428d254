"""Notices: what tenants are told outside SMPP. Written by whoever has something to tell (`store.notices`), delivered here."""

from __future__ import annotations
