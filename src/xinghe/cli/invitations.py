"""`xinghe group invite`: codes that let people into a group."""

from typing import Any

import click

from xinghe.accounts import rights, rules
from xinghe.accounts.group_tables import PAYS, Pays
from xinghe.accounts.invitations import MOST_USES, Invitation, Invitations
from xinghe.accounts.rights import Role
from xinghe.cli.common import (
    Amount,
    Validated,
    actor,
    everything,
    expires_option,
    moment,
    run,
    show,
    shown_options,
    tokens,
)
from xinghe.storage import now

GROUP = Validated("name", rules.check_member_reference)
"""An existing group, by its name."""

role_option = click.option(
    "--role",
    type=click.Choice(list(rights.RANK)),
    default="member",
    show_default=True,
    help="What he may do in the group: see `xinghe group role --help`.",
)
pays_option = click.option(
    "--pays",
    type=click.Choice(PAYS),
    default="group",
    show_default=True,
    help="Whose wallet pays for him; of two, the first that covers a request.",
)


@click.command()
@click.argument("name", type=GROUP)
@role_option
@pays_option
@click.option(
    "--tokens",
    "amount",
    type=Amount(least=0),
    metavar="N",
    help="Tokens that a new member's own wallet begins with.  [default: 1000000 if it alone pays, "
    "else 0]",
)
@click.option(
    "--uses",
    type=click.IntRange(1, MOST_USES),
    default=1,
    show_default=True,
    help="How many it lets in.",
)
@expires_option
@shown_options
def invite(
    *,
    name: str,
    role: Role,
    pays: Pays,
    amount: int | None,
    uses: int,
    expires: int | None,
    data: str | None,
    as_json: bool,
) -> None:
    """Make an invitation into the group NAME, for a week if --expires says nothing.

    Its code is shown this once: whoever has it can become a member, or bring himself into the
    group.
    """
    made, code = run(
        data,
        lambda db: Invitations(db, actor=actor()).create(
            name, role=role, pays=pays, amount=amount, uses=uses, expires_at=expires
        ),
    )
    click.echo("keep the code safe: it is not shown again", err=True)
    show({"code": code} | _invitation(made), as_json=as_json)


@click.command("invitations")
@click.argument("name", type=GROUP)
@shown_options
def list_invitations(name: str, data: str | None, as_json: bool) -> None:
    """List the invitations into the group NAME, the oldest first."""
    found = run(
        data,
        lambda db: everything(
            lambda after, limit: Invitations(db).page(name, after=after, limit=limit),
            lambda last: last.id,
        ),
    )
    show([_invitation(each) for each in found], as_json=as_json)


@click.command()
@click.argument("invitation", type=click.IntRange(min=1), metavar="ID")
@shown_options
def uninvite(invitation: int, data: str | None, as_json: bool) -> None:
    """Revoke the invitation ID: it lets nobody else in. To do so again is no error."""
    after = run(data, lambda db: Invitations(db, actor=actor()).revoke(invitation))
    show(_invitation(after), as_json=as_json)


def _invitation(found: Invitation) -> dict[str, Any]:
    return {
        "id": found.id,
        "group": found.group,
        "role": found.role,
        "pays": found.pays,
        "tokens": tokens(found.amount),
        "state": found.state(now()),
        "uses_left": found.uses_left,
        "expires_at": moment(found.expires_at),
        "created_by": found.created_by,
    }
