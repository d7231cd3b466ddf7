"""What a payment provider is: how it is paid, and how what it says of payments is read."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias

import msgspec

from xinghe.sales import money
from xinghe.sales.orders import Order

SUCCEEDED: Literal["payment.succeeded"] = "payment.succeeded"
FAILED: Literal["payment.failed"] = "payment.failed"

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]


class Checkout(msgspec.Struct, frozen=True):
    """How to pay an order: at a URL, or as the instructions say; neither: it waits no more."""

    url: str | None = None
    instructions: str | None = None


class Event(msgspec.Struct, frozen=True):
    """What a provider says of a payment; `id` stays the same however often it is said.

    `number` is that of the order, `reference` the provider's own of the payment, `amount` in units
    of the currency. Of a payment that failed, all but the number may be missing.
    """

    id: str
    kind: Literal["payment.succeeded", "payment.failed"]
    number: str
    reference: str = ""
    amount: Decimal | None = None
    currency: str = ""


class NotSigned(Exception):
    """It is not the provider's, or not of now; the message says what is missing."""


class WrongEvent(Exception):
    """It is the provider's, and not as an event is written: `field`, its value, what may be."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field} is not allowed: {allowed}")
        self.field = field
        self.value = value
        self.allowed = allowed


class Provider(Protocol):
    """Who takes the money of orders."""

    @property
    def name(self) -> str: ...

    def checkout(self, order: Order) -> Checkout: ...


class Reporting(Provider, Protocol):
    """One that sends events."""

    def check_headers(self, headers: Headers) -> None:
        """Refuse what its headers alone show to be a forgery. Raises `NotSigned`."""

    def event(self, headers: Headers, body: bytes) -> Event | None:
        """What is said; None: nothing about a payment. Raises `NotSigned`, `WrongEvent`."""


def price(order: Order) -> Decimal:
    """In units of its currency, with all of their decimals."""
    return money.shown(order.price, order.currency)
