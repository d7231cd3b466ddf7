"""Orders of packages: placed by buyers, paid, and refunded by operators."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from xinghe.accounts.rights import SHOWN
from xinghe.admin.operation import Call
from xinghe.admin.payment_events import PaymentEventView, of_order
from xinghe.admin.shapes import (
    Amount,
    Body,
    Listing,
    Number,
    Paging,
    Reason,
    Tokens,
    Told,
    micro,
    page,
    positive,
    told,
)
from xinghe.api.errors import ApiError, Errors
from xinghe.core import tokens
from xinghe.ledger import expiry
from xinghe.sales import money, orders, packages, refunds
from xinghe.sales.orders import Order, Shown
from xinghe.sales.payment import checkout
from xinghe.sales.refunds import Refund
from xinghe.storage import Connection, among, now

Price = Annotated[Decimal, Meta(description="In units of the currency, with its decimals.")]
People: TypeAlias = Mapping[int | None, tuple[str, str | None]]
NOBODY = None, None


class RefundView(msgspec.Struct, kw_only=True):
    """Tokens that were taken back, and the `price` that was given for them."""

    id: int
    at: Told
    tokens: Tokens
    price: Price
    reason: str
    reference: str
    created_by: str | None


class OrderView(msgspec.Struct, kw_only=True):
    """A package as it was ordered, for a wallet.

    `expired` says that it waits for its payment no more: one that comes late is credited all the
    same. While it waits, `checkout_url` is where it is paid, or `instructions` say how (null: they
    do not). `ordered_by` is a member, null: a command; his name is null once he is deleted.
    `reference` is that of the payment. `refundable` is what is left of it now, and `events` are
    what its payment provider told, for operators. A list tells neither these nor `refunds`, only
    their sums.
    """

    number: str
    object: Literal["order"] = "order"
    state: Shown
    package: int
    wallet: int
    ordered_by: str | None
    ordered_by_name: str | None
    name: str
    tokens: Tokens
    price: Price
    currency: str
    valid_days: int | None
    models: tuple[str, ...] | None
    provider: str
    checkout_url: str | None
    instructions: str | None
    created_at: Told
    expires_at: Told
    changed_at: Told
    reference: str | None
    refunded_tokens: Tokens
    refunded_price: Price
    refundable: Tokens | UnsetType = UNSET
    refunds: list[RefundView] | UnsetType = UNSET
    events: list[PaymentEventView] | UnsetType = UNSET


class OrderList(Listing):
    data: list[OrderView]


class OrderQuery(Paging):
    """The newest first, in a `state`."""

    state: Shown | None = None


class AllOrdersQuery(OrderQuery):
    """The newest first, in a `state`, for a `wallet`."""

    wallet: Number | None = None


class NewOrder(Body):
    package: Number


class Confirmation(Body):
    """The money has come; `reference` is that of the payment, which pays for one order alone."""

    reference: Reason


class NewRefund(Body, kw_only=True):
    """Without `tokens`, all that is left. `reference` is that of the money that is given back."""

    tokens: Amount | None = None
    reason: Reason
    reference: Reason


async def place(call: Call[NewOrder]) -> OrderView:
    caller, payment = call.exchange.principal, call.services.payment
    package = call.given.package

    def operation(connection: Connection) -> OrderView:
        if not caller.operator and not packages.offered(connection, package, caller.member_id):
            raise ApiError(Errors.NO_SUCH_OBJECT, f"there is no package {package}", param="package")
        placed = orders.place(
            connection,
            call.actor,
            package,
            call.target.id,
            member_id=caller.member_id,
            provider=payment.provider,
            days=payment.order_days,
        )
        return _whole(call, connection, placed)

    return await call.transaction(keep=lambda view: view).write(operation)


async def list_(call: Call[Any]) -> OrderList:
    """Of the wallet that the path names, or of that of the query, or of all."""
    asked = call.given
    wallet = asked.wallet if isinstance(asked, AllOrdersQuery) else call.target.id

    def operation(connection: Connection) -> tuple[list[Order], dict[int, OrderView]]:
        found = orders.newest(
            connection,
            wallet_id=wallet,
            shown=asked.state,
            behind=asked.behind,
            limit=asked.limit + 1,
        )
        back = refunds.of_orders(connection, [each.id for each in found])
        people = _people(connection, (each.member_id for each in found))
        return found, {each.id: _view(call, each, back[each.id], people) for each in found}

    found, views = await call.services.database.read(operation)
    return page(OrderList, found, asked.limit, lambda each: views[each.id], "id")


async def get(call: Call[None]) -> OrderView:
    def operation(connection: Connection) -> OrderView:
        with connection.snapshot():
            return _whole(call, connection, orders.order(connection, call.target.id))

    return await call.services.database.read(operation)


async def confirm(call: Call[Confirmation]) -> OrderView:
    def operation(connection: Connection) -> OrderView:
        paid = orders.pay(connection, call.actor, call.target.id, call.given.reference)
        return _whole(call, connection, paid)

    return await call.transaction(keep=lambda view: view).write(operation)


async def cancel(call: Call[None]) -> OrderView:
    def operation(connection: Connection) -> OrderView:
        closed = orders.close(connection, call.actor, call.target.id, "cancelled")
        return _whole(call, connection, closed)

    return await call.transaction(keep=lambda view: view).write(operation)


async def refund(call: Call[NewRefund]) -> OrderView:
    body = call.given
    amount = None if body.tokens is None else positive(micro(body.tokens, "tokens"), "tokens")

    def operation(connection: Connection) -> OrderView:
        refunds.refund(
            connection,
            call.actor,
            call.target.id,
            amount,
            reason=body.reason,
            reference=body.reference,
            created_by=call.exchange.principal.member_id,
        )
        return _whole(call, connection, orders.order(connection, call.target.id))

    giving = call.transaction(keep=lambda view: view)
    return await expiry.swept(call.services.database, lambda: giving.write(operation))


def _whole(call: Call[Any], connection: Connection, found: Order) -> OrderView:
    back = refunds.of_order(connection, found.id)
    people = _people(connection, [found.member_id, *(each.created_by for each in back)])
    view = _view(call, found, back, people)
    view.refunds = [_refund(found, each, people) for each in back]
    if call.relations & SHOWN["order"]["refundable"]:
        view.refundable = tokens(refunds.refundable(connection, found, now()))
    if call.relations & SHOWN["order"]["events"]:
        view.events = of_order(connection, found.id)
    return view


def _view(call: Call[Any], found: Order, back: list[Refund], people: People) -> OrderView:
    at = now()
    pay = checkout(call.services.payment, found, at)
    ordered_by, name = people.get(found.member_id, NOBODY)
    return OrderView(
        number=found.number,
        state=found.shown(at),
        package=found.package_id,
        wallet=found.wallet_id,
        ordered_by=ordered_by,
        ordered_by_name=name,
        name=found.name,
        tokens=tokens(found.amount),
        price=money.shown(found.price, found.currency),
        currency=found.currency,
        valid_days=found.valid_days,
        models=found.models,
        provider=found.provider,
        checkout_url=pay.url or None,
        instructions=pay.instructions or None,
        created_at=told(found.created_at),
        expires_at=told(found.expires_at),
        changed_at=told(found.changed_at),
        reference=found.reference,
        refunded_tokens=tokens(sum(each.amount for each in back)),
        refunded_price=money.shown(sum(each.price for each in back), found.currency),
    )


def _refund(order: Order, found: Refund, people: People) -> RefundView:
    return RefundView(
        id=found.id,
        at=told(found.at),
        tokens=tokens(found.amount),
        price=money.shown(found.price, order.currency),
        reason=found.reason,
        reference=found.reference,
        created_by=people.get(found.created_by, NOBODY)[0],
    )


def _people(connection: Connection, members: Iterable[int | None]) -> People:
    """Ids and names of the members among them: a command is none."""
    ids = {each for each in members if each is not None}
    of_them, numbers = among(connection, "id", "$1", ids)
    query = f"SELECT id, appid, name, deleted_at FROM members WHERE {of_them}"  # noqa: S608
    return {
        number: (appid, name if deleted is None else None)
        for number, appid, name, deleted in connection.rows(query, numbers)
    }
