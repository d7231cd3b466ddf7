"""A provider in the settings: the buyer pays at its URL, and it tells of it by signed webhooks."""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from xinghe.sales.orders import Order
from xinghe.sales.payment import body, webhook
from xinghe.sales.payment.provider import Checkout, Event, Headers, price


class Hosted(msgspec.Struct, frozen=True):
    """A payment service, or the operator's bridge to one."""

    name: str
    url: str
    instructions: str
    keys: Sequence[str] = ()

    def __repr__(self) -> str:
        """Without the keys."""
        return f"Hosted({self.name!r}, {self.url!r})"

    def checkout(self, order: Order) -> Checkout:
        if not self.url:
            return Checkout(instructions=self.instructions)
        parts = {
            "order": order.number,
            "price": str(price(order)),
            "currency": order.currency,
        }
        return Checkout(url=self.url.format(**{name: quote(parts[name], "") for name in parts}))

    def check_headers(self, headers: Headers) -> None:
        webhook.signed(headers)

    def event(self, headers: Headers, sent: bytes) -> Event | None:
        return body.read(webhook.verify(self.keys, headers, sent), sent)
