"""`xinghe member import`: a class comes in from a spreadsheet."""

import os
from pathlib import Path
from typing import BinaryIO

import click

from xinghe import spreadsheet
from xinghe.accounts import AccountError, roster, rules
from xinghe.accounts.enrolment import Draft, Enrolment, RosterRefused, Terms
from xinghe.accounts.group_tables import Pays
from xinghe.accounts.rights import Role
from xinghe.cli.common import (
    Amount,
    Validated,
    actor,
    expires_option,
    models_option,
    run,
    show,
    shown_options,
    tokens,
)
from xinghe.cli.invitations import GROUP, pays_option, role_option
from xinghe.storage import Database

_COLUMNS = "\b\nColumns, and what else each may be called:\n" + "\n".join(
    f"{name:<7} {', '.join(words)}" for name, words in roster.COLUMNS.items()
)


@click.command("import", epilog=_COLUMNS)
@click.argument("file", type=click.File("rb"))
@click.option("--group", type=GROUP, metavar="GROUP", help="The group that all are put into.")
@role_option
@pays_option
@click.option(
    "--tokens",
    "amount",
    type=Amount(least=0),
    metavar="N",
    help="Tokens that each own wallet begins with.  [default: 1000000 if it alone pays, else 0]",
)
@click.option(
    "--budget", type=Amount(least=0), metavar="N", help="The most that each may spend in a month."
)
@click.option(
    "--zone",
    type=Validated("zone", rules.check_zone),
    default="UTC",
    show_default=True,
    help="The time zone whose months these are, such as Asia/Shanghai.",
)
@models_option
@expires_option
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The new file that their access tokens are written to, this once.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be made, and make nothing.")
@shown_options
def import_members(
    *,
    file: BinaryIO,
    group: str | None,
    role: Role,
    pays: Pays,
    amount: int | None,
    budget: int | None,
    zone: str,
    models: tuple[str, ...],
    expires: int | None,
    output: Path | None,
    dry_run: bool,
    data: str | None,
    as_json: bool,
) -> None:
    """Make everybody in FILE a member with an access token, or, if anything is wrong, nobody.

    FILE is CSV as Excel writes it, in UTF-8, UTF-16 or GBK; its first row names the columns.
    --model and --expires are of the tokens. What a row says goes before the options.
    """
    if not dry_run and output is None:
        raise click.UsageError("--output says where the access tokens go (or --dry-run)")
    content = file.read(spreadsheet.MAX_BYTES + 1)
    terms = Terms(group, role, pays, amount, budget, zone, [*models] or None, expires)

    async def action(database: Database) -> Draft:
        enrolment = Enrolment(database, actor=actor())
        try:
            draft = await enrolment.draft(roster.read(content), terms)
        except RosterRefused as error:
            lines = [f"line {fault.line}: {fault.message}" for fault in error.faults]
            raise click.ClickException("\n".join(["nobody was imported", *lines])) from error
        if output is not None and not dry_run:
            _write(output, draft)
            try:
                await enrolment.admit(draft)
            except AccountError:
                _take_back(output)
                raise
        return draft

    draft = run(data, action)
    made = "would be made" if dry_run else "made"
    click.echo(f"read as {draft.encoding}; {len(draft.people)} members {made}", err=True)
    rows = [
        {
            "line": each.line,
            "name": each.name,
            "group": group,
            "role": (each.role or role) if group else None,
            "tokens": tokens(each.amount),
            "budget": None if each.budget is None else tokens(each.budget),
        }
        for each in draft.people
    ]
    show(rows, as_json=as_json)


def _take_back(output: Path) -> None:
    """Where nobody was made. In case of other errors it is not known whether anybody was."""
    output.unlink()


def _write(output: Path, draft: Draft) -> None:
    """Before the tokens are valid: then none can be lost. Raises `ClickException`."""
    rows = ((each.name, each.token) for each in draft.people)
    text = "".join(spreadsheet.write(["name", "token"], rows))
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(text.encode("utf-8-sig"))  # else Excel takes it for GBK
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}: nobody was imported") from error
