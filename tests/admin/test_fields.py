"""Which fields of a body fewer may set, and which fields of an answer fewer see."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin.desk import Desk, Person, unique
from xinghe.accounts.group_tables import Group
from xinghe.accounts.rights import RIGHTS, SHOWN


class Class:
    """A class of a school, and who has a role in it."""

    def __init__(self, desk: Desk) -> None:
        self.school = desk.group(unique())
        self.group: Group = desk.group(unique(), self.school.id)
        self.head, self.owner, self.manager, self.pupil = (desk.person(unique()) for _ in range(4))
        desk.join(self.school.id, self.head, "manager")
        desk.join(self.group.id, self.owner, "owner")
        desk.join(self.group.id, self.manager, "manager")
        desk.join(self.group.id, self.pupil, "member")


@pytest.fixture(scope="module")
def place(desk: Desk) -> Class:
    return Class(desk)


CASES: list[tuple[str, str, Any, str, str]] = [
    # operation, field, value, who may call but not set it, who may set it
    ("members.create", "operator", True, "manager", "operator"),
    ("members.create", "tokens", 5, "owner", "operator"),
    ("members.change", "operator", True, "manager", "operator"),
    ("members.change", "operator", True, "pupil", "operator"),
    ("members.change", "disabled", True, "pupil", "manager"),
    ("members.change", "password", "correct horse battery", "pupil", "manager"),
    ("groups.create", "tokens", 5, "head", "operator"),
    ("groups.change", "models", ["ernie-3.5-8k"], "owner", "head"),
    ("invitations.create", "role", "manager", "manager", "owner"),
    ("invitations.create", "tokens", 5, "owner", "operator"),
]


def request(operation: str, place: Class) -> tuple[str, str, dict[str, Any]]:
    if operation == "members.create":
        return "POST", "/members", {"name": unique(), "group": place.group.id}
    if operation == "members.change":
        return "PATCH", f"/members/{place.pupil.id}", {"name": unique()}
    if operation == "groups.create":
        return "POST", "/groups", {"name": unique(), "parent": place.school.id}
    if operation == "groups.change":
        return "PATCH", f"/groups/{place.group.id}", {"name": unique()}
    return "POST", f"/groups/{place.group.id}/invitations", {"uses": 2}


def test_every_narrower_field_has_a_case() -> None:
    narrower = {(name, field) for name, right in RIGHTS.items() for field in right.fields}
    assert {(operation, field) for operation, field, *_ in CASES} == narrower


@pytest.mark.parametrize(("operation", "field", "value", "fewer", "more"), CASES)
def test_who_may_set_it(
    desk: Desk, operator: Person, operation: str, field: str, value: Any, fewer: str, more: str
) -> None:
    place = Class(desk)
    people = {
        "operator": operator, "head": place.head,
        "owner": place.owner, "manager": place.manager, "pupil": place.pupil,
    }  # fmt: skip
    method, path, body = request(operation, place)
    assert desk.send(method, path, people[fewer].token, body).status == 200
    method, path, body = request(operation, place)
    reply = desk.send(method, path, people[fewer].token, {**body, field: value})
    assert (reply.status, reply.code, reply.json["error"]["param"]) == (403, "not_permitted", field)
    assert desk.send(method, path, people[more].token, {**body, field: value}).status == 200


def test_a_field_that_says_nothing_new_is_no_matter(desk: Desk, place: Class) -> None:
    body = {"name": unique(), "group": place.group.id, "operator": False, "tokens": None}
    assert desk.send("POST", "/members", place.manager.token, body).status == 200


@pytest.mark.parametrize("kind", SHOWN)
def test_who_sees_it(desk: Desk, operator: Person, place: Class, kind: str) -> None:
    path, those, others = {
        "member": (f"/members/{place.pupil.id}", [place.pupil, operator], [place.manager]),
        "group": (f"/groups/{place.group.id}", [place.manager, place.head], [place.pupil]),
        "order": (f"/orders/{ordered(desk, operator, place)}", [operator], [place.manager]),
    }[kind]
    for who in those:
        assert SHOWN[kind].keys() <= desk.send("GET", path, who.token).json.keys()
    for who in others:
        assert not SHOWN[kind].keys() & desk.send("GET", path, who.token).json.keys()


def ordered(desk: Desk, operator: Person, place: Class) -> str:
    """An order for the group's wallet."""
    offer = {"name": unique(), "tokens": 5, "price": 1}
    package = desk.send("POST", "/packages", operator.token, offer).json["id"]
    path = f"/wallets/{place.group.wallet_id}/orders"
    number: str = desk.send("POST", path, place.manager.token, {"package": package}).json["number"]
    return number


def test_who_is_not_in_charge_changes_nothing(desk: Desk, place: Class) -> None:
    rich, abroad, colleague = (
        desk.person(unique(), amount=1),
        *(desk.person(unique()) for _ in "ab"),
    )
    desk.join(place.group.id, rich)
    desk.join(place.group.id, abroad)
    desk.join(desk.group(unique()).id, abroad)
    desk.join(place.group.id, colleague, "manager")
    for who in (rich, abroad, colleague):
        assert desk.send("GET", f"/members/{who.id}", place.manager.token).status == 200
        for method, path, body in (
            ("PATCH", f"/members/{who.id}", {"disabled": True}),
            ("POST", f"/members/{who.id}/tokens", {}),
            ("POST", "/budgets", {"member": who.id, "unit": "rpm", "amount": 0}),
            ("POST", "/budgets", {"token": who.public_id, "unit": "rpm", "amount": 0}),
        ):
            reply = desk.send(method, path, place.manager.token, body)
            assert (reply.status, reply.code) == (403, "not_permitted")


def test_what_a_manager_makes_is_granted_nothing(desk: Desk, place: Class) -> None:
    made = desk.send(
        "POST", "/members", place.manager.token, {"name": unique(), "group": place.group.id}
    )
    assert wallet(desk, made.json["wallet"]) == 0
    owner = desk.person(unique())
    desk.join(place.school.id, owner, "owner")
    made = desk.send("POST", "/groups", owner.token, {"name": unique(), "parent": place.school.id})
    assert wallet(desk, made.json["wallet"]) == 0
    own = {"pays": "own"}
    path = f"/groups/{place.group.id}/invitations"
    assert desk.send("POST", path, place.manager.token, own).json["tokens"] == 0


def wallet(desk: Desk, number: int) -> int:
    held: int = desk.read(
        lambda c: c.value("SELECT available + held FROM wallets WHERE id = $1", number)
    )
    return held
