"""`xinghe group`: classes, teams, companies; who is in each, and whose wallet pays."""

from typing import Any

import click

from xinghe.accounts import rights, rules
from xinghe.accounts.group_tables import Group, Membership, Pays, Source
from xinghe.accounts.groups import OWN, Groups, check_group_name
from xinghe.accounts.rights import Role
from xinghe.cli.common import (
    MEMBER,
    Amount,
    Validated,
    WithAmount,
    actor,
    data_option,
    everything,
    expires_option,
    models_option,
    moment,
    run,
    show,
    shown_options,
    tokens,
)
from xinghe.cli.invitations import (
    GROUP,
    invite,
    list_invitations,
    pays_option,
    role_option,
    uninvite,
)
from xinghe.core import INITIAL_GRANT
from xinghe.storage import Database

NEW_GROUP = Validated("name", check_group_name)

_WIDTH = max(map(len, rights.RIGHTS))
_WHO_MAY = "\b\nWho may do what by the operators' API:\n" + "\n".join(
    f"{operation:<{_WIDTH}}  {', '.join(each for each in rights.Relation if each in right.who)}"
    for operation, right in rights.RIGHTS.items()
)


@click.group()
def group() -> None:
    """Groups of members: a class, a team, a company. A group may belong to an organisation."""


group.add_command(invite)
group.add_command(list_invitations)
group.add_command(uninvite)


@group.command()
@click.argument("name", type=NEW_GROUP)
@click.option("--in", "parent", type=GROUP, metavar="GROUP", help="The organisation it belongs to.")
@click.option(
    "--tokens",
    "amount",
    type=Amount(least=0),
    default=INITIAL_GRANT,
    show_default="1000000",
    metavar="N",
    help="Tokens that its wallet begins with.",
)
@models_option
@shown_options
def create(
    *,
    name: str,
    parent: str | None,
    amount: int,
    models: tuple[str, ...],
    data: str | None,
    as_json: bool,
) -> None:
    """Make the group NAME, with a wallet of its own."""
    made = run(
        data,
        lambda db: _groups(db).create(name, parent=parent, amount=amount, models=models or None),
        create=True,
    )
    show(_view(made), as_json=as_json)


@group.command("list")
@click.option("--in", "parent", type=GROUP, metavar="GROUP", help="Those of one organisation.")
@shown_options
def list_groups(parent: str | None, data: str | None, as_json: bool) -> None:
    """List the groups, the oldest first."""
    found = run(
        data,
        lambda db: everything(
            lambda after, limit: Groups(db).page(parent=parent, after=after, limit=limit),
            lambda last: last.id,
        ),
    )
    show([_view(each) for each in found], as_json=as_json)


@group.command("show")
@click.argument("name", type=GROUP)
@shown_options
def show_group(name: str, data: str | None, as_json: bool) -> None:
    """Show the group NAME and the balance of its wallet."""
    show(_view(run(data, lambda db: Groups(db).get(name))), as_json=as_json)


@group.command()
@click.argument("name", type=GROUP)
@click.argument("new", type=NEW_GROUP)
@shown_options
def rename(name: str, new: str, data: str | None, as_json: bool) -> None:
    """Call the group NAME otherwise."""
    show(_view(run(data, lambda db: _groups(db).rename(name, new))), as_json=as_json)


@group.command()
@click.argument("name", type=GROUP)
@click.confirmation_option(prompt="Its wallet then pays nobody any more. Delete the group?")
@data_option
def delete(name: str, data: str | None) -> None:
    """Delete the group NAME. Its members stay members, and what was used stays in the books.

    So do the Tokens that its wallet holds; nobody can spend them any more.
    """
    run(data, lambda db: _groups(db).delete(name))


@group.command("models")
@click.argument("name", type=GROUP)
@click.argument(
    "models", type=Validated("model", lambda value: rules.check_models([value])), nargs=-1
)
@click.option("--all", "every", is_flag=True, help="Allow every model.")
@shown_options
def set_models(
    *, name: str, models: tuple[str, ...], every: bool, data: str | None, as_json: bool
) -> None:
    """Allow the members of the group NAME these MODELS alone.

    A token, a group and its organisation may each have such a list: what all of them name is
    allowed.
    """
    if every == bool(models):
        raise click.UsageError("name models, or --all")
    after = run(data, lambda db: _groups(db).set_models(name, None if every else models))
    show(_view(after), as_json=as_json)


@group.command(cls=WithAmount)
@click.argument("name", type=GROUP)
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
    """Grant TOKENS to the wallet of the group NAME; with --model, for these models alone."""
    after = run(
        data,
        lambda db: _groups(db).grant(
            name, amount, expires_at=expires, models=models or None, note=note
        ),
    )
    show(_view(after), as_json=as_json)


@group.command("members")
@click.argument("name", type=GROUP)
@shown_options
def list_members(name: str, data: str | None, as_json: bool) -> None:
    """List the members of the group NAME."""
    found = run(
        data,
        lambda db: everything(
            lambda after, limit: Groups(db).members(name, after=after, limit=limit),
            lambda last: last.member_id,
        ),
    )
    show([_place(each) for each in found], as_json=as_json)


@group.command()
@click.argument("name", type=GROUP)
@click.argument("member", type=MEMBER)
@role_option
@pays_option
@shown_options
def add(*, name: str, member: str, role: Role, pays: Pays, data: str | None, as_json: bool) -> None:
    """Put MEMBER into the group NAME."""
    placed = run(data, lambda db: _groups(db).add(name, member, role=role, pays=pays))
    show(_place(placed), as_json=as_json)


@group.command()
@click.argument("name", type=GROUP)
@click.argument("member", type=MEMBER)
@data_option
def remove(name: str, member: str, data: str | None) -> None:
    """Take MEMBER out of the group NAME, and out of those that belong to it.

    What he has used stays in the details of the group.
    """
    run(data, lambda db: _groups(db).remove(name, member))


@group.command("role", epilog=_WHO_MAY)
@click.argument("name", type=GROUP)
@click.argument("member", type=MEMBER)
@click.argument("role", type=click.Choice(list(rights.RANK)))
@shown_options
def set_role(name: str, member: str, role: Role, data: str | None, as_json: bool) -> None:
    """Give MEMBER another ROLE in the group NAME."""
    show(_place(run(data, lambda db: _groups(db).set_role(name, member, role))), as_json=as_json)


@group.command("wallets")
@click.argument("member", type=MEMBER)
@click.argument("order", type=GROUP, nargs=-1, metavar=f"[{OWN}|GROUP]...")
@shown_options
def wallets(member: str, order: tuple[str, ...], data: str | None, as_json: bool) -> None:
    """Show or set which wallets pay for MEMBER, in order: the first that covers a request.

    They are his own, and those of the groups that he is in and of their organisations.
    """

    async def action(database: Database) -> list[Source]:
        groups = _groups(database)
        return await (groups.set_payment(member, order) if order else groups.payment(member))

    found = run(data, action)
    rows = [{"wallet": each.group or OWN, "available": tokens(each.available)} for each in found]
    show(rows, as_json=as_json)


def _groups(database: Database) -> Groups:
    return Groups(database, actor=actor())


def _view(found: Group) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "in": found.parent,
        "models": found.models,
        "available": tokens(found.available),
        "held": tokens(found.held),
        "created_at": moment(found.created_at),
    }


def _place(found: Membership) -> dict[str, Any]:
    return {
        "group": found.group,
        "name": found.member,
        "appid": found.appid,
        "role": found.role,
        "state": "active" if found.disabled_at is None else "disabled",
        "joined_at": moment(found.joined_at),
    }
