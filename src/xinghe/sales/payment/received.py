"""What comes of a provider's events: each once, in the transaction of its effect.

Amounts are those of the event, in units of the currency. Whatever the order in which events come,
and however often, an order is paid if its price has come, and nothing is credited twice.
"""

import itertools
from typing import Literal, TypeAlias

import msgspec

from xinghe.accounts import AccountError
from xinghe.accounts.audit import alone
from xinghe.sales import orders
from xinghe.sales.orders import Order, PaymentTaken, WalletFull
from xinghe.sales.payment.provider import FAILED, Event, price
from xinghe.storage import Connection, now

Outcome: TypeAlias = Literal["paid", "failed", "unchanged", "mismatch", "overpaid", "unknown"]
"""`unchanged`: the order was what it became already. The last three are for a person to look at:
another amount or currency, a second payment, no such order of this provider."""
LOOKED_AT: tuple[Outcome, ...] = ("mismatch", "overpaid", "unknown")
_COLUMNS = (
    "id, provider, event_id, at, order_id, kind, outcome, number, reference, amount, currency"
)


class Received(msgspec.Struct, frozen=True):
    """`again`: it had been received before, and nothing was done now."""

    outcome: Outcome
    again: bool = False

    @property
    def alarming(self) -> bool:
        """Whether money may have come that nobody has counted."""
        return self.outcome in LOOKED_AT and not self.again


class Row(msgspec.Struct, frozen=True):
    """An event as it was received; `number` to `currency` are what it said."""

    id: int
    provider: str
    event_id: str
    at: int
    order_id: int | None
    kind: str
    outcome: Outcome
    number: str
    reference: str
    amount: str
    currency: str


def receive(connection: Connection, provider: str, event: Event) -> Received:
    """Have an event take its effect, unless it has had it.

    Whatever else is in the way is raised, and nothing is kept: the provider sends it again.
    """
    order = _order(connection, event.number)
    if order is not None:
        order = orders.locked(connection, order.id)
    alone(connection)  # nobody receives the same event meanwhile
    known = connection.value(
        "SELECT outcome FROM payment_events WHERE provider = $1 AND event_id = $2",
        provider,
        event.id,
    )
    if known is not None:
        return Received(known, again=True)
    outcome: Outcome
    if order is None or order.provider != provider:
        outcome = "unknown"
    elif event.kind == FAILED:
        outcome = _failed(connection, order)
    else:
        outcome = _succeeded(connection, order, event)
    connection.run(
        "INSERT INTO payment_events (provider, event_id, at, order_id, kind, outcome, number, "
        "reference, amount, currency) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        provider,
        event.id,
        now(),
        None if order is None else order.id,
        event.kind,
        outcome,
        event.number,
        event.reference,
        "" if event.amount is None else f"{event.amount.normalize():f}",
        event.currency,
    )
    return Received(outcome)


def events(
    connection: Connection,
    *,
    order_id: int | None = None,
    alarming: bool = False,
    before: int | None = None,
    limit: int = 100,
) -> list[Row]:
    """The newest first: of an order, or those alone that somebody should look at."""
    asked: list[tuple[str, object]] = [("id <", 2**62 if before is None else before)]
    if order_id is not None:
        asked.append(("order_id =", order_id))
    if not alarming:
        return _newest(connection, asked, limit)
    # Of each outcome the newest, by its index: they are few among very many.
    found = [_newest(connection, [*asked, ("outcome =", each)], limit) for each in LOOKED_AT]
    return sorted(itertools.chain(*found), key=lambda row: -row.id)[:limit]


def _newest(connection: Connection, asked: list[tuple[str, object]], limit: int) -> list[Row]:
    conditions = " AND ".join(f"{text} ${n}" for n, (text, _) in enumerate(asked, 1))
    rows = connection.rows(
        f"SELECT {_COLUMNS} FROM payment_events WHERE {conditions} "  # noqa: S608
        f"ORDER BY id DESC LIMIT {limit:d}",
        *(value for _, value in asked),
    )
    return [Row(*row) for row in rows]


def _succeeded(connection: Connection, order: Order, event: Event) -> Outcome:
    if (event.amount, event.currency) != (price(order), order.currency):
        return "mismatch"
    if order.state == "paid":
        return "unchanged" if order.reference == event.reference else "overpaid"
    try:
        orders.pay(connection, _actor(order), order.id, event.reference)
    except (PaymentTaken, WalletFull):
        return "mismatch"
    return "paid"


def _failed(connection: Connection, order: Order) -> Outcome:
    if order.state != "open":
        return "unchanged"
    orders.close(connection, _actor(order), order.id, "failed")
    return "failed"


def _order(connection: Connection, number: str) -> Order | None:
    try:
        return orders.numbered(connection, number)
    except AccountError:
        return None


def _actor(order: Order) -> str:
    """What the audit log calls the provider."""
    return f"payment:{order.provider}"
