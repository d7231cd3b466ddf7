"""Budgets: of whom, of what, how many, and who may set them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin.desk import Desk, Person, unique
from xinghe.accounts.budget_tables import MOST_OF_ONE


def test_budgets(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    month = {
        "member": who.id, "unit": "tokens", "amount": 100.5, "per": "month",
        "zone": "Asia/Shanghai", "model": "ernie-3.5-8k",
    }  # fmt: skip
    made = desk.send("POST", "/budgets", operator.token, month).json
    assert made | month == made
    assert (made["used"], made["group"], made["token"]) == (0, None, None)
    path = f"/budgets/{made['id']}"
    changed = desk.send("PATCH", path, operator.token, {"amount": 7})
    assert changed.json == {**made, "amount": 7}
    of_token = {"token": who.public_id, "unit": "concurrent", "amount": 2}
    other = desk.send("POST", "/budgets", operator.token, of_token).json
    assert (other["token"], other["amount"], other["used"], other["per"]) == (
        who.public_id, 2, None, None,
    )  # fmt: skip
    assert (made["created_by"], other["created_by"]) == (operator.id, operator.id)
    listed = desk.send("GET", f"/budgets?member={who.id}", who.token).json["data"]
    assert listed == [changed.json]
    assert desk.send("DELETE", path, operator.token).json["deleted"] is True
    assert desk.send("GET", path, operator.token).code == "no_such_object"
    assert desk.send("GET", f"/budgets?member={who.id}", who.token).json["data"] == []


def test_who_holds_a_token_limits_it_further(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    day = {"token": who.public_id, "unit": "tokens", "amount": 5, "per": "day"}
    set_by_others = desk.send("POST", "/budgets", operator.token, day).json
    mine = desk.send("POST", "/budgets", who.token, day | {"amount": 3}).json
    assert (set_by_others["created_by"], mine["created_by"]) == (operator.id, who.id)
    mine = desk.send("PATCH", f"/budgets/{mine['id']}", who.token, {"amount": 4}).json
    path = f"/tokens/{who.public_id}"
    assert desk.send("GET", path, who.token).json["budgets"] == [set_by_others, mine]
    # What others have set on it stands, whatever he makes of it.
    for method, body in (("PATCH", {"amount": 9}), ("DELETE", None)):
        path = f"/budgets/{set_by_others['id']}"
        assert desk.send(method, path, who.token, body).code == "not_permitted"
    assert desk.send("DELETE", f"/budgets/{mine['id']}", who.token).status == 200
    # A budget of his own is nobody's token's: all that he does would count.
    of_himself = {"member": who.id, "unit": "tokens", "amount": 5, "per": "day"}
    assert desk.send("POST", "/budgets", who.token, of_himself).code == "not_permitted"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"unit": "tokens", "amount": 1}, "per"),
        ({"unit": "rpm", "amount": 1, "per": "day"}, "per"),
        ({"unit": "tokens", "amount": 1, "per": "total", "rolling": True}, "rolling"),
        ({"unit": "requests", "amount": 1.5, "per": "day"}, "amount"),
        ({"unit": "tokens", "amount": 1, "per": "day", "zone": "Mars/Base"}, "zone"),
        ({"unit": "tokens", "amount": 1, "per": "day", "zone": "../etc/passwd"}, "zone"),
        ({"unit": "euros", "amount": 1}, "unit"),
        ({"unit": "rpm", "amount": 1, "model": "none"}, "model"),
        ({"unit": "rpm", "amount": 1, "member": "nobody"}, "member"),
        ({"unit": "rpm", "amount": 1, "group": 10**9}, "group"),
        ({"unit": "rpm", "amount": 1, "token": "zzzzzzzzzz"}, "token"),
    ],
)
def test_a_budget_that_is_none(desk: Desk, operator: Person, body: Any, param: str) -> None:
    reply = desk.send("POST", "/budgets", operator.token, body)
    assert reply.status in {400, 404}
    assert reply.json["error"]["param"] == param


def test_a_budget_of_two(desk: Desk, operator: Person) -> None:
    body = {"unit": "rpm", "amount": 1, "member": operator.id, "group": desk.group(unique()).id}
    assert desk.send("POST", "/budgets", operator.token, body).status == 400


def test_nobody_slows_a_member_down_by_ever_more_budgets(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    body = {"member": who.id, "unit": "rpm", "amount": 10}
    made = [desk.send("POST", "/budgets", operator.token, body) for _ in range(MOST_OF_ONE)]
    assert {reply.status for reply in made} == {200}
    assert desk.send("POST", "/budgets", operator.token, body).code == "conflict"
    desk.send("DELETE", f"/budgets/{made[0].json['id']}", operator.token)
    assert desk.send("POST", "/budgets", operator.token, body).status == 200
