"""`xinghe bill`: the bill of a month, of a group, of a member or of every wallet."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, closing
from decimal import Decimal
from itertools import islice
from typing import Any

import click
import msgspec

from xinghe import settings, spreadsheet
from xinghe.api.account.bill.making import Bills, Subject, asked
from xinghe.api.account.bill.schema import BillRow, BillShown
from xinghe.api.account.questions import BillQuery
from xinghe.api.errors import ApiError
from xinghe.api.query import Query
from xinghe.cli.common import FORM, run_in, show, shown_options
from xinghe.cli.usage import OPERATOR
from xinghe.storage import Database, now
from xinghe.usage.bill.month import Month

MOST = 1000
"""Lines of one wallet; CSV has all."""
_JSON = msgspec.json.Encoder(decimal_format="number")
_SUMS = ("opening", "credited", "debited", "used", "closing")


@click.command()
@click.option("--month", metavar="MONTH", help="Such as 2026-11. [default: the running one]")
@click.option("--group", metavar="NAME", help="Of a group's wallet, and those of its groups.")
@click.option("--member", metavar="NAME", help="Of a member's own wallet (name or appid).")
@click.option("--zone", metavar="ZONE", help="Whose month: Asia/Shanghai. [default: UTC]")
@shown_options
def bill(data: str | None, *, as_json: bool, **given: Any) -> None:
    """Show the bill of a month: of a group, of a member, or of every wallet with a total.

    What each wallet had, what was credited and debited, what each member used of each model with
    each token at which price, and what was left: amounts in Tokens, exact. The first 1000 lines of
    a bill are told, and the sum of the rest; with --csv, all.
    """
    form = "json" if as_json else click.get_current_context().meta.get(FORM)
    print_them: Callable[..., Any] = {"json": _print_json, "csv": _print_csv}.get(
        form or "", _print_tables
    )

    async def action(loaded: settings.Settings) -> None:
        query = Query(BillQuery).take({key: text for key, text in given.items() if text})
        at = now()
        month = asked(query, at)
        async with await Database.open(
            loaded.data_dir, loaded.database.url, create=False
        ) as database:
            bills = Bills(database, loaded.bill)
            every = query.group is None and query.member is None
            subjects = (
                bills.everybody(month) if every else _one(await bills.subject(OPERATOR, query))
            )
            async with aclosing(subjects):
                await print_them(bills, subjects, month, at, every=every)

    try:
        run_in(data, action)
    except ApiError as error:
        raise click.ClickException(error.message) from error


async def _one(subject: Subject) -> AsyncGenerator[Subject, None]:
    yield subject


async def _whole(
    bills: Bills, subjects: AsyncIterator[Subject], month: Month, at: int, *, every: bool
) -> AsyncIterator[BillShown]:
    """A bill each; of every wallet, those with anything in it."""
    async for subject in subjects:
        with closing(await bills.read(subject, month, at)) as ready:
            found = await bills.whole(ready, MOST)
        if not every or found.opening or found.booked or found.lines:
            yield found


async def _print_csv(
    bills: Bills, subjects: AsyncIterator[Subject], month: Month, at: int, *, every: bool
) -> None:
    head = BillRow.__struct_encode_fields__
    click.echo(next(spreadsheet.write(head, ())), nl=False)
    async for subject in subjects:
        with closing(await bills.read(subject, month, at)) as ready:
            async for rows in bills.rows(ready):
                lines = spreadsheet.write(head, map(msgspec.structs.astuple, rows))
                for line in islice(lines, 1, None):
                    click.echo(line, nl=False)


async def _print_json(
    bills: Bills, subjects: AsyncIterator[Subject], month: Month, at: int, *, every: bool
) -> None:
    """One, or `bills` and their `total`; each is printed when it is known."""
    total, between = _Total(), '{"bills": ['
    async for found in _whole(bills, subjects, month, at, every=every):
        total.add(found)
        text = msgspec.json.format(_JSON.encode(found), indent=2).decode()
        click.echo(between + text if every else text)
        between = ","
    if every:
        click.echo(f"{between if not total.wallets else ''}]")
        click.echo(f', "total": {_JSON.encode(total.told()).decode()}}}')


async def _print_tables(
    bills: Bills, subjects: AsyncIterator[Subject], month: Month, at: int, *, every: bool
) -> None:
    total = _Total()
    async for found in _whole(bills, subjects, month, at, every=every):
        total.add(found)
        _print_table(found)
    if every:
        show(total.told(), as_json=False)


def _print_table(found: BillShown) -> None:
    whose = found.group or f"{found.name or '-'} ({found.appid})"
    to_date = ", to date" if found.running else ""
    click.echo(f"{whose}: {found.month} ({found.zone}), {found.since} to {found.until}{to_date}")
    if found.issuer:
        click.echo(found.issuer)
    click.echo()
    facts: list[tuple[str, Decimal]] = [("opening balance", found.opening)]
    facts += [(each.kind, each.amount) for each in found.booked]
    facts += [("usage", -found.used.spent), ("closing balance", found.closing)]
    show([{"": name, "Tokens": amount} for name, amount in facts], as_json=False)
    click.echo()
    if found.lines:
        show([_line(each) for each in found.lines], as_json=False)
        click.echo()
        show([_member(each) for each in found.members], as_json=False)
        click.echo()
    for what, rest in ("members", found.other_members), ("lines", found.other_lines):
        if rest is not None:
            click.echo(f"other {what}: {rest.requests} requests, {rest.spent:f} Tokens\n")
    if found.note:
        click.echo(f"{found.note}\n")


class _Total:
    """Of all wallets."""

    def __init__(self) -> None:
        self.wallets = 0
        self._sums = dict.fromkeys(_SUMS, Decimal(0))

    def add(self, found: BillShown) -> None:
        self.wallets += 1
        for name in _SUMS:
            self._sums[name] += found.used.spent if name == "used" else getattr(found, name)

    def told(self) -> dict[str, int | Decimal]:
        return {"wallets": self.wallets} | self._sums


def _line(each: Any) -> dict[str, Any]:
    return {
        "member": each.member_name or each.member,
        "model": each.model,
        "token": each.token_name,
        "requests": each.requests,
        "prompt": each.prompt_tokens,
        "cached": each.cached_tokens,
        "completion": each.completion_tokens,
        "searches": each.searches,
        "input_rate": each.input_rate,
        "cached_rate": each.cached_rate,
        "output_rate": each.output_rate,
        "search_rate": each.search_rate,
        "spent": each.spent,
    }


def _member(each: Any) -> dict[str, Any]:
    return {
        "member": each.member_name or each.member,
        "requests": each.requests,
        "spent": each.spent,
    }
