"""`xinghe package`: what is sold, at which price, to whom."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import click
import msgspec

from xinghe.accounts import group_tables, rules
from xinghe.cli.common import (
    NONE,
    Amount,
    Command,
    Validated,
    actor,
    moment,
    show,
    shown_options,
    tokens,
    transact,
)
from xinghe.sales import money, packages
from xinghe.sales.packages import Offer, Package
from xinghe.sales.validity import LONGEST_DAYS
from xinghe.settings import Settings
from xinghe.settings.payment import DECIMALS
from xinghe.storage import Connection

PACKAGE = Validated("name", rules.check_member_reference)
"""An existing package, by its id, or by its name."""
AT_ONCE = 1000


class DaysOrNone(click.IntRange):
    """Days, or the word `none`."""

    name = "days|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return NONE if value == NONE else super().convert(value, param, ctx)


def offer_options(command: Command) -> Command:
    """What both `create` and `change` take."""
    model = Validated("model", lambda value: rules.check_models([value]))
    for option in (
        click.option(
            "--group",
            "groups",
            type=PACKAGE,
            multiple=True,
            metavar="GROUP",
            help="A group whose members may buy it, for themselves or as its managers for the "
            "group; of an organisation, those of its groups too. Repeat for several; without, all.",
        ),
        click.option(
            "--model",
            "models",
            type=model,
            multiple=True,
            metavar="M",
            help="A model that its Tokens pay for; repeat for several; without, all.",
        ),
        click.option("--description", metavar="TEXT", help="What buyers are told of it."),
        click.option("--currency", type=click.Choice(list(DECIMALS)), help="Of the price."),
    ):
        command = option(command)
    return command


@click.group()
def package() -> None:
    """Packages: Tokens for a price, for everybody or some groups."""


@package.command()
@click.argument("name", type=Validated("name", rules.check_name))
@click.option("--tokens", "amount", type=Amount(), required=True, metavar="N", help="How many.")
@click.option("--price", required=True, metavar="PRICE", help="In the currency's units: 9.90.")
@offer_options
@click.option(
    "--days",
    type=click.IntRange(1, LONGEST_DAYS),
    metavar="N",
    help="How long they are valid from the payment on; without, for ever.",
)
@shown_options
def create(
    *, name: str, amount: int, price: str, data: str | None, as_json: bool, **rest: Any
) -> None:
    """Offer the package NAME."""

    def operation(connection: Connection, loaded: Settings) -> dict[str, Any]:
        currency = rest["currency"] or loaded.payment.currency
        offer = Offer(
            name=name,
            description=rest["description"] or "",
            amount=amount,
            price=money.minor(price, currency),
            currency=currency,
            valid_days=rest["days"],
            models=rest["models"] or None,
            groups=_ids(connection, rest["groups"]),
        )
        return _view(connection, packages.create(connection, actor(), offer))

    show(transact(data, operation), as_json=as_json)


@package.command("list")
@click.option("--withdrawn", is_flag=True, help="Those as well that nobody can buy any more.")
@shown_options
def list_packages(*, withdrawn: bool, data: str | None, as_json: bool) -> None:
    """List the packages, the oldest first."""

    def operation(connection: Connection, _: Settings) -> list[dict[str, Any]]:
        found: list[Package] = []
        while page := packages.packages(
            connection,
            withdrawn=withdrawn,
            behind=found[-1].id if found else 0,
            limit=AT_ONCE,
        ):
            found += page
        names = group_tables.names(connection, {group for each in found for group in each.groups})
        return [_row(each, names) for each in found]

    show(transact(data, operation, write=False), as_json=as_json)


@package.command()
@click.argument("name", type=PACKAGE)
@click.option("--name", "new", type=Validated("name", rules.check_name), help="Its new name.")
@click.option("--tokens", "amount", type=Amount(), metavar="N", help="How many.")
@click.option("--price", metavar="PRICE", help="In the currency's units: 9.90.")
@offer_options
@click.option("--all-models", is_flag=True, help="Its Tokens pay for every model.")
@click.option("--everybody", is_flag=True, help="Let everybody buy it.")
@click.option(
    "--days",
    type=DaysOrNone(1, LONGEST_DAYS),
    metavar="N|none",
    help="How long they are valid from the payment on; none: for ever.",
)
@shown_options
def change(*, name: str, data: str | None, as_json: bool, **rest: Any) -> None:
    """Change the package NAME (or ID). What was ordered before stays as it was ordered."""
    for flag, option in (("all_models", "models"), ("everybody", "groups")):
        if rest[flag] and rest[option]:
            raise click.UsageError(f"--{flag.replace('_', '-')} excludes --{option[:-1]}")

    def operation(connection: Connection, _: Settings) -> dict[str, Any]:
        changed = packages.change(
            connection,
            actor(),
            packages.named(connection, name).id,
            lambda before: _changed(connection, before, rest),
        )
        return _view(connection, changed)

    show(transact(data, operation), as_json=as_json)


@package.command()
@click.argument("name", type=PACKAGE)
@shown_options
def withdraw(*, name: str, data: str | None, as_json: bool) -> None:
    """Let nobody order the package NAME (or ID) any more; what is ordered may still be paid."""

    def operation(connection: Connection, _: Settings) -> dict[str, Any]:
        found = packages.named(connection, name)
        return _view(connection, packages.withdraw(connection, actor(), found.id))

    show(transact(data, operation), as_json=as_json)


def _changed(connection: Connection, before: Package, rest: dict[str, Any]) -> Offer:
    """A price that is not named stays the number that it is, in another currency too."""
    price: str | Decimal = rest["price"] or money.shown(before.price, before.currency)
    currency = rest["currency"] or before.currency
    days: int | Literal["none"] | None = rest["days"]
    offer = msgspec.structs.replace(
        packages.as_offer(before), price=money.minor(price, currency), currency=currency
    )
    named = {"name": rest["new"], "amount": rest["amount"], "description": rest["description"]}
    changes = {field: value for field, value in named.items() if value is not None}
    if days is not None:
        changes["valid_days"] = None if days == NONE else days
    if rest["models"] or rest["all_models"]:
        changes["models"] = rest["models"] or None
    if rest["groups"] or rest["everybody"]:
        changes["groups"] = _ids(connection, rest["groups"])
    return msgspec.structs.replace(offer, **changes)


def _ids(connection: Connection, names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(group_tables.group(connection, name).id for name in names)


def _view(connection: Connection, found: Package) -> dict[str, Any]:
    return _row(found, group_tables.names(connection, found.groups))


def _row(found: Package, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "tokens": tokens(found.amount),
        "price": money.shown(found.price, found.currency),
        "currency": found.currency,
        "valid_days": found.valid_days,
        "models": None if found.models is None else list(found.models),
        "groups": [names[each] for each in found.groups] or None,
        "description": found.description,
        "withdrawn_at": moment(found.withdrawn_at),
    }
