"""PostgreSQL: the only room that holds SQL and imports asyncpg.

Promises that what it reports as committed is durable. Must never decide policy, price or routes: it keeps what the
rooms above decided.
"""

from __future__ import annotations
