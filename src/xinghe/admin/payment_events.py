"""What payment providers have told of an order."""

from decimal import Decimal

import msgspec

from xinghe.admin.shapes import Told, told
from xinghe.sales.payment import Outcome, events
from xinghe.storage import Connection

MOST = 100


class PaymentEventView(msgspec.Struct, kw_only=True):
    """An event of a payment provider, with what it said; of `mismatch` and `overpaid`, money may
    have come that is not credited.
    """

    id: str
    at: Told
    provider: str
    type: str
    outcome: Outcome
    reference: str
    amount: Decimal | None
    currency: str


def of_order(connection: Connection, order_id: int) -> list[PaymentEventView]:
    """The newest 100, the newest first."""
    return [
        PaymentEventView(
            id=each.event_id,
            at=told(each.at),
            provider=each.provider,
            type=each.kind,
            outcome=each.outcome,
            reference=each.reference,
            amount=Decimal(each.amount) if each.amount else None,
            currency=each.currency,
        )
        for each in events(connection, order_id=order_id, limit=MOST)
    ]
