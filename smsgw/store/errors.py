"""Why the store will not serve: two kinds of error, each with the exit code of the process.

Promises that the text tells an operator what is wrong and what to do, and names no secret. Never used for a statement
that fails while serving: those belong to the unit of work.
"""

from __future__ import annotations

from typing import ClassVar


class StoreError(Exception):
    """The database cannot be used; `str()` is for the operator, `exit_code` for the process (sysexits)."""

    exit_code: ClassVar[int]


class DatabaseRefused(StoreError):
    """The set-up is wrong and stays wrong until someone changes it: a retry does not help."""

    exit_code = 78


class DatabaseUnavailable(StoreError):
    """The server does not answer or does not start, for a reason that may pass."""

    exit_code = 69
