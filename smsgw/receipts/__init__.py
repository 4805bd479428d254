"""Receipts: which message one means, what each account is owed for it. No sockets, no SQL, no waiting."""
