"""Whom a command is about: a tenant or an account, by its kind and name. Words only; what they stand for is the store's affair."""

from __future__ import annotations

import enum
from typing import Annotated

import typer


class Kind(enum.StrEnum):
    """Whom a state, a legal hold, a report may be of."""

    TENANT = "tenant"
    ACCOUNT = "account"


Of = Annotated[Kind, typer.Argument(help="tenant or account.", metavar="tenant|account")]
Name = Annotated[str, typer.Argument(help="The tenant's name, or the account's system_id.")]
