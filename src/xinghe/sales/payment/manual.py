"""The operator as payment provider: the buyer is told how to pay, and a person confirms it."""

import msgspec

from xinghe.sales.orders import Order
from xinghe.sales.payment.provider import Checkout
from xinghe.settings.payment import MANUAL


class Manual(msgspec.Struct, frozen=True):
    """Sends no events: an order is paid when an operator says so (`orders.pay`)."""

    instructions: str
    name: str = MANUAL

    def checkout(self, order: Order) -> Checkout:
        return Checkout(instructions=self.instructions)
