"""Refunds of orders: Tokens that were not spent go back, and their part of the price.

The money is exact over all refunds of an order: after R of its A micro-Tokens, floor(price x R / A)
minor units were given back in all. Amounts are micro-Tokens; every function is part of the caller's
transaction.
"""

from collections.abc import Sequence

import msgspec

from xinghe.accounts import AccountError, rules
from xinghe.accounts.audit import record
from xinghe.core import tokens
from xinghe.ledger import withdrawals
from xinghe.sales import orders
from xinghe.sales.orders import Order
from xinghe.storage import Connection, among, now


class Refund(msgspec.Struct, frozen=True):
    """What was taken back of an order, and the minor units that were given for it."""

    id: int
    order_id: int
    at: int
    amount: int
    price: int
    reason: str
    reference: str
    created_by: int | None


def of_order(connection: Connection, order_id: int) -> list[Refund]:
    """The oldest first."""
    return of_orders(connection, [order_id])[order_id]


def of_orders(connection: Connection, ids: Sequence[int]) -> dict[int, list[Refund]]:
    """Those of each, the oldest first."""
    of_them, numbers = among(connection, "order_id", "$1", ids)
    rows = connection.rows(
        "SELECT id, order_id, at, amount, price, reason, reference, created_by FROM refunds "  # noqa: S608
        f"WHERE {of_them} ORDER BY id",
        numbers,
    )
    found: dict[int, list[Refund]] = {each: [] for each in ids}
    for row in rows:
        found[row[1]].append(Refund(*row))
    return found


def refundable(connection: Connection, order: Order, at: int) -> int:
    """What of it is left: neither spent, held, expired, transferred nor refunded."""
    if order.lot_id is None:
        return 0
    return withdrawals.removable(connection, order.wallet_id, order.lot_id, at)


def refund(
    connection: Connection,
    actor: str,
    order_id: int,
    amount: int | None,
    *,
    reason: str,
    reference: str,
    created_by: int | None,
) -> Refund:
    """Refund a part of an order, or (None) all that is left of it.

    `reference` is that of the money: it gives back once. The same refund again does nothing. Raises
    `AccountError` and `ManyExpired`.
    """
    rules.check_note(reason, "reason", least=1)
    rules.check_note(reference, "reference", least=1)
    order = orders.locked(connection, order_id)
    if order.lot_id is None:
        raise AccountError(f"the order {order.number} was not paid: nothing can be refunded")
    before = of_order(connection, order_id)
    at = now()
    withdrawals.sweep(connection, order.wallet_id, order.amount, at)
    most = refundable(connection, order, at)
    for each in before:
        if each.reference == reference:
            whole = amount is None and not most
            if each.reason == reason and (whole or each.amount == amount):
                return each
            raise AccountError(
                f"reference: {reference!r} has refunded {tokens(each.amount):f} Tokens of this "
                f"order already, because of {each.reason!r}"
            )
    if not most:
        raise AccountError(
            f"nothing of the order {order.number} can be refunded: it is spent, held, expired, "
            "transferred or refunded"
        )
    taken = most if amount is None else amount
    if not 0 < taken <= most:
        raise AccountError(
            f"tokens: {tokens(taken):f} is not allowed: more than 0, at most the "
            f"{tokens(most):f} Tokens that are left of the order {order.number}"
        )
    withdrawals.take_back(
        connection,
        order.wallet_id,
        order.lot_id,
        taken,
        kind="refund",
        at=at,
        note=f"order {order.number}",
    )
    total = taken + sum(each.amount for each in before)
    price = order.price * total // order.amount - sum(each.price for each in before)
    made = connection.value(
        "INSERT INTO refunds (order_id, at, amount, price, reason, reference, created_by) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        order_id,
        at,
        taken,
        price,
        reason,
        reference,
        created_by,
    )
    after = {
        "wallet": order.wallet_id,
        "amount": taken,
        "price": price,
        "currency": order.currency,
        "reason": reason,
        "reference": reference,
    }
    record(connection, actor, "order.refund", order.subject, after=after)
    return Refund(made, order_id, at, taken, price, reason, reference, created_by)
