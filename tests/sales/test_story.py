"""The story of docs/payment.md: a package from its offer to the month's bill, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.kit.api import STRICT, Api
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.payer import Payer
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

ADMIN = "/admin/v1"


@pytest.fixture
def payer() -> Iterator[Payer]:
    with Payer() as running:
        yield running


@pytest.fixture
def server(payer: Payer, upstream: Upstream, tmp_path: Path, database_url: str) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    settings = {**payer.settings, "XINGHE_DATABASE__URL": database_url}
    with Server(tmp_path, models=models, settings=settings) as running:
        yield running


def exact(text: bytes | str) -> Any:
    return json.loads(text, parse_float=Decimal)


def made(api: Api, path: str, **body: object) -> Any:
    reply = api.post(path, body)
    assert reply.status == 200, reply.text
    return exact(reply.body)


def test_from_the_offer_to_the_bill(server: Server, payer: Payer) -> None:
    operator = Api(server.url, server.token("--scope", "admin"), ADMIN)
    member = made(operator, "/members", name="小明", tokens=0)
    scopes = ["model.call", "account.read", "admin"]
    secret = made(operator, f"/members/{member['id']}/tokens", scopes=scopes)["secret"]
    buyer, wallet = Api(server.url, secret, ADMIN), member["wallet"]

    # It is offered, and bought.
    package = made(operator, "/packages", name="入门套餐", tokens=1000, price=9.90)
    assert [each["name"] for each in exact(buyer.get("/packages").body)["data"]] == ["入门套餐"]
    order = made(buyer, f"/wallets/{wallet}/orders", package=package["id"])
    assert (order["state"], order["provider"]) == ("open", payer.name)
    assert buyer.at(STRICT).chat(model=CHAT).json["error"]["code"] == "token_quota_exceeded"

    # The buyer pays, and that is told three times.
    bill = payer.visited(order["checkout_url"])
    assert (bill.order, bill.price, bill.currency) == (order["number"], "9.90", "CNY")
    paid = bill.succeeded()
    assert [payer.send(server.url, paid).outcome for _ in range(3)] == ["paid"] * 3
    found = exact(buyer.get(f"/orders/{order['number']}").body)
    assert (found["state"], found["reference"]) == ("paid", bill.reference)
    assert exact(buyer.get(f"/wallets/{wallet}").body)["available"] == 1000

    # It is spent, in part.
    answer = buyer.at(STRICT).chat(model=CHAT, max_tokens=50)
    used = answer.json["usage"]
    spent = used["prompt_tokens"] + 2 * used["completion_tokens"]
    assert spent == 16

    # A part is given back: Tokens by us, money by the payment service.
    back = made(
        operator, f"/orders/{order['number']}/refunds", tokens=500, reason="课程提前结束",
        reference="back-1",
    )  # fmt: skip
    assert (back["refunded_tokens"], back["refunded_price"]) == (500, Decimal("4.95"))

    # The same event comes late, once more; then a failure that was under way for long.
    assert payer.send(server.url, paid).outcome == "paid"
    assert payer.send(server.url, bill.failed()).outcome == "unchanged"
    found = exact(operator.get(f"/orders/{order['number']}").body)
    assert (found["state"], found["refundable"]) == ("paid", 500 - spent)
    assert [each["outcome"] for each in found["events"]] == ["unchanged", "paid"]

    # What the month's bill says adds up.
    month = exact(server.run("bill", "--member", "小明", "--json"))
    assert month["opening"] == 0
    booked = {each["kind"]: each["amount"] for each in month["booked"]}
    assert booked == {"purchase": 1000, "refund": -500}
    assert (month["credited"], month["debited"]) == (1000, 500)
    assert month["used"]["spent"] == spent
    assert month["closing"] == 1000 - 500 - spent
    (line,) = month["lines"]
    assert (line["model"], line["spent"]) == (CHAT, spent)
    server.run("ledger", "check")
