"""Packages: what they are, and who is offered them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin.desk import Desk, Person, audited, unique
from tests.admin.test_repeats import at_once

OFFER: dict[str, Any] = {"tokens": 1000, "price": 9.9}


def offered(desk: Desk, operator: Person, **what: Any) -> dict[str, Any]:
    reply = desk.send("POST", "/packages", operator.token, {"name": unique(), **OFFER, **what})
    assert reply.status == 200, reply
    made: dict[str, Any] = reply.json
    return made


def ids(desk: Desk, who: Person, query: str = "") -> set[int]:
    listed = desk.send("GET", f"/packages?limit=200{query}", who.token).json["data"]
    return {each["id"] for each in listed}


def test_a_package_is_offered_changed_and_withdrawn(desk: Desk, operator: Person) -> None:
    what = {
        "description": "一学期", "tokens": 12.345678, "price": 9.9, "currency": "CNY",
        "valid_days": 90, "models": ["ernie-3.5-8k"],
    }  # fmt: skip
    made = offered(desk, operator, **what)
    assert made | what == made
    assert made["groups"] == []
    path = f"/packages/{made['id']}"
    read = desk.send("GET", path, operator.token)
    assert read.json == made
    change = {"price": 8, "valid_days": None, "models": None}
    changed = desk.send("PATCH", path, operator.token, change, if_match=read.headers["etag"])
    assert changed.json == {**made, **change}
    stale = desk.send("PATCH", path, operator.token, change, if_match=read.headers["etag"])
    assert stale.code == "changed_meanwhile"
    gone = desk.send("DELETE", path, operator.token).json
    assert gone["withdrawn_at"] is not None
    assert desk.send("DELETE", path, operator.token).json == gone
    assert desk.send("PATCH", path, operator.token, change).code == "conflict"
    assert made["id"] not in ids(desk, operator)
    assert made["id"] in ids(desk, operator, "&withdrawn=true")
    actions = [action for action, *_ in audited(desk, operator, f"package-{made['id']}")]
    assert actions == ["package.withdraw", "package.change", "package.create"]
    # The name is free again.
    offered(desk, operator, name=made["name"])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tokens": 0}, "tokens"),
        ({"tokens": 0.0000001}, "tokens"),
        ({"price": -1}, "price"),
        ({"price": 9.999}, "price"),
        ({"price": 1e11}, "price"),
        ({"price": 9.9, "currency": "JPY"}, "price"),
        ({"currency": "XAU"}, "currency"),
        ({"valid_days": 0}, "valid_days"),
        ({"valid_days": 36_501}, "valid_days"),
        ({"models": []}, "models"),
        ({"groups": [2**40]}, "groups"),
        ({"name": "123"}, "name"),
        ({"description": "a\nb"}, "description"),
        ({"description": "x" * 201}, "description"),
        ({"amount": 5}, "amount"),
    ],
)
def test_a_package_that_is_none(desk: Desk, operator: Person, body: Any, param: str) -> None:
    whole = {"name": unique(), **OFFER, **body}
    reply = desk.send("POST", "/packages", operator.token, whole)
    assert (reply.status, reply.code, reply.json["error"]["param"]) == (
        400,
        "malformed_json",
        param,
    )
    assert "allowed" in reply.json["error"]["message"] or "no group" in str(reply.json)
    made = offered(desk, operator)
    reply = desk.send("PATCH", f"/packages/{made['id']}", operator.token, body)
    assert (reply.status, reply.json["error"]["param"]) == (400, param)
    assert desk.send("GET", f"/packages/{made['id']}", operator.token).json == made


def test_a_price_has_the_decimals_of_its_currency(desk: Desk, operator: Person) -> None:
    yen = offered(desk, operator, price=1200, currency="JPY")
    assert yen["price"] == 1200
    # The number stays where the currency alone is changed, if that has it.
    path = f"/packages/{yen['id']}"
    assert desk.send("PATCH", path, operator.token, {"currency": "USD"}).json["price"] == 1200
    assert offered(desk, operator, price=0)["price"] == 0


def test_two_who_offer_the_same_name(desk: Desk, operator: Person) -> None:
    other = desk.person(unique(), operator=True)
    body = {"name": unique(), **OFFER}
    replies = at_once(
        desk, *[("POST", "/packages", who.token, body, {}) for who in (operator, other)] * 5
    )
    assert sorted(reply.status for reply in replies) == [200] + [400] * 9
    assert {reply.json["error"]["param"] for reply in replies if reply.status != 200} == {"name"}


def test_who_is_offered_what(desk: Desk, operator: Person) -> None:
    """Of a school, a class in it, and a class of another one."""
    school, elsewhere = desk.group(unique()), desk.group(unique())
    group = desk.group(unique(), school.id)
    head, manager, pupil, stranger = (desk.person(unique()) for _ in range(4))
    desk.join(school.id, head, "manager")
    desk.join(group.id, manager, "manager")
    desk.join(group.id, pupil)
    desk.join(elsewhere.id, stranger)
    everybody = offered(desk, operator)["id"]
    for_school = offered(desk, operator, groups=[school.id])["id"]
    for_group = offered(desk, operator, groups=[group.id])["id"]
    own = {everybody, for_school, for_group}
    for who, expected in (
        (pupil, own), (manager, own), (head, own), (stranger, {everybody}), (operator, own),
    ):  # fmt: skip
        assert ids(desk, who) & own == expected
    assert desk.send("GET", "/packages?withdrawn=true", pupil.token).code == "not_permitted"

    def order(who: Person, wallet: int, package: int) -> Any:
        reply = desk.send("POST", f"/wallets/{wallet}/orders", who.token, {"package": package})
        return reply.code if reply.status != 200 else "ordered"

    assert order(pupil, pupil.number, for_school) == "ordered"
    assert order(pupil, pupil.number, for_group) == "ordered"
    assert order(manager, group.wallet_id, for_school) == "ordered"
    assert order(head, group.wallet_id, for_group) == "ordered"
    assert order(head, school.wallet_id, for_school) == "ordered"
    # The class is not all of the school, nor is its head in it himself.
    assert order(head, school.wallet_id, for_group) == "malformed_json"
    assert order(head, head.number, for_group) == "malformed_json"
    assert order(stranger, stranger.number, for_group) == "no_such_object"
    assert order(stranger, stranger.number, 2**40) == "no_such_object"
    assert order(pupil, group.wallet_id, for_group) == "no_such_object"
    desk.send("DELETE", f"/packages/{for_group}", operator.token)
    assert order(pupil, pupil.number, for_group) == "malformed_json"


def test_a_package_of_a_deleted_group_is_for_nobody(desk: Desk, operator: Person) -> None:
    group, who = desk.group(unique()), desk.person(unique())
    desk.join(group.id, who)
    made = offered(desk, operator, groups=[group.id])
    assert made["id"] in ids(desk, who)
    assert desk.send("DELETE", f"/groups/{group.id}", operator.token).status == 200
    assert made["id"] not in ids(desk, who)
    path = f"/packages/{made['id']}"
    changed = desk.send("PATCH", path, operator.token, {"price": 5})
    assert (changed.json["price"], changed.json["groups"]) == (5, [group.id])
