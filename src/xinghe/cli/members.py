"""`xinghe member`: who may call; his own Tokens, and being told when they run low."""

from typing import Any, Literal

import click

from xinghe.accounts import Alert, Alerts, Member, Members, rules
from xinghe.accounts.groups import OWN, Groups
from xinghe.cli.common import (
    MEMBER,
    Amount,
    AmountOrNone,
    Validated,
    WithAmount,
    actor,
    data_option,
    everything,
    expires_option,
    models_option,
    moment,
    or_none,
    run,
    show,
    shown_options,
    tokens,
)
from xinghe.cli.enrolment import import_members
from xinghe.cli.passwords import password
from xinghe.core import INITIAL_GRANT
from xinghe.storage import Database


@click.group()
def member() -> None:
    """Members and their Tokens. A member is named by his name or his appid."""


member.add_command(import_members)
member.add_command(password)


@member.command()
@click.argument("name", type=Validated("name", rules.check_name))
@click.option(
    "--tokens",
    "amount",
    type=Amount(least=0),
    default=INITIAL_GRANT,
    show_default="1000000",
    metavar="N",
    help="Tokens to begin with.",
)
@shown_options
def create(name: str, amount: int, data: str | None, as_json: bool) -> None:
    """Make the member NAME and grant him his first Tokens."""
    made = run(
        data,
        lambda db: _members(db).create(name, amount=amount),
        create=True,
    )
    show(_view(made), as_json=as_json)


@member.command("show")
@click.argument("name", type=MEMBER)
@shown_options
def show_member(name: str, data: str | None, as_json: bool) -> None:
    """Show member NAME and the balance of his own wallet: available, held by running requests,
    and their sum.
    """

    async def action(database: Database) -> dict[str, Any]:
        groups, found = Groups(database), await Members(database).get(name)
        places, paying = await groups.of_member(name), await groups.payment(name)
        return {
            **_view(found),
            "groups": [f"{place.group} ({place.role})" for place in places],
            "wallets": [source.group or OWN for source in paying],
            **_alert_view(await Alerts(database).get(name)),
        }

    show(run(data, action), as_json=as_json)


@member.command("list")
@shown_options
def list_members(data: str | None, as_json: bool) -> None:
    """List all members, the oldest first."""
    found = run(
        data,
        lambda db: everything(
            lambda after, limit: Members(db).page(after=after, limit=limit), lambda last: last.id
        ),
    )
    show([_view(each) for each in found], as_json=as_json)


@member.command(cls=WithAmount)
@click.argument("name", type=MEMBER)
@click.argument("amount", type=Amount(), metavar="TOKENS")
@expires_option
@click.option("--note", type=Validated("note", rules.check_note), default="", help="Why.")
@models_option
@shown_options
def grant(
    *,
    name: str,
    amount: int,
    expires: int | None,
    note: str,
    models: tuple[str, ...],
    data: str | None,
    as_json: bool,
) -> None:
    """Grant TOKENS to member NAME. Tokens that expire soonest are spent first.

    With --model, they pay for these models alone, and before the others."""
    after = run(
        data,
        lambda db: _members(db).grant(
            name, amount, expires_at=expires, models=models or None, note=note
        ),
    )
    show(_view(after), as_json=as_json)


@member.command()
@click.argument("name", type=MEMBER)
@click.argument("new", type=Validated("name", rules.check_name))
@shown_options
def rename(name: str, new: str, data: str | None, as_json: bool) -> None:
    """Call member NAME otherwise."""
    show(_view(run(data, lambda db: _members(db).rename(name, new))), as_json=as_json)


@member.command()
@click.argument("name", type=MEMBER)
@shown_options
def disable(name: str, data: str | None, as_json: bool) -> None:
    """Refuse whatever member NAME asks for, from the next request on; what runs is ended."""
    show(_view(run(data, lambda db: _members(db).disable(name))), as_json=as_json)


@member.command()
@click.argument("name", type=MEMBER)
@shown_options
def enable(name: str, data: str | None, as_json: bool) -> None:
    """Let member NAME call again."""
    show(_view(run(data, lambda db: _members(db).enable(name))), as_json=as_json)


@member.command("operator")
@click.argument("name", type=MEMBER)
@click.argument("operator", type=click.BOOL, metavar="yes|no")
@shown_options
def set_operator(name: str, operator: bool, data: str | None, as_json: bool) -> None:
    """Let member NAME do everything, with a token of scope admin; or no longer."""
    after = run(data, lambda db: _members(db).set_operator(name, operator))
    show(_view(after), as_json=as_json)


@member.command()
@click.argument("name", type=MEMBER)
@click.confirmation_option(prompt="That cannot be undone. Delete the member?")
@data_option
def delete(name: str, data: str | None) -> None:
    """Delete member NAME: nothing says any more who that was. What was used stays in the books.

    His tokens are refused from the next request on. A note that he was granted Tokens with stays.
    """
    run(data, lambda db: _members(db).delete(name))


@member.command("alert", cls=WithAmount)
@click.argument("name", type=MEMBER)
@click.argument("threshold", type=AmountOrNone(), metavar="TOKENS|none")
@click.option(
    "--webhook",
    type=Validated("url", rules.check_webhook),
    metavar="URL",
    help="Where to POST the notice; without, it is only logged.",
)
@shown_options
def set_alert(
    *,
    name: str,
    threshold: int | Literal["none"],
    webhook: str | None,
    data: str | None,
    as_json: bool,
) -> None:
    """Give a notice when the balance of member NAME falls below TOKENS.

    A notice is signed as Standard Webhooks says (webhook-id, -timestamp, -signature), with a
    secret that is printed this once; while the URL stays the same, so does the secret, but one
    without whsec_ is replaced.
    """
    below = or_none(threshold)
    if webhook is not None and below is None:
        raise click.UsageError("--webhook needs an amount")

    async def action(database: Database) -> tuple[Alert | None, Alert | None]:
        alerts = Alerts(database, actor=actor())
        before = await alerts.get(name)
        if below is not None:
            return before, await alerts.put(name, below, webhook)
        await alerts.remove(name)
        return before, None

    before, after = run(data, action)
    view = {"name": name} | _alert_view(after)
    if after is not None and after.secret not in {None, before and before.secret}:
        click.echo("keep the secret safe: it is not shown again", err=True)
        view["secret"] = after.secret
    show(view, as_json=as_json)


def _members(database: Database) -> Members:
    return Members(database, actor=actor())


def _alert_view(alert: Alert | None) -> dict[str, Any]:
    return {
        "alert_below": None if alert is None else tokens(alert.threshold),
        "webhook": None if alert is None else alert.url,
    }


def _view(found: Member) -> dict[str, Any]:
    return {
        "name": found.name,
        "appid": found.appid,
        "available": tokens(found.available),
        "held": tokens(found.held),
        "balance": tokens(found.balance),
        "created_at": moment(found.created_at),
        "state": "active" if found.disabled_at is None else "disabled",
        "operator": "yes" if found.operator else "no",
    }
