"""The people of a group: found, put in order; budgets of several at once; a move."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from tests.admin.desk import Desk, Person, unique
from xinghe.accounts import wallets
from xinghe.ledger import rollups
from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection, now

MODEL = "ernie-3.5-8k"


def used(desk: Desk, person: Person, wallet: int, tokens: int) -> None:
    """As if a wallet had paid for a request of somebody, just now."""

    def work(connection: Connection) -> None:
        token = connection.value("SELECT id FROM tokens WHERE public_id = $1", person.public_id)
        rollups.add(
            connection,
            wallet_id=wallet,
            at=now(),
            member_id=person.number,
            token_id=token,
            model=MODEL,
            counts=(1, 1, 0, 0),
            spend=tokens * 10**6,
        )

    desk.write(work)


@pytest.fixture
def school(desk: Desk) -> tuple[int, int, Person, list[Person]]:
    """A class: its id, its wallet, its manager, and three pupils, who have used 3, 1 and 2."""
    group, manager = desk.group(unique()), desk.person(unique())
    desk.join(group.id, manager, "manager")
    pupils = [desk.person(f"{name} {unique()}") for name in ("Anna", "anne", "Bert")]
    for pupil, tokens in zip(pupils, (3, 1, 2), strict=True):
        desk.join(group.id, pupil, "member")
        used(desk, pupil, group.wallet_id, tokens)
    return group.id, group.wallet_id, manager, pupils


School = tuple[int, int, Person, list[Person]]


def test_who_spent_what(desk: Desk, school: School) -> None:
    group, _, manager, pupils = school
    used(desk, pupils[0], pupils[0].number, 100)  # his own Tokens are his own business
    found = desk.send("GET", f"/groups/{group}/people", manager.token).json
    assert (found["total"], found["has_more"]) == (4, False)
    assert {each["member"]: each["month"] for each in found["data"]} == {
        manager.id: 0, pupils[0].id: 3, pupils[1].id: 1, pupils[2].id: 2,
    }  # fmt: skip
    assert {each["today"] for each in found["data"]} == {0, 1, 2, 3}
    in_charge = {each["member"] for each in found["data"] if each["in_charge"]}
    assert in_charge == {each.id for each in pupils}
    desk.write(lambda c: wallets.credit(c, pupils[0].number, 1))
    found = desk.send("GET", f"/groups/{group}/people?name=anna", manager.token).json
    assert [each["in_charge"] for each in found["data"]] == [False]


def test_when_the_group_last_paid_for_each(desk: Desk, school: School) -> None:
    group, wallet, manager, pupils = school
    for pupil, payer, at in (
        (pupils[0], wallet, 5), (pupils[0], pupils[0].number, 9), (pupils[1], wallet, 7),
    ):  # fmt: skip
        desk.write(
            lambda c: c.run(
                "INSERT INTO entries (wallet_id, member_id, kind, amount, balance_after, at) "
                "VALUES ($1, $2, 'grant', 0, 0, $3)",
                payer,  # noqa: B023
                pupil.number,  # noqa: B023
                at * 10**6,  # noqa: B023
            )
        )
    found = desk.send("GET", f"/groups/{group}/people?order=last", manager.token).json["data"]
    assert [(each["member"], each["last_request_at"]) for each in found[:2]] == [
        (pupils[1].id, "1970-01-01T00:00:07Z"), (pupils[0].id, "1970-01-01T00:00:05Z"),
    ]  # fmt: skip
    one = desk.send("GET", f"/groups/{group}/people/{pupils[0].id}", manager.token).json
    assert one == found[1]


def test_they_are_put_in_order_and_come_page_by_page(desk: Desk, school: School) -> None:
    group, _, manager, pupils = school
    path, after, seen = f"/groups/{group}/people?order=month&limit=2", "0", []
    while after is not None:
        found = desk.send("GET", f"{path}&after={after}", manager.token).json
        seen += [each["member"] for each in found["data"]]
        after = found["next"]
    assert seen == [pupils[0].id, pupils[2].id, pupils[1].id, manager.id]
    for name, wanted in ("ANN", 2), ("bert", 1), ("%", 0), ("_", 0):
        found = desk.send("GET", f"/groups/{group}/people?name={name}", manager.token).json
        assert found["total"] == len(found["data"]) == wanted, name
    refused = desk.send("GET", f"/groups/{group}/people?order=age", manager.token)
    assert (refused.status, refused.json["error"]["param"]) == (400, "order")


def test_budgets_of_several_are_set_together(desk: Desk, school: School) -> None:
    group, _, manager, pupils = school
    path, names = f"/groups/{group}/budgets", [each.id for each in pupils]
    for amount in (50, 70):
        body = {"members": names, "amount": amount, "zone": "Asia/Shanghai"}
        made = desk.send("POST", path, manager.token, body).json["data"]
        assert [(each["member"], each["amount"], each["per"]) for each in made] == [
            (name, amount, "month") for name in names
        ]
    found = desk.send("GET", f"/groups/{group}/people?name=anna", manager.token).json
    assert [each["amount"] for each in found["data"][0]["budgets"]] == [70]
    # what the month has used before counts
    assert found["data"][0]["budgets"][0]["used"] == 3
    desk.send("POST", path, manager.token, {"members": names[:1], "amount": None})
    found = desk.send("GET", f"/groups/{group}/people?name=ann", manager.token).json
    assert [len(each["budgets"]) for each in found["data"]] == [0, 1]


def test_all_budgets_are_set_or_none(desk: Desk, school: School) -> None:
    group, _, manager, pupils = school
    stranger = desk.person(unique())
    path = f"/groups/{group}/budgets"
    unknown = {
        desk.send("POST", path, manager.token, {"members": [pupils[0].id, name], "amount": 1})
        .json["error"]["message"]
        .replace(name, "")
        for name in (stranger.id, "app-0000000000")
    }
    assert len(unknown) == 1, "it tells who there is elsewhere"
    refused = desk.send("POST", path, manager.token, {"members": [manager.id], "amount": 1})
    assert refused.code == "not_permitted"
    for amount in (-1, 10**30, 0.1234567):
        body = {"members": [pupils[0].id], "amount": amount}
        assert desk.send("POST", path, manager.token, body).json["error"]["param"] == "amount"
    budgets = desk.send("GET", f"/budgets?member={pupils[0].id}", manager.token).json["data"]
    assert budgets == []


def test_two_managers_at_once_make_one_budget(desk: Desk, school: School) -> None:
    group, _, manager, pupils = school
    path, body = f"/groups/{group}/budgets", {"members": [pupils[0].id]}

    async def both() -> None:
        send = partial(desk.sending, "POST", path, manager.token)
        await asyncio.gather(*(send({**body, "amount": amount}) for amount in range(8)))

    desk.run(both())
    budgets = desk.send("GET", f"/budgets?member={pupils[0].id}", manager.token).json["data"]
    assert len(budgets) == 1


def test_a_move(desk: Desk, school: School) -> None:
    group, _, manager, pupils = school
    other, foreign = desk.group(unique()), desk.group(unique())
    desk.join(other.id, manager, "owner")
    path = f"/groups/{group}/members/{pupils[0].id}/move"
    refused = [
        desk.send("POST", path, manager.token, {"group": to}).json["error"]["message"]
        for to in (foreign.id, 10**9)
    ]
    assert refused[0].replace(str(foreign.id), "") == refused[1].replace(str(10**9), "")
    moved = desk.send("POST", path, manager.token, {"group": other.id})
    assert (moved.status, moved.json["group"], moved.json["role"]) == (200, other.id, "member")
    pays = desk.send("GET", f"/members/{pupils[0].id}/payment", manager.token).json
    assert pays["order"] == [other.name]
    assert desk.send("POST", path, manager.token, {"group": other.id}).status == 404
    boss = f"/groups/{group}/members/{manager.id}/move"
    assert desk.send("POST", boss, manager.token, {"group": other.id}).status == 403


def test_a_move_keeps_what_else_pays(desk: Desk, operator: Person) -> None:
    here, there, pupil = desk.group(unique()), desk.group(unique()), desk.person(unique())
    desk.join(here.id, pupil, "member")
    order = f"/members/{pupil.id}/payment"
    assert desk.send("PUT", order, operator.token, {"order": ["own", here.name]}).status == 200
    path = f"/groups/{here.id}/members/{pupil.id}/move"
    assert desk.send("POST", path, operator.token, {"group": there.id}).status == 200
    pays = desk.send("GET", order, operator.token).json
    assert pays["order"] == ["own", there.name]


def test_spending_of_a_time(desk: Desk, school: School) -> None:
    group, wallet, manager, pupils = school
    left = pupils[1]
    assert desk.send("DELETE", f"/groups/{group}/members/{left.id}", manager.token).status == 200
    token = desk.read(
        lambda c: c.value("SELECT id FROM tokens WHERE public_id = $1", pupils[2].public_id)
    )
    key = (wallet, now() // HOUR * HOUR, pupils[2].number, token, MODEL, "internal_error")
    desk.write(lambda c: rollups.add_failed(c, key, 1))
    found = desk.send("GET", f"/groups/{group}/spending?limit=2", manager.token).json
    assert [(each["member"], each["spent"]) for each in found["data"]] == [
        (pupils[0].id, 3), (pupils[2].id, 2),
    ]  # fmt: skip
    assert (found["data"][1]["requests"], found["data"][1]["failed"]) == (2, 1)
    assert found["people"] == 3
    assert found["total"] == {
        "requests": 4, "failed": 1, "prompt_tokens": 3, "completion_tokens": 3, "spent": 6,
    }  # fmt: skip
    asked = f"/groups/{group}/spending?since=2024-01-01&until=2024-02-01"
    none = desk.send("GET", asked, manager.token).json
    assert (none["data"], none["people"], none["total"]["spent"]) == ([], 0, 0)
    assert none["until"] == "2024-02-02T00:00:00Z"
    asked = f"/groups/{group}/spending?since=2024-01-01&until=2023-01-01"
    wrong = desk.send("GET", asked, manager.token)
    assert (wrong.status, wrong.json["error"]["param"]) == (400, "until")
