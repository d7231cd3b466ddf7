"""`xinghe budget`: how much a token, a member, a group or a model may use."""

from decimal import Decimal
from typing import Any

import click

from xinghe.accounts import Budgets, BudgetState, NewBudget, Subject, rules
from xinghe.accounts.budget_tables import Unit
from xinghe.cli.common import (
    MEMBER,
    Amount,
    Command,
    Count,
    Validated,
    actor,
    data_option,
    moment,
    run,
    show,
    shown_options,
    tokens,
)
from xinghe.ledger import PERIODS, Period, Window

NUMBER = Count(min=0)
UNITS: tuple[Unit, ...] = ("tokens", "requests", "rpm", "tpm", "concurrent")


@click.group()
def budget() -> None:
    """Budgets: how much a token, a member, a group or a model may use.

    Any number of them may hold at once; a request has to fit into all of them.
    """


def subject_options(command: Command) -> Command:
    """Whose requests count."""
    for option in (
        click.option("--group", type=MEMBER, metavar="NAME", help="All members of a group."),
        click.option("--member", type=MEMBER, metavar="NAME", help="All tokens of a member."),
        click.option("--token", metavar="ID", help="An access token, by its number or public id."),
    ):
        command = option(command)
    return command


def amount_options(command: Command) -> Command:
    """How much, of what: one of them."""
    helps = {
        "requests": "Requests in each window.",
        "rpm": "Requests a minute.",
        "tpm": "Tokens of the models a minute.",
        "concurrent": "Requests at once; others wait their turn.",
    }
    for unit, text in reversed(helps.items()):
        command = click.option(f"--{unit}", type=NUMBER, metavar="N", help=text)(command)
    text = "Tokens in each window."
    return click.option("--tokens", type=Amount(least=0), metavar="N", help=text)(command)


@budget.command()
@subject_options
@click.option(
    "--model",
    type=Validated("model", lambda value: rules.check_models([value])),
    metavar="M",
    help="Only requests of one model.",
)
@amount_options
@click.option("--per", type=click.Choice(PERIODS), help="The window of Tokens and requests.")
@click.option("--rolling", is_flag=True, help="The time before each request, not the calendar's.")
@click.option("--zone", metavar="ZONE", help="Of the calendar: Asia/Shanghai.  [default: UTC]")
@shown_options
def create(
    *,
    token: str | None,
    member: str | None,
    group: str | None,
    model: str | None,
    per: Period | None,
    rolling: bool,
    zone: str | None,
    data: str | None,
    as_json: bool,
    **amounts: int | None,
) -> None:
    """Make a budget. It holds from the next request on; what was used in the window counts.

    For example: xinghe budget create --member 张三 --tokens 20000 --per month --zone Asia/Shanghai
    """
    unit, amount = _amount(amounts)
    window = None if per is None else Window(per, rolling, zone or "UTC")
    if window is None and (rolling or zone is not None):
        raise click.UsageError("--rolling and --zone need --per")
    new = NewBudget(unit, amount, window, model)
    of = Subject(token, member, group)
    made = run(data, lambda db: Budgets(db, actor=actor()).create(new, of))
    show(_view(made), as_json=as_json)


@budget.command("list")
@subject_options
@shown_options
def list_budgets(
    *,
    token: str | None,
    member: str | None,
    group: str | None,
    data: str | None,
    as_json: bool,
) -> None:
    """List the budgets, the oldest first, with what is used of each."""
    asked = Subject(token, member, group)
    of = None if asked == Subject() else asked
    found = run(data, lambda db: Budgets(db).list(of))
    show([_view(each) for each in found], as_json=as_json)


@budget.command("set")
@click.argument("number", type=int, metavar="ID")
@amount_options
@shown_options
def set_amount(number: int, data: str | None, as_json: bool, **amounts: int | None) -> None:
    """Change the amount of budget ID; what was used stays used."""
    unit, amount = _amount(amounts)

    async def action(database: Any) -> BudgetState:
        budgets = Budgets(database, actor=actor())
        return await budgets.amend(number, amount, unit)

    show(_view(run(data, action)), as_json=as_json)


@budget.command()
@click.argument("number", type=int, metavar="ID")
@data_option
def end(number: int, data: str | None) -> None:
    """End budget ID: from the next request on it holds no longer."""
    run(data, lambda db: Budgets(db, actor=actor()).end(number))


def _amount(amounts: dict[str, int | None]) -> tuple[Unit, int]:
    given = [(unit, amount) for unit in UNITS if (amount := amounts[unit]) is not None]
    if len(given) != 1:
        options = ", ".join(f"--{unit}" for unit in UNITS)
        raise click.UsageError(f"a budget has one amount: one of {options}")
    return given[0]


def _view(found: BudgetState) -> dict[str, Any]:
    def amount(value: int | None) -> int | Decimal | None:
        return tokens(value) if found.unit == "tokens" and value is not None else value

    window = found.window if found.used is not None else None
    return {
        "id": found.id,
        "of": found.whose,
        "model": found.model,
        "unit": found.unit,
        "amount": amount(found.amount),
        "used": amount(found.used),
        "per": window and window.per,
        "rolling": bool(window and window.rolling),
        "zone": None if window is None or window.rolling else window.zone,
        "opens_at": moment(found.opens_at),
    }
