"""`xinghe ledger`: prove the books, read the entries."""

from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec

from xinghe.accounts import tables
from xinghe.api.account.asked import period
from xinghe.api.account.questions import Filtered
from xinghe.api.errors import ApiError
from xinghe.api.query import Query, zone_of
from xinghe.cli.common import (
    FORM,
    MEMBER,
    data_option,
    json_option,
    moment,
    run,
    show,
    shown_options,
    tokens,
)
from xinghe.cli.usage import filters, zone_option
from xinghe.ledger import Entry, Filters, Finding, Sums, latest, prove, sums
from xinghe.storage import Connection
from xinghe.usage.pages import EVER


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
@filters
@zone_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.option("--sums", "by_kind", is_flag=True, help="Sums of each kind, instead of the entries.")
@shown_options
def entries(
    *,
    member: str | None,
    limit: int,
    by_kind: bool,
    data: str | None,
    as_json: bool,
    **asked: str | None,
) -> None:
    """List the latest entries, the newest first. Amounts are in Tokens.

    With --member, --from, --to, --model or --token, the table's last line is the total of all that
    match, however few are listed. The JSON form has every field; its rates are Tokens a token,
    Tokens a search.

    For example: xinghe ledger entries --from 2026-11-01 --to 2026-11-30 --model ernie-4.5-8k
    """
    given = {name: text for name, text in asked.items() if text is not None}
    try:
        query = Query(Filtered).take(given)
        since, until = period(query, 0, EVER)
    except ApiError as error:
        raise click.UsageError(error.message) from error
    zone = zone_of(query.zone)
    narrowed = member is not None or bool(given.keys() - {"zone"})
    in_table = not as_json and click.get_current_context().meta.get(FORM) is None

    def read(connection: Connection) -> tuple[list[Entry], list[Sums]]:
        wanted = Filters(
            wallet_id=None if member is None else tables.member(connection, member).id,
            since=since,
            until=until,
            token_id=None if query.token is None else tables.token(connection, query.token).id,
            model=query.model,
        )
        found = [] if by_kind else latest(connection, wanted, limit=limit)
        wants_sums = by_kind or (narrowed and in_table)
        return found, sums(connection, wanted) if wants_sums else []

    found, summed = run(data, lambda database: database.read(read, within=None))
    total = Sums("total")
    for each in summed:
        total.add(*msgspec.structs.astuple(each)[1:])
    if by_kind:
        show([_sums(each) for each in (*summed, total)], as_json=as_json)
        return
    rows = [_full(each, zone) if as_json else _brief(each, zone) for each in found]
    show(rows + ([_total(total)] if narrowed and in_table else []), as_json=as_json)


def _brief(entry: Entry, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": moment(entry.at, zone),
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


def _total(total: Sums) -> dict[str, Any]:
    """In the columns of `_brief`."""
    return {
        "id": "total",
        "at": f"{total.entries} entries",
        "wallet": "",
        "member": "",
        "kind": "",
        "amount": tokens(total.amount),
        "balance": "",
        "request": "",
        "model": "",
        "in": total.prompt_tokens,
        "out": total.completion_tokens,
        "searches": total.searches,
        "note": "",
    }


def _full(entry: Entry, zone: ZoneInfo) -> dict[str, Any]:
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    for name in ("amount", "balance_after", *(name for name in fields if name.endswith("_rate"))):
        fields[name] = None if fields[name] is None else tokens(fields[name])
    return fields | {"at": moment(entry.at, zone)}


def _sums(found: Sums) -> dict[str, Any]:
    return msgspec.structs.asdict(found) | {"amount": tokens(found.amount)}
