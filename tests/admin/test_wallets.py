"""Wallets: what is granted, and which of them pay for a member."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin.desk import LATER, Desk, Person, audited, unique


@pytest.mark.parametrize(("path", "kind"), [("/members", "member"), ("/groups", "group")])
def test_a_new_wallet_has_the_initial_grant(
    desk: Desk, operator: Person, path: str, kind: str
) -> None:
    made = desk.send("POST", path, operator.token, {"name": unique()}).json
    wallet = desk.send("GET", f"/wallets/{made['wallet']}", operator.token).json
    assert (wallet["available"], wallet["held"], wallet["balance"]) == (1_000_000, 0, 1_000_000)
    assert wallet[kind] == made["id"]
    assert [(lot["amount"], lot["note"]) for lot in wallet["lots"]] == [
        (1_000_000, "initial grant")
    ]


def test_a_grant_has_a_reason_and_an_expiry(desk: Desk, operator: Person) -> None:
    who = desk.person(unique())
    path = f"/wallets/{who.number}"
    body = {"amount": 12.345678, "reason": "竞赛奖励", "expires_at": LATER}
    granted = desk.send("POST", f"{path}/grants", operator.token, body).json
    assert granted | body == granted
    desk.send("POST", f"{path}/grants", operator.token, {"amount": 1, "reason": "more"})
    wallet = desk.send("GET", path, operator.token).json
    lots = [(lot["amount"], lot["expires_at"], lot["note"]) for lot in wallet["lots"]]
    assert lots == [(12.345678, LATER, "竞赛奖励"), (1, None, "more")]
    assert wallet["balance"] == 13.345678
    [_, (action, before, after)] = audited(desk, operator, who.id)[:2]
    assert (action, before, after["note"]) == ("wallet.grant", None, "竞赛奖励")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"amount": 0, "reason": "x"}, "amount"),
        ({"amount": 0.0000001, "reason": "x"}, "amount"),
        ({"amount": -1, "reason": "x"}, "amount"),
        ({"amount": 10**12 + 1, "reason": "x"}, "amount"),
        ({"amount": "5", "reason": "x"}, "amount"),
        ({"amount": None, "reason": "x"}, "amount"),
        ({"reason": "x"}, "amount"),
        ({"amount": 5}, "reason"),
        ({"amount": 5, "reason": ""}, "reason"),
        ({"amount": 5, "reason": "x" * 201}, "reason"),
        ({"amount": 5, "reason": "x", "expires_at": "2020-01-01"}, "expires_at"),
        ({"amount": 5, "reason": "x", "expires_at": "soon"}, "expires_at"),
        ({"amount": 5, "reason": "x", "expires_at": 4102444800}, "expires_at"),
        ({"amount": 5, "reason": "x", "note": "y"}, "note"),
    ],
)
def test_a_grant_that_is_none(desk: Desk, operator: Person, body: Any, param: str) -> None:
    reply = desk.send("POST", f"/wallets/{operator.number}/grants", operator.token, body)
    assert (reply.status, reply.code, reply.json["error"]["param"]) == (
        400,
        "malformed_json",
        param,
    )


def test_a_note_that_no_line_can_hold(desk: Desk, operator: Person) -> None:
    path = f"/wallets/{operator.number}/grants"
    for reason in ("two\nlines", "nul\0", "\u202e"):
        reply = desk.send("POST", path, operator.token, {"amount": 5, "reason": reason})
        assert (reply.status, reply.json["error"]["param"]) == (400, "reason")


def test_the_wallet_of_a_deleted_group_is_the_operators(desk: Desk, operator: Person) -> None:
    made = desk.send("POST", "/groups", operator.token, {"name": unique(), "tokens": 5}).json
    owner = desk.person(unique())
    desk.join(made["id"], owner, "owner")
    path = f"/wallets/{made['wallet']}"
    assert desk.send("GET", path, owner.token).json["balance"] == 5
    desk.send("DELETE", f"/groups/{made['id']}", operator.token)
    assert desk.send("GET", path, owner.token).code == "no_such_object"
    assert desk.send("GET", path, operator.token).json["balance"] == 5


def test_what_pays_for_a_member(desk: Desk, operator: Person) -> None:
    who, group = desk.person(unique()), desk.group(unique())
    path = f"/members/{who.id}/payment"
    assert desk.send("GET", path, who.token).json["order"] == ["own"]
    assert desk.send("PUT", path, operator.token, {"order": [group.name]}).code == "conflict"
    desk.join(group.id, who)
    order = ["own", group.name]
    assert desk.send("PUT", path, who.token, {"order": order}).json["order"] == order
    assert desk.send("GET", path, operator.token).json["order"] == order
    for wrong in ([], ["own", "own"]):
        assert desk.send("PUT", path, who.token, {"order": wrong}).status == 400


def test_nobody_takes_the_tokens_of_a_group_that_does_not_pay_for_him(
    desk: Desk, operator: Person
) -> None:
    """A group's money is given by its managers: to be in it is not enough."""
    school = desk.group(unique())
    group = desk.group(unique(), school.id)
    pupil, manager = desk.person(unique()), desk.person(unique())
    desk.join(group.id, manager, "manager")
    desk.join(group.id, pupil)
    path = f"/members/{pupil.id}/payment"
    assert desk.send("PUT", path, pupil.token, {"order": ["own"]}).status == 200
    for who, name in ((pupil, group.name), (pupil, school.name), (manager, school.name)):
        reply = desk.send("PUT", path, who.token, {"order": [name]})
        # The pupil has no Tokens, but his own wallet pays now: nobody is in charge of him.
        assert (reply.status, reply.code) == (403, "not_permitted")
    assert desk.send("PUT", path, operator.token, {"order": [group.name]}).status == 200
    reply = desk.send("PUT", path, manager.token, {"order": [group.name, school.name]})
    assert (reply.code, reply.json["error"]["param"]) == ("not_permitted", "order")
    for who in (manager, pupil):
        assert desk.send("PUT", path, who.token, {"order": [group.name]}).status == 200


def test_whether_there_is_a_group_is_not_told_to_who_would_be_paid_by_it(desk: Desk) -> None:
    who, foreign, missing = desk.person(unique()), desk.group(unique()).name, unique()
    told = []
    for name in (foreign, missing):
        reply = desk.send("PUT", f"/members/{who.id}/payment", who.token, {"order": [name]})
        told.append((reply.status, reply.code, reply.json["error"]["message"].replace(name, "…")))
    assert told[0] == told[1]
