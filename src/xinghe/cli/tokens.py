"""`xinghe token`: make, list, cap and revoke access tokens."""

from typing import Any, Literal

import click

from xinghe.accounts import (
    DEFAULT_MEMBER,
    DEFAULT_SCOPES,
    SCOPES,
    AccessToken,
    Members,
    Tokens,
)
from xinghe.accounts.playground import check_token_name
from xinghe.cli.common import (
    MEMBER,
    Amount,
    AmountOrNone,
    Validated,
    WithAmount,
    actor,
    data_option,
    expires_option,
    models_option,
    moment,
    or_none,
    run,
    show,
    shown_options,
    tokens,
)
from xinghe.ledger import PERIODS, Period
from xinghe.storage import Database, now


@click.group()
def token() -> None:
    """Access tokens: what a client sends as its API key."""


@token.command()
@click.option(
    "--member",
    "--account",
    "member",
    type=MEMBER,
    default=DEFAULT_MEMBER,
    show_default=True,
    metavar="NAME",
    help="Whose token. The member default is made if there is nobody at all.",
)
@click.option(
    "--name",
    type=Validated("name", check_token_name),
    default="token",
    show_default=True,
    help="What the usage details call it.",
)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    default=DEFAULT_SCOPES,
    show_default=True,
    help="What it may do; repeat for several.",
)
@models_option
@expires_option
@click.option("--cap", type=Amount(least=0), metavar="TOKENS", help="The most that it may spend.")
@click.option(
    "--cap-per",
    type=click.Choice(PERIODS),
    help="What the cap is for: an hour, a day, a week, a month (UTC), or all.  [default: total]",
)
@data_option
def create(
    *,
    member: str,
    name: str,
    scopes: tuple[str, ...],
    models: tuple[str, ...],
    expires: int | None,
    cap: int | None,
    cap_per: Period | None,
    data: str | None,
) -> None:
    """Make a token. It is printed this once, alone on standard output.

    For example: export OPENAI_API_KEY=$(xinghe token create --expires 90d)
    """

    if cap_per is not None and cap is None:
        raise click.UsageError("--cap-per needs --cap")

    async def action(database: Database) -> str:
        made = member == DEFAULT_MEMBER and await Members(database, actor=actor()).ensure_default()
        if made:
            click.echo(f"made the member {DEFAULT_MEMBER!r}", err=True)
        return await Tokens(database, actor=actor()).create(
            member,
            name=name,
            scopes=scopes,
            models=models or None,
            expires_at=expires,
            cap=cap,
            cap_per=cap_per or "total",
        )

    secret = run(data, action, create=member == DEFAULT_MEMBER)
    click.echo("keep it safe: it is not shown again", err=True)
    click.echo(secret)


@token.command("list")
@click.option(
    "--member", "--account", "member", type=MEMBER, metavar="NAME", help="Only his tokens."
)
@shown_options
def list_tokens(member: str | None, data: str | None, as_json: bool) -> None:
    """List the tokens, the oldest first; the secrets are not kept."""
    found = run(data, lambda db: Tokens(db).list(member))
    show([_view(each) for each in found], as_json=as_json)


@token.command()
@click.argument("token_id", metavar="ID|PUBLIC-ID")
@shown_options
def revoke(token_id: str, data: str | None, as_json: bool) -> None:
    """Revoke a token by its number or its public id (the part between the dashes).

    It is refused from the next request on. To revoke it again is no error.
    """
    revoked = run(data, lambda db: Tokens(db, actor=actor()).revoke(token_id))
    show(_view(revoked), as_json=as_json)


@token.command()
@click.argument("token_id", metavar="ID|PUBLIC-ID")
@click.option("--name", type=Validated("name", check_token_name), help="What it is called.")
@click.option("--scope", "scopes", type=click.Choice(SCOPES), multiple=True, help="All it may do.")
@models_option
@click.option("--all-models", is_flag=True, help="Have it use whatever model.")
@expires_option
@click.option("--never-expires", is_flag=True, help="Have it be valid for ever.")
@shown_options
def change(
    *,
    token_id: str,
    name: str | None,
    scopes: tuple[str, ...],
    models: tuple[str, ...],
    all_models: bool,
    expires: int | None,
    never_expires: bool,
    data: str | None,
    as_json: bool,
) -> None:
    """Change what a token is called and allows; what is not given stays as it is.

    The very next request with it is held to what it allows then.
    """
    if (models and all_models) or (expires is not None and never_expires):
        raise click.UsageError("--model or --all-models; --expires or --never-expires")
    changes: dict[str, Any] = {}
    for field, value in (("name", name), ("scopes", scopes), ("models", models)):
        changes |= {field: value} if value else {}
    if expires is not None:
        changes["expires_at"] = expires
    changes |= {"models": None} if all_models else {}
    changes |= {"expires_at": None} if never_expires else {}
    changed = run(data, lambda db: Tokens(db, actor=actor()).change(token_id, **changes))
    show(_view(changed), as_json=as_json)


@token.command("cap", cls=WithAmount)
@click.argument("token_id", metavar="ID|PUBLIC-ID")
@click.argument("amount", type=AmountOrNone(least=0), metavar="TOKENS|none")
@click.option(
    "--cap-per",
    type=click.Choice(PERIODS),
    help="For each hour, day, week or month (UTC), or in total.  [default: as before, else total]",
)
@shown_options
def set_cap(
    *,
    token_id: str,
    amount: int | Literal["none"],
    cap_per: Period | None,
    data: str | None,
    as_json: bool,
) -> None:
    """Set the most that a token may spend, or take its cap away.

    What it spent before in the running period counts. The service knows it at once.
    """
    cap = or_none(amount)
    if cap_per is not None and cap is None:
        raise click.UsageError("--cap-per needs an amount")
    capped = run(data, lambda db: Tokens(db, actor=actor()).cap(token_id, cap, cap_per))
    show(_view(capped), as_json=as_json)


def _view(found: AccessToken) -> dict[str, Any]:
    cap = found.cap
    return {
        "id": found.id,
        "public_id": found.public_id,
        "member": found.member,
        "name": found.name,
        "state": found.state(now()),
        "scopes": found.scopes,
        "models": found.models,
        "expires_at": moment(found.expires_at),
        "created_at": moment(found.created_at),
        "cap": None if cap is None else tokens(cap.amount),
        "cap_per": None if cap is None else cap.window.per,
        "used": None if cap is None else tokens(cap.used or 0),
    }
