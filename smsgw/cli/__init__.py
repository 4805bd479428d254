"""The command line: a thin face of admin/ and of files.

    serve  check  apply  rollback        run a gateway, and what it serves
    tenant  account  secret  state  notice   who they are, how they stand, what they were told
    price  quota  policy                 what messages cost, how many there may be; a rule set tried on what was sent
    token                                who may use the HTTP API
    balance  fee                         what tenants have to spend: top up, adjust, settle, refund, history; what paying late costs
    statement  reconcile  export         closing documents, a carrier's file compared, a tenant's own data
    content  report                      what messages said: read, purge, hold; a bundle for an authority
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

from typing import Annotated

import typer

from smsgw.cli import (
    audit,
    balance,
    complaint,
    consent,
    content,
    doctor,
    export,
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


def build() -> typer.Typer:
    """Return the command line with all its commands."""
    app = typer.Typer(
        name="smsgw",
        help="A durable, billed SMPP gateway: tenants' ESMEs in, carriers' SMSCs out, every receipt back.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    app.command()(serve.serve)
    provisioning.mount(app)
    app.add_typer(tenant.tenants, name="tenant")
    app.add_typer(tenant.accounts, name="account")
    app.add_typer(secret.app, name="secret")
    app.add_typer(state.app, name="state")
    app.add_typer(review.app, name="review")
    app.add_typer(tenant.notices, name="notice")
    app.add_typer(policy.app, name="policy")
    app.add_typer(token.app, name="token")
    app.add_typer(price.app, name="price")
    app.add_typer(content.app, name="content")
    app.add_typer(report.app, name="report")
    app.add_typer(audit.app, name="audit")
    app.command()(quota.quota)
    app.add_typer(balance.build())
    app.add_typer(fee.app, name="fee")
    app.command()(statement.statement)
    app.command()(export.reconcile)
    app.add_typer(export.exports, name="export")
    app.add_typer(optout.app, name="optout")
    app.add_typer(optout.block, name="block")
    app.add_typer(consent.app, name="consent")
    app.add_typer(complaint.app, name="complaint")
    app.command()(show.show)
    app.command()(message)
    app.command()(why)
    app.command()(doctor.doctor)
    app.command()(serve.health)
    app.command()(serve.version)
    app.command(context_settings=trial.PASSED_ON)(trial.demo)
    app.command(context_settings=trial.PASSED_ON)(trial.bench)
    return app


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=serve.main_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Take what stands before the command."""
