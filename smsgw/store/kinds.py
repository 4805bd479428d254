"""The kinds of audit rows, and what a row of each means to a daemon that follows what is provisioned. Words only.

Every change leaves its audit row in the same transaction. The newest of those that provision is the version that daemons compare;
what people do to books, to messages and to what is kept is audited alone, and nobody reads anything again for it.

Must never: leave out of `BOOKED` a kind that messages write: every gateway would read everything again at each.
"""

from __future__ import annotations

from typing import Final

BOOKED: Final = (
    "'balance', 'refund', 'statement', 'export', 'late_fee', 'review', 'content', 'legal_hold', 'report', "
    "'opt_out', 'block', 'consent', 'complaint', 'api_token'"
)
"""Kinds of what people do to books, messages and what is kept, as SQL: audited, not provisioned."""
PROVISIONED: Final = f"kind NOT IN ({BOOKED})"

OF_ACCOUNTS: Final = frozenset({"account", "account_state", "secret"})
"""Kinds that change an account."""
OF_TENANTS: Final = frozenset({"tenant_state"})
"""Kinds that change all accounts of a tenant."""
OF_NEITHER: Final = frozenset(
    {"account_warning", "account_appeal", "tenant_warning", "tenant_appeal", "tenant_term", "tenant_profile", "price_notice"}
)
"""Kinds that change nothing that the data path reads."""
APART: Final = OF_ACCOUNTS | OF_TENANTS | OF_NEITHER
"""Kinds after which a few accounts are read, and not everything."""
