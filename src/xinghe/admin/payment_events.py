"""What payment providers have told: of an order, and what somebody has to look at."""

from decimal import Decimal

import msgspec

from xinghe.admin.operation import Call
from xinghe.admin.shapes import Listing, Paging, Told, page, told
from xinghe.sales.payment import Outcome, Row, events
from xinghe.storage import Connection

MOST = 100


class PaymentEventView(msgspec.Struct, kw_only=True):
    """An event of a payment provider, with what it said; of `mismatch`, `overpaid` and `unknown`,
    money may have come that is not credited.
    """

    id: str
    at: Told
    provider: str
    type: str
    outcome: Outcome
    order: str
    reference: str
    amount: Decimal | None
    currency: str


class PaymentEventList(Listing):
    data: list[PaymentEventView]


class PaymentEventQuery(Paging):
    """The newest first: those that somebody has to look at; with `all`, the others as well."""

    all: bool = False


async def list_(call: Call[PaymentEventQuery]) -> PaymentEventList:
    asked = call.given
    found = await call.services.database.read(
        lambda c: events(
            c, alarming=not asked.all, before=asked.behind or None, limit=asked.limit + 1
        )
    )
    return page(PaymentEventList, found, asked.limit, _view, "id")


def of_order(connection: Connection, order_id: int) -> list[PaymentEventView]:
    """The newest 100, the newest first."""
    return [_view(each) for each in events(connection, order_id=order_id, limit=MOST)]


def _view(found: Row) -> PaymentEventView:
    return PaymentEventView(
        id=found.event_id,
        at=told(found.at),
        provider=found.provider,
        type=found.kind,
        outcome=found.outcome,
        order=found.number,
        reference=found.reference,
        amount=Decimal(found.amount) if found.amount else None,
        currency=found.currency,
    )
