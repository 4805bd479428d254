"""`smsgw demo` and `smsgw bench`: both read their own arguments, `--help` included."""

from __future__ import annotations

from typing import Final

import typer

PASSED_ON: Final = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def demo(context: typer.Context) -> None:
    """Show a whole gateway on this terminal: two carriers, three tenants, live traffic (--seconds N --check)."""
    from smsgw.demo.cli import main

    raise typer.Exit(main(context.args))


def bench(context: typer.Context) -> None:
    """Measure the whole life of a message against a bare relay and a direct connection."""
    from smsgw.bench.cli import main

    raise typer.Exit(main(context.args))
