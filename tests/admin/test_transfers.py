"""Transfers: who may move Tokens whereto, and that all of them arrive."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.admin.desk import LATER, Desk, Person, Reply, audited, unique
from tests.admin.test_repeats import at_once
from xinghe.accounts.group_tables import Group
from xinghe.accounts.rules import MAX_BALANCE
from xinghe.catalog.rate import Rate
from xinghe.core import MICRO
from xinghe.ledger import check, holds
from xinghe.ledger.holds import Hold
from xinghe.storage import now


class School:
    """Two classes of a school, one elsewhere, and people in them."""

    def __init__(self, desk: Desk, operator: Person) -> None:
        self.school = desk.group(unique())
        self.first, self.second = (desk.group(unique(), self.school.id) for _ in range(2))
        self.elsewhere = desk.group(unique())
        self.head, self.manager, self.pupil, self.mate, self.other, self.stranger = (
            desk.person(unique(), amount=100 * MICRO) for _ in range(6)
        )
        desk.join(self.school.id, self.head, "owner")
        desk.join(self.first.id, self.manager, "manager")
        desk.join(self.first.id, self.pupil)
        desk.join(self.first.id, self.mate)
        desk.join(self.second.id, self.other)
        desk.join(self.elsewhere.id, self.stranger, "owner")
        for group in (self.school, self.first, self.second, self.elsewhere):
            path = f"/wallets/{group.wallet_id}/grants"
            desk.send("POST", path, operator.token, {"amount": 100, "reason": "term"})

    def wallet(self, name: str) -> int:
        found: Person | Group = getattr(self, name)
        return found.wallet_id if isinstance(found, Group) else found.number


@pytest.fixture(scope="module")
def school(desk: Desk, operator: Person) -> School:
    return School(desk, operator)


def move(
    desk: Desk, who: Person, source: int, target: int, amount: float = 1, **given: Any
) -> Reply:
    body = {"to": target, "amount": amount, "reason": given.pop("reason", "homework")}
    return desk.send("POST", f"/wallets/{source}/transfers", who.token, body, **given)


def balance(desk: Desk, wallet: int) -> int:
    query = "SELECT available + held FROM wallets WHERE id = $1"
    found: int = desk.read(lambda c: c.value(query, wallet))
    return found


CASES = [
    # who, from, whereto he may, whereto he may not
    ("pupil", "pupil", "first mate manager", "school second elsewhere head other stranger"),
    ("manager", "first", "pupil mate manager school second", "head other stranger elsewhere"),
    ("head", "second", "other first school", "pupil head stranger elsewhere"),
    ("head", "school", "head first second", "pupil other stranger elsewhere"),
    ("head", "head", "school", "first pupil stranger elsewhere"),
    ("pupil", "first", "", "pupil mate second"),
    ("manager", "school", "", "first manager"),
    ("manager", "second", "", "first other"),
    ("manager", "pupil", "", "manager first"),
    ("stranger", "pupil", "", "stranger elsewhere"),
    ("stranger", "elsewhere", "stranger", "first pupil school"),
]


@pytest.mark.parametrize(("who", "source", "reached", "not_reached"), CASES)
def test_who_may_move_them_where(
    desk: Desk, school: School, who: str, source: str, reached: str, not_reached: str
) -> None:
    caller: Person = getattr(school, who)
    for name in reached.split():
        assert move(desk, caller, school.wallet(source), school.wallet(name), 1).status == 200
    for name in not_reached.split():
        reply = move(desk, caller, school.wallet(source), school.wallet(name), 1)
        assert (reply.status, reply.code) == (404, "no_such_object")
    assert desk.read(check) == []


def test_operators_move_them_anywhere(desk: Desk, operator: Person, school: School) -> None:
    assert move(desk, operator, school.stranger.number, school.other.number).status == 200
    assert move(desk, operator, school.elsewhere.wallet_id, school.pupil.number).status == 200


def test_whether_there_is_a_wallet_is_not_told(desk: Desk, school: School) -> None:
    told = []
    for target in (school.stranger.number, 2**50):
        reply = move(desk, school.pupil, school.pupil.number, target)
        told.append((reply.code, reply.json["error"]["message"].replace(str(target), "…")))
    assert told[0] == told[1]


def named(desk: Desk, who: Person, source: int, amount: float = 1, /, **receiver: Any) -> Reply:
    body = {"amount": amount, "reason": "homework", **receiver}
    return desk.send("POST", f"/wallets/{source}/transfers", who.token, body)


def name_of(desk: Desk, who: Person) -> str:
    found: str = desk.read(lambda c: c.value("SELECT name FROM members WHERE id = $1", who.number))
    return found


def test_the_receiver_is_named_by_who_he_is(desk: Desk, school: School) -> None:
    pupil, mate, group = school.pupil, school.mate, school.first
    for receiver, wallet in (
        ({"to_member": name_of(desk, mate)}, mate.number),
        ({"to_member": mate.id}, mate.number),
        ({"to_group": group.name}, group.wallet_id),
        ({"to_group": str(group.id)}, group.wallet_id),
    ):
        before = balance(desk, wallet)
        done = named(desk, pupil, pupil.number, **receiver)
        assert (done.status, done.json["to"]) == (200, wallet)
        assert balance(desk, wallet) == before + MICRO
    assert desk.read(check) == []


@pytest.mark.parametrize("field", ["to_member", "to_group"])
def test_whether_there_is_a_name_outside_of_the_group_is_not_told(
    desk: Desk, school: School, field: str
) -> None:
    theirs = {"to_member": name_of(desk, school.stranger), "to_group": school.elsewhere.name}
    told = []
    for name in (theirs[field], "nobody-at-all"):
        # Neither where the rest is wrong, too.
        for amount in (1, 10**12):
            reply = named(desk, school.pupil, school.pupil.number, amount, **{field: name})
            assert (reply.status, reply.json["error"]["param"]) == (404, field)
            told.append(reply.json["error"]["message"].replace(name, "…"))
    assert len(set(told)) == 1


@pytest.mark.parametrize(
    ("receiver", "param"),
    [
        ({}, "to"),
        ({"to": None}, "to"),
        ({"to": 1, "to_member": "x"}, "to_member"),
        ({"to_member": "x", "to_group": "y"}, "to_group"),
        ({"to_member": ""}, "to_member"),
        ({"to_group": "x" * 65}, "to_group"),
        ({"to_group": 5}, "to_group"),
        ({"to": "5"}, "to"),
    ],
)
def test_one_receiver_is_named(
    desk: Desk, operator: Person, receiver: dict[str, Any], param: str
) -> None:
    reply = named(desk, operator, operator.number, **receiver)
    assert (reply.status, reply.code) == (400, "malformed_json")
    assert reply.json["error"]["param"] == param


def test_what_is_told_of_it(desk: Desk, operator: Person) -> None:
    a, b = desk.person(unique(), amount=10 * MICRO), desk.person(unique())
    done = move(desk, operator, a.number, b.number, 2.5, reason="prize").json
    assert done["object"] == "transfer"
    assert (done["wallet"], done["to"], done["amount"]) == (a.number, b.number, 2.5)
    assert (done["reason"], done["balance"], done["available"]) == ("prize", 7.5, 7.5)
    query = "SELECT wallet_id, kind, amount, note FROM entries WHERE kind = 'transfer' AND "
    entries = desk.read(
        lambda c: c.rows(f"{query}wallet_id IN ($1, $2) ORDER BY id", a.number, b.number)
    )
    assert entries == [
        (a.number, "transfer", -2_500_000, f"to wallet {b.number}: prize"),
        (b.number, "transfer", 2_500_000, f"from wallet {a.number}: prize"),
    ]
    for who in (a, b):
        action, before, after = audited(desk, operator, who.id)[0]
        assert (action, before) == ("wallet.transfer", None)
        assert (after["from"], after["to"], after["amount"]) == (a.number, b.number, 2_500_000)


def test_each_lot_keeps_its_expiry_and_what_is_bound_stays(desk: Desk, operator: Person) -> None:
    a, b = desk.person(unique()), desk.person(unique())
    path = f"/wallets/{a.number}/grants"
    for grant in (
        {"amount": 3, "models": ["ernie-3.5-8k"]},
        {"amount": 2, "expires_at": LATER},
        {"amount": 1},
    ):
        reply = desk.send("POST", path, operator.token, {**grant, "reason": "x"})
        assert reply.json["models"] == grant.get("models")
    refused = move(desk, operator, a.number, b.number, 3.000001)
    assert (refused.code, refused.json["error"]["param"]) == ("malformed_json", "amount")
    assert "can be moved: 3;" in refused.json["error"]["message"]
    assert move(desk, operator, a.number, b.number, 2.5).status == 200
    lots = desk.send("GET", f"/wallets/{b.number}", operator.token).json["lots"]
    assert [(lot["remaining"], lot["expires_at"]) for lot in lots] == [(2, LATER), (0.5, None)]
    lots = desk.send("GET", f"/wallets/{a.number}", operator.token).json["lots"]
    assert [(lot["remaining"], lot["models"]) for lot in lots] == [
        (3, ["ernie-3.5-8k"]),
        (0.5, None),
    ]


def test_what_is_held_stays(desk: Desk, operator: Person) -> None:
    a, b = desk.person(unique(), amount=5 * MICRO), desk.person(unique())
    token = desk.read(lambda c: c.value("SELECT id FROM tokens WHERE member_id = $1", a.number))
    hold = Hold(
        id=unique(), member_id=a.number, token_id=token, wallets=(a.number,), budgets=(),
        request_id="as-0123456789", model="m", amount=5 * MICRO, owner="o", stream=True,
        prompt_tokens=1, rate=Rate(1, 1, 1, 1), created_at=now(),
    )  # fmt: skip
    assert isinstance(desk.write(lambda c: holds.reserve(c, hold)), holds.Reserved)
    reply = move(desk, operator, a.number, b.number)
    assert (reply.status, "can be moved: 0;" in str(reply.json)) == (400, True)
    desk.write(lambda c: holds.release(c, hold.id, at=now()))
    assert move(desk, operator, a.number, b.number, 5).status == 200
    assert desk.read(check) == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"to": 0}, "to"),
        ({"to": "1"}, "to"),
        ({"to": None}, "to"),
        ({"amount": 0}, "amount"),
        ({"amount": 0.999999}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 0.0000001}, "amount"),
        ({"amount": 10**12 + 1}, "amount"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "two\nlines"}, "reason"),
        ({"from": 1}, "from"),
    ],
)
def test_a_transfer_that_is_none(
    desk: Desk, operator: Person, school: School, body: Any, param: str
) -> None:
    path = f"/wallets/{school.pupil.number}/transfers"
    whole = {"to": school.mate.number, "amount": 1, "reason": "x", **body}
    reply = desk.send("POST", path, operator.token, whole)
    assert (reply.status, reply.code) == (400, "malformed_json")
    assert reply.json["error"]["param"] == param


def test_a_wallet_moves_nothing_to_itself(desk: Desk, operator: Person, school: School) -> None:
    for who in (operator, school.pupil):
        reply = move(desk, who, school.pupil.number, school.pupil.number)
        assert (reply.status, reply.json["error"]["param"]) == (400, "to")


def test_no_wallet_is_filled_beyond_the_most(desk: Desk, operator: Person) -> None:
    full = desk.person(unique(), amount=MAX_BALANCE - MICRO)
    a = desk.person(unique(), amount=3 * MICRO)
    reply = move(desk, operator, a.number, full.number, 1.000001)
    assert (reply.status, reply.json["error"]["param"]) == (400, "amount")
    assert balance(desk, a.number) == 3 * MICRO
    assert move(desk, operator, a.number, full.number, 1).status == 200


def test_nothing_is_moved_where_nobody_can_spend_it(desk: Desk, operator: Person) -> None:
    group, gone, a = (
        desk.group(unique()),
        desk.person(unique()),
        desk.person(unique(), amount=MICRO),
    )
    desk.send(
        "POST", f"/wallets/{group.wallet_id}/grants", operator.token, {"amount": 3, "reason": "x"}
    )
    assert desk.send("DELETE", f"/groups/{group.id}", operator.token).status == 200
    assert desk.send("DELETE", f"/members/{gone.id}", operator.token).status == 200
    for wallet in (group.wallet_id, gone.number):
        reply = move(desk, operator, a.number, wallet)
        assert (reply.status, reply.json["error"]["param"]) == (400, "to")
    assert move(desk, operator, group.wallet_id, a.number, 3).status == 200


def test_one_that_is_sent_twice_is_done_once(desk: Desk, operator: Person) -> None:
    a, b = desk.person(unique(), amount=10 * MICRO), desk.person(unique())
    for _ in range(2):
        done = move(desk, operator, a.number, b.number, 4, idempotency_key="once")
        assert done.json["balance"] == 6
    assert balance(desk, b.number) == 4 * MICRO


def test_to_and_fro_at_once(desk: Desk, operator: Person) -> None:
    """By two services: none waits for one that waits for it, and no Token is lost."""
    other = desk.service()
    people = [desk.person(unique(), amount=20 * MICRO) for _ in range(3)]
    pairs = [(a, b) for a in people for b in people if a != b] * 15

    async def all_of_them() -> list[Reply]:
        return await asyncio.gather(
            *(
                desk.sending(
                    "POST", f"/wallets/{a.number}/transfers", operator.token,
                    {"to": b.number, "amount": 1 + place % 3, "reason": "x"},
                    by=(desk.admin, other)[place % 2],
                )
                for place, (a, b) in enumerate(pairs)
            )
        )  # fmt: skip

    replies = desk.run(all_of_them())
    assert {reply.status for reply in replies} <= {200, 400}
    assert any(reply.status == 200 for reply in replies)
    assert sum(balance(desk, who.number) for who in people) == 60 * MICRO
    assert desk.read(check) == []


def test_a_wallet_is_not_spent_twice(desk: Desk, operator: Person) -> None:
    a, b = desk.person(unique(), amount=10 * MICRO), desk.person(unique())
    body = {"to": b.number, "amount": 3, "reason": "x"}
    one: tuple[str, str, str, Any, dict[str, Any]] = (
        "POST",
        f"/wallets/{a.number}/transfers",
        operator.token,
        body,
        {},
    )
    replies = at_once(desk, *[one] * 50)
    assert sorted(reply.status for reply in replies) == [200] * 3 + [400] * 47
    assert (balance(desk, a.number), balance(desk, b.number)) == (MICRO, 9 * MICRO)
