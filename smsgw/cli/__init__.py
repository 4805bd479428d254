"""The command line: a thin face of admin/ and of files.

    serve  check  apply  rollback        run a gateway, and what it serves
    tenant  account  secret  state  notice   who they are, how they stand, what they were told
    price  quota  policy                 what messages cost, how many there may be; a rule set tried on what was sent
    token                                who may use the HTTP API
    balance  fee                         what tenants have to spend: top up, adjust, settle, refund, history; what paying late costs
    statement  reconcile  export         closing documents, a carrier's file compared, a tenant's own data
    content  report                      what messages said: read, purge, hold; a bundle for an authority
    review  cancel                       what waits for a person; what was accepted and is not to be sent
    audit                                who changed what and why, as a chain of hashes
    optout  block  consent  complaint        what recipients said: who is sent what no more, and what they complained of
    show  message  why                   look at a gateway; what became of a message, and what would of another
    doctor  health  version              is it well
    demo  bench                          try it, measure it

Each command lives in a module of its own and imports what it needs when it runs: `smsgw health` must not load a database
driver.

Must never: do what `smsgw.admin` does: a command asks it, and shows what it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final

import typer

from smsgw.cli import (
    audit,
    balance,
    cancel,
    complaint,
    consent,
    content,
    doctor,
    export,
    face,
    fee,
    optout,
    policy,
    price,
    provisioning,
    quota,
    report,
    review,
    secret,
    serve,
    show,
    state,
    statement,
    tenant,
    token,
    trial,
)
from smsgw.cli.message import message
from smsgw.cli.why import why

RUN, LOOK, MONEY, TRY = "Run a gateway", "Look at one", "Money", "Try it"
_COMMANDS: Final[Mapping[str, Sequence[Callable[..., None]]]] = {
    RUN: (serve.serve, provisioning.check, provisioning.apply, provisioning.rollback),
    LOOK: (show.show, message, why, doctor.doctor, serve.health, serve.version),
    MONEY: (quota.quota, statement.statement, export.reconcile),
    TRY: (trial.demo, trial.bench),
}
_GROUPS: Final[Mapping[str, Mapping[str, typer.Typer]]] = {
    "Tenants and their accounts": {
        "tenant": tenant.tenants,
        "account": tenant.accounts,
        "secret": secret.app,
        "state": state.app,
        "notice": tenant.notices,
        "token": token.app,
    },
    MONEY: {"balance": balance.build(), "price": price.app, "fee": fee.app, "export": export.exports},
    "Messages and recipients": {
        "policy": policy.app,
        "review": review.app,
        "cancel": cancel.app,
        "content": content.app,
        "optout": optout.app,
        "block": optout.block,
        "consent": consent.app,
        "complaint": complaint.app,
    },
    "Evidence": {"audit": audit.app, "report": report.app},
}
"""Under which heading of `smsgw --help` each command stands, and each group of them."""


def build(name: str = "") -> typer.Typer:
    """Return the command line: with the command of this name alone, for who runs no other, or with all of them.

    To take in all their options costs ten times what most commands do.
    """
    app = typer.Typer(
        name="smsgw",
        help="A durable, billed SMPP gateway: tenants' ESMEs in, carriers' SMSCs out, every receipt back.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    commands = {command.__name__: (panel, command) for panel, of in _COMMANDS.items() for command in of}
    groups = {group: (panel, given) for panel, of in _GROUPS.items() for group, given in of.items()}
    known = name in commands or name in groups
    for called, (panel, command) in commands.items():
        if not known or called == name:
            app.command(context_settings=trial.PASSED_ON if panel == TRY else None, rich_help_panel=panel)(command)
    for called, (panel, given) in groups.items():
        if not known or called == name:
            app.add_typer(given, name=called, rich_help_panel=panel)
    return app


def _options(
    *,
    version: Annotated[bool, face.flag("--version", callback=serve.main_version, is_eager=True, help="Say the version.")] = False,
) -> None:
    """Take what stands before the command."""
