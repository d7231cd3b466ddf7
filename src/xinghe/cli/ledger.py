"""`xinghe ledger`: prove the books, read the entries."""

from functools import partial
from typing import Any

import click

from xinghe.accounts import Members
from xinghe.cli.common import (
    MEMBER,
    data_option,
    json_option,
    moment,
    run,
    show,
    shown_options,
    tokens,
)
from xinghe.ledger import Entry, Finding, latest, prove
from xinghe.storage import Database


@click.group()
def ledger() -> None:
    """The books: every grant, charge and expiry."""


@ledger.command()
@data_option
@json_option
@click.pass_context
def check(context: click.Context, data: str | None, as_json: bool) -> None:
    """Prove that entries, lots, holds and balances agree; exit 1 and say what is off if not."""
    findings = run(data, prove)
    show_findings(context, findings, as_json=as_json)


def show_findings(
    context: click.Context, findings: list[Finding], *, as_json: bool = False
) -> None:
    """Print what a check has found; exit 1 if that is anything."""
    if as_json:
        show(findings, as_json=True)
    for finding in () if as_json else findings:
        click.echo(
            f"{finding.where}: {finding.rule}: expected {finding.expected}, found {finding.found}"
        )
    if findings:
        context.exit(1)
    click.echo("the books agree", err=True)


@ledger.command()
@click.option(
    "--member", "--account", "member", type=MEMBER, metavar="NAME", help="Only those of his wallet."
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True)
@shown_options
def entries(member: str | None, limit: int, data: str | None, as_json: bool) -> None:
    """List the latest entries, the newest first. Amounts are in Tokens.

    The JSON form has every field; its rates are Tokens a token, Tokens a search.
    """

    async def action(database: Database) -> list[Entry]:
        wallet_id = (await Members(database).get(member)).id if member else None
        return await database.read(partial(latest, wallet_id=wallet_id, limit=limit))

    found = run(data, action)
    show([_full(each) if as_json else _brief(each) for each in found], as_json=as_json)


def _brief(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": moment(entry.at),
        "wallet": entry.group or entry.member,
        "member": entry.member,
        "kind": entry.kind,
        "amount": tokens(entry.amount),
        "balance": tokens(entry.balance_after),
        "request": entry.request_id,
        "model": entry.model,
        "in": entry.prompt_tokens,
        "out": entry.completion_tokens,
        "searches": entry.searches,
        "note": entry.note,
    }


def _full(entry: Entry) -> dict[str, Any]:
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    for name in ("amount", "balance_after", *(name for name in fields if name.endswith("_rate"))):
        fields[name] = None if fields[name] is None else tokens(fields[name])
    return fields | {"at": moment(entry.at)}
