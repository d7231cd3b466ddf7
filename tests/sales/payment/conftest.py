"""The running product on both databases, a payment service, and orders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.payer import KEY, OTHER_KEY, Answer, Bill, Payer, Told
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.sales.payment.shop import Shop
from xinghe.sales.orders import Order


@dataclass(frozen=True)
class Street:
    """All three: who sells, who takes the money, and who buys."""

    server: Server
    payer: Payer
    shop: Shop

    def bought(self) -> tuple[Order, Bill]:
        """A new order, whose buyer was sent to where it is paid."""
        order = self.shop.order(self.payer.name)
        return order, self.payer.visited(self.shop.checkout(order, self.payer.checkout_url))

    def tell(self, told: Told) -> Answer:
        return self.payer.send(self.server.url, told)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def street(
    request: pytest.FixtureRequest, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Street]:
    """One for all tests of a file."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres").database()
    folder: Path = tmp_path_factory.mktemp("payment")
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    with Payer() as payer:
        settings = {**payer.settings, "XINGHE_DATABASE__URL": url}
        settings["XINGHE_PAYMENT__PROVIDERS__OTHER__SECRET"] = f"{OTHER_KEY} {KEY}"
        with Server(folder, models=models, settings=settings) as server, Shop(folder, url) as shop:
            yield Street(server, payer, shop)
            server.run("ledger", "check")


@pytest.fixture(autouse=True)
def _new_buyer(request: pytest.FixtureRequest) -> None:
    """Each test counts what its own buyer was credited."""
    if "street" in request.fixturenames:
        request.getfixturevalue("street").shop.new_buyer()
