"""`xinghe order`: who has ordered which package, who has paid, and what is given back."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

import click

from xinghe.accounts import AccountError, group_tables, rules, tables, wallets
from xinghe.cli.common import (
    MEMBER,
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
from xinghe.cli.packages import PACKAGE
from xinghe.cli.payment_events import order_events
from xinghe.sales import money, orders, packages, refunds
from xinghe.sales.orders import Order, Shown
from xinghe.sales.payment import checkout
from xinghe.sales.refunds import Refund
from xinghe.settings import Settings
from xinghe.storage import Connection, now

AT_ONCE = 1000
REFERENCE = Validated("reference", lambda value: rules.check_note(value, "reference", least=1))

number_argument = click.argument("number", metavar="ORDER")


def wallet_options(command: Command) -> Command:
    """Whose wallet."""
    for option in (
        click.option("--group", type=MEMBER, metavar="NAME", help="For a group's wallet."),
        click.option("--member", type=MEMBER, metavar="NAME", help="For a member's own wallet."),
    ):
        command = option(command)
    return command


@click.group()
def order() -> None:
    """Orders of packages: who has ordered, who has paid; refunds. An order has a number."""


order.add_command(order_events)


@order.command()
@click.argument("package", type=PACKAGE)
@wallet_options
@shown_options
def place(
    *, package: str, member: str | None, group: str | None, data: str | None, as_json: bool
) -> None:
    """Order PACKAGE (its name or id) for the wallet of a member or of a group."""
    if (member is None) == (group is None):
        raise click.UsageError("an order is for one wallet: --member or --group")

    def operation(connection: Connection, loaded: Settings) -> dict[str, Any]:
        wallet = _wallet(connection, member, group)
        assert wallet is not None
        placed = orders.place(
            connection,
            actor(),
            packages.named(connection, package).id,
            wallet,
            member_id=None,
            provider=loaded.payment.provider,
            days=loaded.payment.order_days,
        )
        return _whole(connection, loaded, placed)

    _show(transact(data, operation), as_json=as_json)


@order.command("list")
@wallet_options
@click.option("--state", type=click.Choice(get_args(Shown)), help="Only those in one state.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@shown_options
def list_orders(
    *,
    member: str | None,
    group: str | None,
    state: Shown | None,
    limit: int,
    data: str | None,
    as_json: bool,
) -> None:
    """List the orders, the newest first: of one wallet, or all."""

    def operation(connection: Connection, _: Settings) -> list[dict[str, Any]]:
        wallet, found = _wallet(connection, member, group), list[Order]()
        while len(found) < limit:
            most = min(limit - len(found), AT_ONCE)
            behind = found[-1].id if found else 0
            page = orders.newest(
                connection, wallet_id=wallet, shown=state, behind=behind, limit=most
            )
            found += page
            if len(page) < most:
                break
        back = refunds.of_orders(connection, [each.id for each in found])
        names = wallets.owners(connection, {each.wallet_id for each in found})
        return [_row(each, back[each.id], names) for each in found]

    show(transact(data, operation, write=False), as_json=as_json)


@order.command("show")
@number_argument
@shown_options
def show_order(number: str, data: str | None, as_json: bool) -> None:
    """Show ORDER: how it is paid, what was refunded of it, and what can be."""
    _act(data, number, lambda _, found: found, as_json=as_json, write=False)


@order.command()
@number_argument
@click.argument("reference", type=REFERENCE)
@shown_options
def confirm(number: str, reference: str, data: str | None, as_json: bool) -> None:
    """Confirm that ORDER is paid, by the payment REFERENCE: its Tokens are credited, once.

    One that has expired, failed or was cancelled is credited as well: the money has come.
    """
    _act(
        data, number, lambda c, found: orders.pay(c, actor(), found.id, reference), as_json=as_json
    )


@order.command()
@number_argument
@shown_options
def cancel(number: str, data: str | None, as_json: bool) -> None:
    """Cancel ORDER, which is not paid."""
    _act(
        data, number, lambda c, found: orders.close(c, actor(), found.id, "cancelled"),
        as_json=as_json,
    )  # fmt: skip


@order.command()
@number_argument
@click.option("--tokens", "amount", type=Amount(), metavar="N", help="Else all that is left.")
@click.option(
    "--reason",
    required=True,
    type=Validated("reason", lambda value: rules.check_note(value, "reason", least=1)),
    help="Why.",
)
@click.option("--reference", required=True, type=REFERENCE, help="Of the money given back.")
@shown_options
def refund(
    *,
    number: str,
    amount: int | None,
    reason: str,
    reference: str,
    data: str | None,
    as_json: bool,
) -> None:
    """Take back what is left of ORDER, or a part, and say how much money is to be given back.

    What was spent, has expired, is held by running requests or was transferred stays.
    """

    def give_back(connection: Connection, found: Order) -> Order:
        refunds.refund(
            connection,
            actor(),
            found.id,
            amount,
            reason=reason,
            reference=reference,
            created_by=None,
        )
        return found

    _act(data, number, give_back, as_json=as_json)


def _act(
    data: str | None,
    number: str,
    action: Callable[[Connection, Order], Order],
    *,
    as_json: bool,
    write: bool = True,
) -> None:
    """Do it to the order of a number, and show what it is then."""

    def operation(connection: Connection, loaded: Settings) -> dict[str, Any]:
        found = action(connection, orders.numbered(connection, number.upper()))
        return _whole(connection, loaded, found)

    _show(transact(data, operation, write=write), as_json=as_json)


def _show(whole: dict[str, Any], *, as_json: bool) -> None:
    if not as_json:
        told = "{tokens:f} Tokens, {price:f}, {at}, {reference}: {reason}".format
        whole["refunds"] = "; ".join(told(**each) for each in whole["refunds"]) or None
    show(whole, as_json=as_json)


def _wallet(connection: Connection, member: str | None, group: str | None) -> int | None:
    if member is not None and group is not None:
        raise AccountError("an order is for one wallet: of a member, or of a group")
    if member is not None:
        return tables.member(connection, member).id
    return None if group is None else group_tables.group(connection, group).wallet_id


def _row(found: Order, back: list[Refund], names: Mapping[int, str | None]) -> dict[str, Any]:
    return {
        "order": found.number,
        "state": found.shown(now()),
        "package": found.name,
        "for": names[found.wallet_id],
        "tokens": tokens(found.amount),
        "price": money.shown(found.price, found.currency),
        "currency": found.currency,
        "created_at": moment(found.created_at),
        "expires_at": moment(found.expires_at),
        "provider": found.provider,
        "reference": found.reference,
        "refunded_tokens": tokens(sum(each.amount for each in back)),
        "refunded_price": money.shown(sum(each.price for each in back), found.currency),
    }


def _whole(connection: Connection, loaded: Settings, found: Order) -> dict[str, Any]:
    at = now()
    pay = checkout(loaded.payment, found, at)
    back = refunds.of_order(connection, found.id)
    return {
        **_row(found, back, wallets.owners(connection, [found.wallet_id])),
        "valid_days": found.valid_days,
        "models": None if found.models is None else list(found.models),
        "refundable": tokens(refunds.refundable(connection, found, at)),
        "pay": pay.url or pay.instructions or None,
        "refunds": [
            {
                "at": moment(each.at),
                "tokens": tokens(each.amount),
                "price": money.shown(each.price, found.currency),
                "reason": each.reason,
                "reference": each.reference,
            }
            for each in back
        ],
    }
