"""All wallets as a list: by name, by what they hold, searched, page by page."""

from __future__ import annotations

import pytest

from tests.admin.desk import Desk, Person, unique
from xinghe.accounts import wallet_lists


def walked(desk: Desk, operator: Person, query: str) -> list[tuple[str | None, float]]:
    """All pages of two."""
    found, after = [], ""
    while True:
        reply = desk.send("GET", f"/wallets?{query}&limit=2{after}", operator.token)
        assert reply.status == 200, reply.json
        found += [(each["name"], each["balance"]) for each in reply.json["data"]]
        if not reply.json["has_more"]:
            return found
        after = f"&after={reply.json['next']}"


@pytest.fixture
def five(desk: Desk, operator: Person) -> str:
    """The beginning of the names of three members and two groups; one of each has the same."""
    prefix = unique()
    for end, tokens in ("c", 5), ("a", 7), ("b", 5):
        body = {"name": f"{prefix}-{end}", "tokens": tokens}
        assert desk.send("POST", "/members", operator.token, body).status == 200
    for end, tokens in ("b", 1), ("é", 9):
        body = {"name": f"{prefix}-{end}", "tokens": tokens}
        assert desk.send("POST", "/groups", operator.token, body).status == 200
    return prefix


@pytest.mark.parametrize(
    ("order", "ends"),
    [
        ("", [("a", 7), ("b", 5), ("b", 1), ("c", 5), ("é", 9)]),
        ("name", [("a", 7), ("b", 5), ("b", 1), ("c", 5), ("é", 9)]),
        ("most", [("é", 9), ("a", 7), ("c", 5), ("b", 5), ("b", 1)]),
        ("least", [("b", 1), ("c", 5), ("b", 5), ("a", 7), ("é", 9)]),
    ],
)
def test_wallets_are_listed_in_an_order(
    desk: Desk, operator: Person, five: str, order: str, ends: list[tuple[str, int]]
) -> None:
    query = f"name={five}-" + (f"&order={order}" if order else "")
    assert walked(desk, operator, query) == [(f"{five}-{end}", left) for end, left in ends]


def test_all_are_there_each_once(desk: Desk, operator: Person, five: str) -> None:
    for order in "name", "most", "least":
        found = walked(desk, operator, f"order={order}")
        ours = [name for name, _ in found if name is not None and name.startswith(five)]
        assert len(ours) == 5
        balances = [left for _, left in found]
        if order != "name":
            assert balances == sorted(balances, reverse=order == "most")


def test_what_a_deleted_group_left_is_seen_and_said_to_be_closed(
    desk: Desk, operator: Person
) -> None:
    body = {"name": unique(), "tokens": 10**9}
    made = desk.send("POST", "/groups", operator.token, body).json
    assert desk.send("DELETE", f"/groups/{made['id']}", operator.token).status == 200
    for order, there in ("most", True), ("name", False):
        reply = desk.send("GET", f"/wallets?order={order}&limit=200", operator.token)
        [found] = [each for each in reply.json["data"] if each["id"] == made["wallet"]] or [None]
        assert (found is not None) is there
        if found is not None:
            assert (found["closed"], found["group"], found["balance"]) == (True, made["id"], 10**9)


@pytest.mark.parametrize("query", ["order=up", "name=", "limit=0", "after=x", "sort=name"])
def test_a_query_that_says_nothing(desk: Desk, operator: Person, query: str) -> None:
    reply = desk.send("GET", f"/wallets?{query}", operator.token)
    assert (reply.status, reply.json["error"]["param"]) == (400, query.partition("=")[0])


def test_too_many_for_another_order(
    desk: Desk, operator: Person, five: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wallet_lists, "MOST", 4)
    reply = desk.send("GET", f"/wallets?name={five}&order=most", operator.token)
    assert (reply.status, reply.json["error"]["param"]) == (400, "order")
    assert "more than 4" in reply.json["error"]["message"]
    assert len(walked(desk, operator, f"name={five}")) == 5
