"""`smsgw token`: who may use the HTTP API. A new token is written to standard output once, and nowhere else, ever.

add   list   revoke

Exit codes: 0, 2 called wrongly, 3 no such token, 4 a name that was given before, 69 and 78 as in sysexits.h.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, stored

if TYPE_CHECKING:
    from smsgw.admin.tokens import Made
    from smsgw.store.database import Connection
    from smsgw.store.tokens import Token

Name = Annotated[str, typer.Argument(help="What the audit calls it; a name is given once.")]

app = typer.Typer(help="Tokens of the HTTP API: made by smsgw, shown once.", no_args_is_help=True)


@app.command()
def add(
    name: Name,
    *,
    may: Annotated[
        str, typer.Option("--may", help="What it may, with commas: policy.read,policy.write,content.read,message.cancel.")
    ],
    expires: Annotated[str, typer.Option(help="Until when it works: 2026-12-31, that day included (UTC), or a moment.")] = "",
    reason: stored.Reason = "",
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Make a token and show it, this once."""
    who = stored.who(actor)

    async def run(connection: Connection) -> Made:
        from smsgw.admin import tokens

        granted = [word.strip() for word in may.split(",") if word.strip()]
        return await tokens.add(connection, name, granted, tokens.end_of(expires), who, reason, dry_run=dry_run)

    made = stored.ask(config, run)
    until = made.expires.isoformat() if made.expires is not None else None
    # not as a table: a terminal that is narrow would break the token in two
    face.print_one({"name": made.name, "may": list(made.may), "expires": until, "token": made.secret or None}, json=json)
    stored.done(dry_run=dry_run)
    if made.secret:
        print("this is the only time that the token is shown: keep it where a password would be kept", file=sys.stderr)


@app.command("list")
def list_(config: face.ConfigPath = face.CONFIG, *, json: stored.Json = False) -> None:
    """Show all tokens: what they may, by whom they were made, when they were last used. Never the token."""
    from smsgw.store import tokens

    stored.show([_row(token) for token in stored.ask(config, tokens.every)], "tokens", json=json)


@app.command()
def revoke(
    name: Name,
    *,
    reason: stored.Reason = "",
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
) -> None:
    """Take a token away: from the next request on it works no more."""
    from smsgw.admin import tokens

    who = stored.who(actor)
    made = stored.ask(config, lambda connection: tokens.revoke(connection, name, actor=who, reason=reason, dry_run=dry_run))
    stored.done(dry_run=dry_run, made=made)


def _row(token: Token) -> dict[str, Any]:
    state = "works" if token.live else "revoked" if token.revoked is not None else "expired"
    dates = {"made": token.at, "expires": token.expires, "used": token.used, "revoked": token.revoked}
    return {"name": token.name, "state": state, "may": list(token.may), "by": token.actor, **dates}
