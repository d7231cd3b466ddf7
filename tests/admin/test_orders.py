"""Orders: placed, paid once, cancelled and refunded; by several at once, too."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.admin.desk import Desk, Person, audited, unique
from tests.admin.test_packages import offered
from tests.admin.test_repeats import at_once, balance
from xinghe.ledger import check
from xinghe.sales import orders
from xinghe.sales.payment import SUCCEEDED, Event, receive
from xinghe.storage import Connection

BACK = {"reason": "课程取消", "reference": "back"}


def ordered(desk: Desk, operator: Person, who: Person, **what: Any) -> str:
    package = offered(desk, operator, **what)["id"]
    reply = desk.send("POST", f"/wallets/{who.number}/orders", who.token, {"package": package})
    assert reply.status == 200, reply
    number: str = reply.json["number"]
    return number


def paid(desk: Desk, operator: Person, who: Person, **what: Any) -> str:
    number = ordered(desk, operator, who, **what)
    reply = desk.send("POST", f"/orders/{number}/confirm", operator.token, {"reference": unique()})
    assert reply.json["state"] == "paid", reply
    return number


def books_agree(desk: Desk) -> None:
    assert desk.read(check) == []


def test_from_the_order_to_the_refund(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    number = ordered(desk, operator, who, valid_days=30, models=["ernie-3.5-8k"])
    path = f"/orders/{number}"
    order = desk.send("GET", path, who.token).json
    assert (order["state"], order["price"], order["tokens"]) == ("open", 9.9, 1000)
    assert order["ordered_by"] == who.id
    assert (
        desk.send("GET", f"/members/{who.id}", who.token).json["name"] == order["ordered_by_name"]
    )
    assert "refundable" not in order
    reference = unique()
    confirmed = desk.send("POST", f"{path}/confirm", operator.token, {"reference": reference}).json
    assert (confirmed["state"], confirmed["refundable"]) == ("paid", 1000)
    [lot] = desk.send("GET", f"/wallets/{who.number}", who.token).json["lots"]
    assert (lot["kind"], lot["amount"], lot["models"]) == ("purchase", 1000, ["ernie-3.5-8k"])
    assert lot["expires_at"] is not None
    again = desk.send("POST", f"{path}/confirm", operator.token, {"reference": reference}).json
    assert again == confirmed
    other = desk.send("POST", f"{path}/confirm", operator.token, {"reference": unique()})
    assert (other.status, other.code) == (400, "conflict")
    assert desk.send("POST", f"{path}/cancel", who.token).code == "conflict"
    part = desk.send("POST", f"{path}/refunds", operator.token, {"tokens": 333, **BACK}).json
    assert (part["refunded_tokens"], part["refunded_price"], part["refundable"]) == (333, 3.29, 667)
    rest = desk.send(
        "POST", f"{path}/refunds", operator.token, {**BACK, "reference": "the rest"}
    ).json
    assert (rest["refunded_price"], rest["refundable"]) == (9.9, 0)
    assert [each["price"] for each in rest["refunds"]] == [3.29, 6.61]
    seen = desk.send("GET", path, who.token).json
    assert [each["reason"] for each in seen["refunds"]] == ["课程取消"] * 2
    assert balance(desk, who, operator) == 0
    actions = [action for action, *_ in audited(desk, operator, f"order-{number}")]
    assert actions == ["order.refund", "order.refund", "order.pay", "order.place"]
    books_agree(desk)


def test_what_costs_nothing_is_credited_at_once_and_once(desk: Desk, operator: Person) -> None:
    who, other = desk.person(unique()), desk.person(unique())
    package = offered(desk, operator, price=0)["id"]
    body = {"package": package}
    place = "POST", f"/wallets/{who.number}/orders", who.token, body
    replies = at_once(desk, *[(*place, {})] * 20)
    assert sorted(reply.status for reply in replies) == [200] + [400] * 19
    [order] = [reply.json for reply in replies if reply.status == 200]
    assert (order["state"], order["price"], order["tokens"]) == ("paid", 0, 1000)
    refused = desk.send(*place)
    assert (refused.code, refused.json["error"]["param"]) == ("malformed_json", "package")
    assert balance(desk, who, operator) == 1000
    assert desk.send("POST", f"/wallets/{other.number}/orders", other.token, body).status == 200
    assert balance(desk, other, operator) == 1000
    # What is taken back cannot be had anew; at a price, the package can.
    path = f"/orders/{order['number']}"
    back = desk.send("POST", f"{path}/refunds", operator.token, BACK).json
    assert (back["refunded_tokens"], back["refunded_price"]) == (1000, 0)
    assert desk.send(*place).status == 400
    desk.send("PATCH", f"/packages/{package}", operator.token, {"price": 1})
    assert desk.send(*place).json["state"] == "open"
    books_agree(desk)


def test_the_order_of_somebody_who_was_deleted_has_no_name(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    number = ordered(desk, operator, who)
    desk.send("DELETE", f"/members/{who.id}", operator.token)
    order = desk.send("GET", f"/orders/{number}", operator.token).json
    assert (order["ordered_by"], order["ordered_by_name"]) == (who.id, None)
    [listed] = desk.send("GET", f"/orders?wallet={who.number}", operator.token).json["data"]
    assert (listed["ordered_by"], listed["ordered_by_name"]) == (who.id, None)


@pytest.mark.parametrize("before", ["cancelled", "failed", "expired"])
def test_money_that_comes_late_is_credited(desk: Desk, operator: Person, before: str) -> None:
    who = desk.person(unique())
    number = ordered(desk, operator, who)

    def late(connection: Connection) -> None:
        order = orders.numbered(connection, number)
        if before == "failed":
            orders.close(connection, "test", order.id, "failed")
        else:
            connection.run("UPDATE orders SET expires_at = created_at WHERE id = $1", order.id)

    if before == "cancelled":
        assert desk.send("POST", f"/orders/{number}/cancel", who.token).status == 200
    else:
        desk.write(late)
    order = desk.send("GET", f"/orders/{number}", who.token).json
    assert (order["state"], order["instructions"]) == (before, None)
    body = {"reference": unique()}
    assert desk.send("POST", f"/orders/{number}/confirm", operator.token, body).json["state"] == (
        "paid"
    )
    assert balance(desk, who, operator) == 1000


def test_late_money_does_not_overflow_a_balance(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    numbers = []
    for _ in range(10):
        number = ordered(desk, operator, who, tokens=10**12)
        assert desk.send("POST", f"/orders/{number}/cancel", who.token).status == 200
        numbers.append(number)
    *paths, last = (f"/orders/{number}/confirm" for number in numbers)
    for path in paths:
        confirmed = desk.send("POST", path, operator.token, {"reference": unique()})
        assert confirmed.json["state"] == "paid"
    refused = desk.send("POST", last, operator.token, {"reference": unique()})
    assert (refused.status, refused.code) == (400, "conflict")
    assert "9000000000000 Tokens" in refused.json["error"]["message"]
    told = Event(unique(), SUCCEEDED, numbers[-1], unique(), Decimal("9.90"), "CNY")
    assert desk.write(lambda c: receive(c, "manual", told)).outcome == "mismatch"
    assert balance(desk, who, operator) == 9 * 10**12
    books_agree(desk)


def test_lists_of_orders(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    numbers = [ordered(desk, operator, who) for _ in range(4)]
    desk.write(lambda c: c.run("UPDATE orders SET expires_at = 1 WHERE number = $1", numbers[0]))
    desk.send("POST", f"/orders/{numbers[1]}/cancel", who.token)
    body = {"reference": unique()}
    desk.send("POST", f"/orders/{numbers[2]}/confirm", operator.token, body)
    own, every = f"/wallets/{who.number}/orders?", f"/orders?wallet={who.number}&"
    for path, by in ((own, who), (every, operator)):
        for number, state in zip(numbers, ["expired", "cancelled", "paid", "open"], strict=True):
            [order] = desk.send("GET", f"{path}state={state}", by.token).json["data"]
            assert (order["number"], order["state"]) == (number, state)
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            listed = desk.send("GET", f"{path}limit=3{after}", by.token).json
            found += [each["number"] for each in listed["data"]]
            after = f"&after={listed['next']}" if listed["has_more"] else None
        assert found == numbers[::-1]
    assert desk.send("GET", "/orders?state=lost", operator.token).code == "malformed_json"


def test_a_payment_pays_for_one_order(desk: Desk, operator: Person) -> None:
    who, reference = desk.person(unique()), unique()
    first, second = (ordered(desk, operator, who) for _ in range(2))
    desk.send("POST", f"/orders/{first}/confirm", operator.token, {"reference": reference})
    reply = desk.send("POST", f"/orders/{second}/confirm", operator.token, {"reference": reference})
    assert (reply.status, reply.json["error"]["param"]) == (400, "reference")
    assert balance(desk, who, operator) == 1000


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({**BACK, "tokens": 0}, "tokens"),
        ({**BACK, "tokens": 1000.000001}, "tokens"),
        ({**BACK, "tokens": 0.0000001}, "tokens"),
        ({**BACK, "reason": ""}, "reason"),
        ({**BACK, "reason": "two\nlines"}, "reason"),
        ({**BACK, "reference": "x" * 201}, "reference"),
        ({"reference": "x"}, "reason"),
        ({"reason": "x"}, "reference"),
    ],
)
def test_a_refund_that_is_none(desk: Desk, operator: Person, body: Any, param: str) -> None:
    who = desk.person(unique())
    number = paid(desk, operator, who)
    reply = desk.send("POST", f"/orders/{number}/refunds", operator.token, body)
    assert (reply.status, reply.json["error"]["param"]) == (400, param)
    assert balance(desk, who, operator) == 1000


def test_what_was_not_paid_is_not_refunded(desk: Desk, operator: Person) -> None:
    number = ordered(desk, operator, desk.person(unique()))
    assert desk.send("POST", f"/orders/{number}/refunds", operator.token, BACK).code == "conflict"


def test_a_wallet_waits_for_twenty_payments(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    package = offered(desk, operator)["id"]
    path = f"/wallets/{who.number}/orders"
    for _ in range(orders.MOST_OPEN):
        number = desk.send("POST", path, who.token, {"package": package}).json["number"]
    assert desk.send("POST", path, who.token, {"package": package}).status == 400
    desk.send("POST", f"/orders/{number}/cancel", who.token)
    assert desk.send("POST", path, who.token, {"package": package}).status == 200


def test_two_operators_confirm_at_once(desk: Desk, operator: Person) -> None:
    other, who = desk.person(unique(), operator=True), desk.person(unique())
    services = [desk.admin, desk.service()]
    for same in (True, False):
        number, references = ordered(desk, operator, who), [unique(), unique()]
        path, before = f"/orders/{number}/confirm", balance(desk, who, operator)

        async def race() -> list[int]:
            replies = [
                desk.sending(
                    "POST",
                    path,  # noqa: B023
                    by_whom.token,
                    {"reference": references[0 if same else each % 2]},  # noqa: B023
                    by=services[each % 2],
                )
                for each, by_whom in enumerate([operator, other] * 5)
            ]
            return sorted([(await each).status for each in map(asyncio.ensure_future, replies)])

        statuses = desk.run(race())
        assert statuses == ([200] * 10 if same else [200] * 5 + [400] * 5)
        assert balance(desk, who, operator) == before + 1000
    books_agree(desk)


def test_one_payment_of_two_orders_at_once(desk: Desk, operator: Person) -> None:
    who, reference = desk.person(unique()), unique()
    numbers = [ordered(desk, operator, who) for _ in range(8)]
    replies = at_once(
        desk,
        *[
            ("POST", f"/orders/{each}/confirm", operator.token, {"reference": reference}, {})
            for each in numbers
        ],
    )
    assert sorted(reply.status for reply in replies) == [200] + [400] * 7
    assert balance(desk, who, operator) == 1000


def test_a_refund_that_is_sent_twice_is_made_once(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    number = paid(desk, operator, who)
    body = {**BACK, "tokens": 300}
    one = ("POST", f"/orders/{number}/refunds", operator.token, body, {"idempotency_key": "r"})
    replies = at_once(desk, *[one] * 10)
    assert {reply.status for reply in replies} == {200}
    assert {reply.json["refunded_tokens"] for reply in replies} == {300}
    # Without the key, the reference says that it is the same.
    path = f"/orders/{number}/refunds"
    assert desk.send("POST", path, operator.token, body).json == replies[0].json
    for other in ({"tokens": 301}, {"reason": "other"}, {"tokens": None}):
        refused = desk.send("POST", path, operator.token, {**body, **other})
        assert (refused.status, refused.json["error"]["param"]) == (400, "reference")
        assert "300 Tokens" in refused.json["error"]["message"]
    replies = at_once(
        desk,
        *[
            ("POST", f"/orders/{number}/refunds", operator.token, {**BACK, "reference": each}, {})
            for each in "abcdef"
        ],
    )
    assert sorted(reply.status for reply in replies) == [200] + [400] * 5
    order = desk.send("GET", f"/orders/{number}", operator.token).json
    assert (order["refunded_tokens"], order["refunded_price"]) == (1000, 9.9)
    # All that was left, again: nothing is.
    rest = {**BACK, "reference": order["refunds"][-1]["reference"]}
    assert desk.send("POST", path, operator.token, rest).json == order
    assert balance(desk, who, operator) == 0
    books_agree(desk)
