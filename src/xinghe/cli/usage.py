"""`xinghe usage`: what was used, by whom and when; the same that `/account` tells over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_args

import click
import msgspec

from xinghe.accounts import DEFAULT_MEMBER, Principal
from xinghe.api.account.asked import place
from xinghe.api.account.balance import lines_of
from xinghe.api.account.details import Details, Entries, Failed
from xinghe.api.account.questions import (
    AccountQuery,
    EntriesQuery,
    FailedQuery,
    Kind,
    RequestQuery,
    UsageQuery,
)
from xinghe.api.errors import ApiError
from xinghe.api.query import Query
from xinghe.cli.common import FORM, Command, run, show, shown_options
from xinghe.usage.pages import Position
from xinghe.usage.series import Place

OPERATOR = Principal(
    0, "", "", 0, "", scopes=frozenset({"admin"}), models=frozenset(), operator=True
)
"""Whoever may open the database may ask about everybody."""
AT_ONCE = 500

T = TypeVar("T")


@click.group()
def usage() -> None:
    """Usage details: balances, entries, usage over time, single requests.

    Times are told in --zone (UTC by default), and read in it. Amounts are in Tokens.
    """


zone_option = click.option("--zone", metavar="ZONE", help="A time zone, such as Asia/Shanghai.")


def of_whom(command: Command) -> Command:
    """`--member`, `--group` and `--zone`."""
    for option in (
        zone_option,
        click.option("--group", metavar="NAME", help="What a group's wallet paid, for whomever."),
        click.option(
            "--member",
            metavar="NAME",
            help=f"Of one member (name or appid); with --group, what it paid for him. "
            f"[default: {DEFAULT_MEMBER}]",
        ),
    ):
        command = option(command)
    return shown_options(command)


def filters(command: Command) -> Command:
    """What entries and series are narrowed by."""
    for name, text in (
        ("--token", "Only with a token, by its public id."),
        ("--model", "Only of a model."),
        ("--to", "To the end of a day, or before a time."),
        ("--from", "From a day (2026-11-29) or a time (2026-11-29T10:00) on."),
    ):
        command = click.option(name, help=text)(command)
    return command


@usage.command()
@of_whom
def account(data: str | None, *, as_json: bool, **asked: Any) -> None:
    """Show what is left: wallets, lots with their expiry, budgets."""
    query = _query(AccountQuery, asked)
    found = _ask(data, lambda details: details.account(OPERATOR, query))
    show(_row(found) if as_json else [_row(line) for line in lines_of(found)], as_json=as_json)


@usage.command()
@click.argument("request_id", metavar="ID")
@of_whom
def request(request_id: str, data: str | None, *, as_json: bool, **asked: Any) -> None:
    """Show what request ID cost and why, how long each part took, and how it ended."""
    query = _query(RequestQuery, asked)
    found = _ask(data, lambda details: details.request(OPERATOR, query, request_id))
    show(_row(found), as_json=as_json)


@usage.command()
@filters
@click.option("--kind", type=click.Choice(get_args(Kind)), help="Only of a kind.")
@click.option("--request", "request_id", metavar="ID", help="Only of a request.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@of_whom
def entries(data: str | None, *, limit: int, as_json: bool, **asked: Any) -> None:
    """List entries of the books, the newest first. JSON and CSV have every field."""
    query = _query(EntriesQuery, asked)

    async def action(details: Details) -> list[msgspec.Struct]:
        return await _latest(*details.entries(OPERATOR, query), limit)

    brief = (
        "at", "kind", "amount", "balance_after", "group", "member_name", "token_name",
        "request_id", "model", "prompt_tokens", "completion_tokens", "finish", "note",
    )  # fmt: skip
    _show_rows(_ask(data, action), brief, as_json=as_json)


@usage.command()
@filters
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@of_whom
def requests(data: str | None, *, limit: int, as_json: bool, **asked: Any) -> None:
    """List the latest requests that failed, of seven days. JSON and CSV have every field."""
    query = _query(FailedQuery, asked)

    async def action(details: Details) -> list[msgspec.Struct]:
        return await _latest(*details.failed(OPERATOR, query), limit)

    brief = ("at", "outcome", "status", "model", "group", "member_name", "token_name", "id")
    _show_rows(_ask(data, action), brief, as_json=as_json)


@usage.command()
@filters
@click.option("--interval", type=click.Choice(("hour", "day", "month")), help="[default: day]")
@click.option("--by", metavar="WHAT", help="Apart by model, token, member, group: model,member.")
@of_whom
def series(data: str | None, *, as_json: bool, **asked: Any) -> None:
    """Sum usage by hour, day or month. JSON and CSV have every field."""
    query = _query(UsageQuery, asked)

    async def action(details: Details) -> list[msgspec.Struct]:
        page, start = await details.usage(OPERATOR, query)
        found: list[msgspec.Struct] = []
        while True:
            some = await page(start, AT_ONCE)
            found += some.data
            if some.next is None:
                return found
            start = place(some.next, Place)

    by = query.by or ""
    names = {"member": "member_name", "token": "token_name"}
    apart = [names.get(each, each) for each in by.split(",") if each]
    brief = (
        "from", *apart, "requests", "prompt_tokens", "completion_tokens", "spent",
        "first_token_ms", "tokens_per_second", "errors",
    )  # fmt: skip
    _show_rows(_ask(data, action), brief, as_json=as_json)


Q = TypeVar("Q", AccountQuery, RequestQuery, EntriesQuery, FailedQuery, UsageQuery)


def _query(shape: type[Q], asked: dict[str, Any]) -> Q:
    """What the options say, held to the same rules as over HTTP."""
    given = {name: value for name, value in asked.items() if value is not None}
    if "group" not in given:
        given.setdefault("member", DEFAULT_MEMBER)
    return _told(lambda: Query(shape).take(given))


async def _latest(
    page: Entries | Failed, after: Position | None, limit: int
) -> list[msgspec.Struct]:
    found: list[msgspec.Struct] = []
    while len(found) < limit:
        some = await page(after, min(limit - len(found), AT_ONCE))
        found += some.data
        if some.next is None:
            break
        after = place(some.next, Position)
    return found


def _ask(data: str | None, action: Callable[[Details], Awaitable[T]]) -> T:
    return _told(lambda: run(data, lambda database: action(Details(database))))


def _told(action: Callable[[], T]) -> T:
    try:
        return action()
    except ApiError as error:
        raise click.ClickException(error.message) from error


def _row(shown: msgspec.Struct) -> dict[str, Any]:
    names = zip(shown.__struct_encode_fields__, shown.__struct_fields__, strict=True)
    return {encoded: getattr(shown, name) for encoded, name in names}


def _show_rows(found: list[msgspec.Struct], brief: tuple[str, ...], *, as_json: bool) -> None:
    rows = [_row(each) for each in found]
    if not as_json:
        for row in rows:
            for name, cell in row.items():
                if isinstance(cell, dict):
                    row[name] = " ".join(f"{code}={count}" for code, count in cell.items())
        if click.get_current_context().meta.get(FORM) != "csv":
            rows = [{name: row[name] for name in brief} for row in rows]
    show(rows, as_json=as_json)
