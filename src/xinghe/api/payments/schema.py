"""What is sent to `/payments/{provider}`, and its answer."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.sales.payment import Outcome


class PaymentData(msgspec.Struct, kw_only=True):
    """Of an order. Where the payment has failed, `order` alone must be there."""

    order: Annotated[str, Meta(min_length=1, max_length=64, description="The order's number.")]
    reference: Annotated[
        str,
        Meta(min_length=1, max_length=200, description="The provider's own id of the payment."),
    ]
    amount: Annotated[
        Decimal, Meta(description="What was paid, in units of the currency; or the same as text.")
    ]
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217.")]


class PaymentEvent(msgspec.Struct, kw_only=True):
    """What the answer says of one type or the other holds for these; any other does nothing."""

    type: Literal["payment.succeeded", "payment.failed"]
    timestamp: Annotated[str, Meta(description="When it happened; it is not read.")] = ""
    data: PaymentData


class PaymentReceived(msgspec.Struct, kw_only=True):
    """The same for the same event, however often it comes."""

    object: Literal["payment_event"] = "payment_event"
    id: str
    outcome: Outcome | Literal["ignored"]
