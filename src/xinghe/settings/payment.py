"""The section `payment`: in which currency packages are sold, and who takes the money."""

from typing import Annotated

import msgspec
from msgspec import Meta

MANUAL = "manual"
DECIMALS = {
    "CNY": 2, "HKD": 2, "MOP": 2, "TWD": 2, "USD": 2, "EUR": 2, "GBP": 2, "SGD": 2, "JPY": 0,
    "KRW": 0,
}  # fmt: skip
"""Of each currency (ISO 4217) that prices may be in."""


class Provider(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who takes the money and reports it by webhooks, signed as Standard Webhooks are."""

    checkout_url: str = ""
    """Where the buyer pays; `{order}`, `{price}`, `{currency}` stand for those of the order."""
    secret: str = ""
    secret_env: str = ""
    """What the events are signed with (`whsec_` and base64 of 24 to 64 bytes), or the variable
    that holds it."""


class Payment(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How packages are paid for."""

    currency: str = "CNY"
    """Of new prices: ISO 4217."""
    provider: str = MANUAL
    """Who takes the money of new orders: `manual` (an operator confirms it), or one of
    `providers`."""
    instructions: Annotated[str, Meta(max_length=2000)] = ""
    """What a buyer is told whose order an operator confirms: where to send the money, say."""
    order_days: Annotated[int, Meta(ge=1, le=90)] = 7
    """How long an order waits for its payment."""
    providers: dict[str, Provider] = {}

    def __post_init__(self) -> None:
        if self.currency not in DECIMALS:
            raise ValueError(
                f"`currency` is {self.currency!r}, allowed: one of {', '.join(DECIMALS)}"
            )
        if self.provider != MANUAL and self.provider not in self.providers:
            known = ", ".join([MANUAL, *self.providers])
            raise ValueError(f"`provider` is {self.provider!r}, allowed: one of {known}")
