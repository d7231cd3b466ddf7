"""`xinghe account`: make accounts, grant Tokens, look at balances."""

from __future__ import annotations

from typing import Any

import click

from xinghe.accounts import Account, Accounts, rules
from xinghe.cli.options import (
    ACCOUNT,
    Amount,
    Checked,
    Expiry,
    actor,
    data_option,
    json_option,
    run,
)
from xinghe.cli.tables import moment, show, tokens
from xinghe.core import INITIAL_GRANT


@click.group()
def account() -> None:
    """Accounts and their Tokens. An account is named by its name or its appid."""


@account.command()
@click.argument("name", type=Checked("name", rules.check_name))
@click.option(
    "--tokens",
    "amount",
    type=Amount(least=0),
    default=INITIAL_GRANT,
    show_default="1000000",
    metavar="N",
    help="Tokens to begin with.",
)
@data_option
@json_option
def create(name: str, amount: int, data: str | None, as_json: bool) -> None:
    """Make the account NAME and grant it its first Tokens."""
    made = run(
        data,
        lambda db: Accounts(db, actor=actor()).create_account(name, amount=amount),
        create=True,
    )
    show(_view(made), as_json=as_json)


@account.command("show")
@click.argument("name", type=ACCOUNT)
@data_option
@json_option
def show_account(name: str, data: str | None, as_json: bool) -> None:
    """Show the balance of account NAME: available, held by running requests, and their sum."""
    found = run(data, lambda db: Accounts(db).get_account(name))
    show(_view(found), as_json=as_json)


@account.command("list")
@data_option
@json_option
def list_accounts(data: str | None, as_json: bool) -> None:
    """List all accounts, the oldest first."""
    found = run(data, lambda db: Accounts(db).list_accounts())
    show([_view(each) for each in found], as_json=as_json)


@account.command()
@click.argument("name", type=ACCOUNT)
@click.argument("amount", type=Amount(), metavar="TOKENS")
@click.option(
    "--expires",
    type=Expiry(),
    metavar="DATE",
    help="Valid to the end of YYYY-MM-DD (UTC), or for days such as 90d; else for ever.",
)
@click.option("--note", type=Checked("note", rules.check_note), default="", help="Why.")
@data_option
@json_option
def grant(
    *, name: str, amount: int, expires: int | None, note: str, data: str | None, as_json: bool
) -> None:
    """Grant TOKENS to account NAME. Tokens that expire soonest are spent first."""
    after = run(
        data,
        lambda db: Accounts(db, actor=actor()).grant(name, amount, expires_at=expires, note=note),
    )
    show(_view(after), as_json=as_json)


def _view(found: Account) -> dict[str, Any]:
    return {
        "name": found.name,
        "appid": found.appid,
        "available": tokens(found.available),
        "held": tokens(found.held),
        "balance": tokens(found.balance),
        "created_at": moment(found.created_at),
    }
