"""Orders on a database of a test's own, beside the product that runs on it, or without one."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from xinghe.accounts.members import create_member
from xinghe.ledger import check
from xinghe.sales import orders, packages
from xinghe.sales.orders import Order
from xinghe.sales.packages import Offer
from xinghe.sales.payment import Event, Received, Row, checkout, events, receive
from xinghe.settings.payment import Payment
from xinghe.settings.payment import Provider as Configured
from xinghe.storage import Connection, Database, now

T = TypeVar("T")
TOKENS = 1_000_000
PRICE = 990
_numbers = itertools.count(1)


class Shop:
    """Its member buys one package again and again."""

    def __init__(self, folder: Path, url: str) -> None:
        self._runner = asyncio.Runner()
        self._database = self._runner.run(Database.open(folder, url))
        offer = Offer(name=f"p-{next(_numbers)}", amount=TOKENS, price=PRICE, currency="CNY")
        self._package = self._write(lambda c: packages.create(c, "test", offer))
        self.new_buyer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self._database.close())
        self._runner.close()

    def new_buyer(self) -> None:
        """Who orders from here on."""
        name = f"buyer-{next(_numbers)}"
        self.wallet = self._write(lambda c: create_member(c, "test", name, 0)).id

    def order(self, provider: str = "bridge") -> Order:
        return self._write(
            lambda c: orders.place(
                c, "test", self._package.id, self.wallet, member_id=None, provider=provider, days=7
            )
        )

    def checkout(self, order: Order, url: str) -> str:
        """Where the product sends the buyer."""
        configured = Configured(checkout_url=url, secret="whsec_" + "A" * 32)
        payment = Payment(providers={order.provider: configured})
        found = checkout(payment, order, now()).url
        assert found is not None
        return found

    def expire(self, order: Order) -> None:
        self._write(
            lambda c: c.run(
                "UPDATE orders SET created_at = 1, expires_at = 2 WHERE id = $1", order.id
            )
        )
        assert self.state(order) == "open"

    def cancel(self, order: Order) -> None:
        self._write(lambda c: orders.close(c, "test", order.id, "cancelled"))

    def confirm(self, order: Order, reference: str) -> None:
        """As an operator does."""
        self._write(lambda c: orders.pay(c, "test", order.id, reference))

    def receive(self, provider: str, event: Event) -> Received:
        return self._write(lambda c: receive(c, provider, event))

    def state(self, order: Order) -> str:
        return self._read(lambda c: orders.order(c, order.id)).state

    def outcomes(self, order: Order | None = None) -> list[str]:
        """Of the events of an order, the oldest first."""
        return [row.outcome for row in reversed(self.events(order))]

    def events(self, order: Order | None = None, *, alarming: bool = False) -> list[Row]:
        order_id = None if order is None else order.id
        return self._read(lambda c: events(c, order_id=order_id, alarming=alarming))

    def credited(self) -> int:
        """How often the package was credited; and the books agree."""
        lots, total = self._read(
            lambda c: c.rows(
                "SELECT count(*), CAST(coalesce(sum(remaining), 0) AS BIGINT) FROM lots "
                "WHERE wallet_id = $1",
                self.wallet,
            )[0]
        )
        assert total == lots * TOKENS
        assert self._read(check) == []
        return int(lots)

    def _read(self, operation: Callable[[Connection], T]) -> T:
        return self._runner.run(self._database.read(operation))

    def _write(self, operation: Callable[[Connection], T]) -> T:
        return self._runner.run(self._database.write(operation))
