"""Billing: what a message costs, and what comes back. Integers of 10⁻⁶ of the currency; the books themselves are in the store."""
