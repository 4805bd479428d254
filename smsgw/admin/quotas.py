"""What accounts have used of their quotas at a moment, and when there will be room again.

Reads only. Never here: SQL; what counts (that is the unit of work's).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from smsgw.admin.standing import NotFound
from smsgw.model import QUOTA_SPANS
from smsgw.store import limits, provisioned
from smsgw.store.database import Connection
from smsgw.store.quotas import ROLLING, windows_of


async def usage(connection: Connection, moment: float, system_id: str | None = None) -> list[dict[str, Any]]:
    """Return a row for each quota of an account, or of all. Raises NotFound."""
    live = await provisioned.read(connection, lambda _stored: "")
    accounts = [account for account in live.accounts if system_id in {None, account.system_id}]
    if not accounts and system_id is not None:
        raise NotFound(f"there is no account {system_id!r}")
    rows = []
    for account in accounts:
        for _, span, since, start, till, messages, parts in windows_of(account, int(moment)):
            used, used_parts = await limits.used(connection, account.id, span, since, start)
            rows.append(
                {
                    "account": account.system_id,
                    "tenant": account.tenant.name,
                    "window": QUOTA_SPANS[span % ROLLING],
                    "kind": account.quota_window,
                    "messages": used,
                    "of_messages": messages or None,
                    "parts": used_parts,
                    "of_parts": parts or None,
                    "from": datetime.fromtimestamp(since, UTC),
                    "until": datetime.fromtimestamp(till, UTC) if span < ROLLING else None,
                }
            )
    return rows
