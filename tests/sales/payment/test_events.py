"""What a payment service tells over HTTP, and what becomes of the order."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.kit.api import Api
from tests.kit.payer import Payer, Told
from tests.kit.raw import Connection
from tests.sales.payment.conftest import Street
from tests.sales.payment.shop import PRICE


def test_the_buyer_pays_the_price_and_is_credited(street: Street) -> None:
    order, bill = street.bought()
    assert (bill.order, bill.price, bill.currency) == (order.number, "9.90", "CNY")
    told = bill.succeeded()
    answer = street.tell(told)
    assert answer.json == {"object": "payment_event", "id": told.id, "outcome": "paid"}
    assert street.shop.state(order) == "paid"
    assert street.shop.credited() == 1
    (row,) = street.shop.events(order)
    assert (row.provider, row.event_id, row.kind) == ("bridge", told.id, "payment.succeeded")
    assert (row.number, row.reference) == (order.number, bill.reference)
    assert (row.amount, row.currency) == ("9.9", "CNY")


def test_told_again_it_does_nothing(street: Street) -> None:
    order, bill = street.bought()
    told = bill.succeeded()
    assert [street.tell(told).outcome for _ in range(3)] == ["paid"] * 3
    assert street.tell(bill.succeeded()).outcome == "unchanged"  # of the same payment
    assert street.shop.credited() == 1
    assert street.shop.outcomes(order) == ["paid", "unchanged"]


def test_many_at_once_credit_once(street: Street) -> None:
    order, bill = street.bought()
    told = bill.succeeded()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(street.tell, [told] * 50))
    assert {answer.outcome for answer in answers} == {"paid"}
    assert street.shop.credited() == 1
    assert street.shop.outcomes(order) == ["paid"]


def test_many_payments_at_once_credit_one(street: Street) -> None:
    order, bill = street.bought()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(street.tell, [bill.again().succeeded() for _ in range(10)]))
    assert sorted(answer.outcome for answer in answers) == ["overpaid"] * 9 + ["paid"]
    assert street.shop.credited() == 1
    assert len(street.shop.events(order)) == 10


def test_failure(street: Street) -> None:
    order, bill = street.bought()
    assert street.tell(bill.failed()).outcome == "failed"
    assert street.tell(bill.failed()).outcome == "unchanged"
    assert street.shop.state(order) == "failed"
    assert street.shop.credited() == 0
    assert street.tell(bill.again().succeeded()).outcome == "paid"  # the second try went through
    assert street.shop.state(order) == "paid"
    assert street.shop.credited() == 1


def test_a_failure_that_comes_after_its_success(street: Street) -> None:
    order, bill = street.bought()
    failed = bill.failed()
    assert street.tell(bill.again().succeeded()).outcome == "paid"
    assert street.tell(failed).outcome == "unchanged"
    assert street.shop.state(order) == "paid"
    assert street.shop.credited() == 1


def test_money_that_comes_late_has_come(street: Street) -> None:
    expired, bill = street.bought()
    street.shop.expire(expired)
    assert street.tell(bill.succeeded()).outcome == "paid"
    cancelled, bill = street.bought()
    street.shop.cancel(cancelled)
    assert street.tell(bill.failed()).outcome == "unchanged"
    assert street.shop.state(cancelled) == "cancelled"
    assert street.tell(bill.succeeded()).outcome == "paid"
    assert street.shop.credited() == 2


@pytest.mark.parametrize(
    "other",
    [{"amount": "9.89"}, {"amount": 9.91}, {"amount": PRICE}, {"amount": 0}, {"currency": "USD"}],
)
def test_another_price_credits_nothing_and_somebody_looks(
    street: Street, other: dict[str, object]
) -> None:
    order, bill = street.bought()
    told = bill.succeeded(**other)
    assert [street.tell(told).outcome for _ in range(2)] == ["mismatch"] * 2
    assert (street.shop.state(order), street.shop.credited()) == ("open", 0)
    assert order.number in [row.number for row in street.shop.events(alarming=True)]
    lines = [line for line in street.server.tail(200).splitlines() if told.id in line]
    (logged,) = [json.loads(line) for line in lines]  # once
    assert (logged["event"], logged["level"]) == ("payment_to_look_at", "warning")
    assert (logged["outcome"], logged["order"]) == ("mismatch", order.number)
    assert street.tell(bill.succeeded()).outcome == "paid"  # once it is right


@pytest.mark.parametrize("amount", ["9.9", "9.900000", 9.9])
def test_an_amount_may_be_written_in_many_ways(street: Street, amount: object) -> None:
    _, bill = street.bought()
    assert street.tell(bill.succeeded(amount=amount)).outcome == "paid"


def test_a_second_payment_is_not_credited_and_seen(street: Street) -> None:
    order, bill = street.bought()
    assert street.tell(bill.succeeded()).outcome == "paid"
    second = bill.again()
    assert street.tell(second.succeeded()).outcome == "overpaid"
    assert street.shop.credited() == 1
    seen = [row for row in street.shop.events(order) if row.outcome == "overpaid"]
    assert [row.reference for row in seen] == [second.reference]


def test_what_an_operator_has_confirmed(street: Street) -> None:
    order, bill = street.bought()
    street.shop.confirm(order, bill.reference)
    assert street.tell(bill.succeeded()).outcome == "unchanged"
    assert street.shop.credited() == 1


def test_one_payment_pays_one_order(street: Street) -> None:
    _, bill = street.bought()
    other, _ = street.bought()
    assert street.tell(bill.succeeded()).outcome == "paid"
    assert street.tell(bill.succeeded(order=other.number)).outcome == "mismatch"
    assert street.shop.state(other) == "open"
    assert street.shop.credited() == 1


def test_orders_that_are_none_of_this_provider_s(street: Street) -> None:
    order, bill = street.bought()
    other = Payer("other")  # signs with a key of its own; here with the same
    assert other.send(street.server.url, bill.succeeded()).outcome == "unknown"
    assert other.send(street.server.url, bill.failed()).outcome == "unknown"
    confirmed = street.shop.order("manual")
    assert street.tell(bill.succeeded(order=confirmed.number)).outcome == "unknown"
    nobody_s = bill.succeeded(order="no-such-order")
    assert street.tell(nobody_s).outcome == "unknown"
    assert {street.shop.state(each) for each in (order, confirmed)} == {"open"}
    assert street.shop.credited() == 0
    (row,) = [row for row in street.shop.events(alarming=True) if row.event_id == nobody_s.id]
    assert (row.order_id, row.number) == (None, "no-such-order")


def test_the_same_id_of_two_providers_is_two_events(street: Street) -> None:
    order, bill = street.bought()
    told = bill.succeeded()
    assert Payer("other").send(street.server.url, told).outcome == "unknown"
    assert street.tell(told).outcome == "paid"
    assert street.shop.state(order) == "paid"


def test_other_types_do_nothing(street: Street) -> None:
    order, bill = street.bought()
    for told in (Told("refund.succeeded", bill.succeeded().data), Told("ping", {})):
        assert street.tell(told).outcome == "ignored"
    assert (street.shop.state(order), street.shop.events(order)) == ("open", [])


WRONG = {
    "no order": {"order": None},
    "an order with a control character": {"order": "a\x00"},
    "no reference": {"reference": ""},
    "a reference that is a number": {"reference": 5},
    "no amount": {"amount": None},
    "an amount below zero": {"amount": -9.9},
    "an amount that is true": {"amount": True},
    "an amount in words": {"amount": "NaN"},
    "too many decimals": {"amount": 9.9000001},
    "a currency of small letters": {"currency": "cny"},
}


@pytest.mark.parametrize("other", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_to_whoever_wrote_it(
    street: Street, other: dict[str, object]
) -> None:
    order, bill = street.bought()
    answer = street.tell(bill.succeeded(**other))
    assert answer.status == 400
    (name,) = other
    assert answer.json["error"]["param"] == f"data.{name}"
    assert ", allowed: " in answer.json["error"]["message"]
    assert street.shop.events(order) == []
    assert street.shop.state(order) == "open"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "the body"),
        (b"[]", "the body"),
        (b"{", "the body"),
        (b"[" * 5000 + b"]" * 5000, "the body"),
        (b"{}", "type"),
        (b'{"type": 5}', "type"),
        (b'{"type": "payment.succeeded"}', "data"),
        (b'{"type": "payment.failed", "data": []}', "data"),
        (b'{"type": "payment.failed", "data": {"order": "x", "reference": 5}}', "data.reference"),
        (b'{"type": "ping", "data": 1e99999999999999999999}', "the body"),
    ],
)
def test_bodies_that_are_no_events(street: Street, body: bytes, field: str) -> None:
    class Raw(Told):
        @property
        def body(self) -> bytes:
            return body

    answer = street.tell(Raw("", {}))
    assert answer.status == 400
    assert answer.json["error"]["message"].startswith(f"{field} is ")


def test_an_amount_of_a_billion_digits_takes_none_of_them(street: Street) -> None:
    _, bill = street.bought()
    told = bill.succeeded(amount="X")

    class Raw(Told):
        @property
        def body(self) -> bytes:
            return told.body.replace(b'"X"', b"1e-999999999")

    assert street.tell(Raw("", {})).json["error"]["param"] == "data.amount"


@pytest.mark.parametrize("path", ["", "/", "/manual", "/nobody", "/bridge/more", "/Bridge"])
def test_paths_that_are_no_provider_s(street: Street, path: str) -> None:
    _, bill = street.bought()
    told = bill.succeeded()
    with Connection(street.server.url) as connection:
        connection.request("POST", f"/payments{path}", told.body, told.signed())
        reply = connection.reply()
    assert (reply.status, reply.json["error"]["code"]) == (404, "no_such_path")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods(street: Street, method: str) -> None:
    with Connection(street.server.url) as connection:
        connection.request(method, "/payments/bridge")
        reply = connection.reply()
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert "access-control-allow-origin" not in reply.headers


def test_an_operator_sees_what_to_look_at(street: Street) -> None:
    order, bill = street.bought()
    street.tell(bill.succeeded())
    street.tell(bill.again().succeeded())
    nobody_s = bill.succeeded(order="no-such-order")
    street.tell(nobody_s)

    def listed(*options: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(
            street.server.run("order", "events", *options, "--json")
        )
        return found

    assert [each["outcome"] for each in listed(order.number)] == ["overpaid", "paid"]
    assert [each["outcome"] for each in listed()[:2]] == ["unknown", "overpaid"]
    assert listed()[0]["id"] == nobody_s.id
    assert [each["outcome"] for each in listed("--all")[:3]] == ["unknown", "overpaid", "paid"]
    assert len(listed("--all", "--limit", "1")) == 1

    street.server.run("member", "create", "till")
    street.server.run("member", "operator", "till", "yes")
    token = street.server.token("--scope", "admin", account="till")
    api = Api(street.server.url, token, "/admin/v1")
    assert [each["outcome"] for each in api.get("/payment-events?limit=2").json["data"]] == [
        "unknown",
        "overpaid",
    ]
    first = api.get("/payment-events?all=true&limit=1").json
    assert [(each["id"], each["order"]) for each in first["data"]] == [
        (nobody_s.id, "no-such-order")
    ]
    rest = api.get(f"/payment-events?all=true&limit=2&after={first['next']}").json["data"]
    assert [(each["outcome"], each["order"]) for each in rest] == [
        ("overpaid", order.number),
        ("paid", order.number),
    ]
