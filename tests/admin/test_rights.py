"""Who may do what: every role × every operation, over HTTP's own status.

A new operation has no row here, and fails until it gets one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from tests.admin.desk import LATER, Desk, Person, person, put, unique
from xinghe.accounts import Members, group_tables, wallets
from xinghe.accounts.rights import Role
from xinghe.admin.table import OPERATIONS
from xinghe.configuration import Version
from xinghe.configuration import tables as configuration
from xinghe.sales import code_text, orders, packages
from xinghe.sales.packages import Offer
from xinghe.storage import Connection

ROLES = (
    "operator", "owner above", "manager above", "owner", "manager", "member", "himself",
    "colleague", "stranger", "alone",
)  # fmt: skip
"""The callers. A pupil in a class of a school is what is asked about: the two above have their
roles in the school, the next three in the class, the colleague is owner of another class of the
school, the stranger of a group elsewhere, and one is in no group."""

TABLE = """
                    | op  | above     | in the class        | self | elsewhere
                    |     | own | man | own | man  | member |      | col | str | alone
members.list        | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
members.create      | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
members.get         | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
members.change      | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
members.delete      | 200 | 403 | 403 | 403 | 403  | 404    | 403  | 404 | 404 | 404
paying_wallets.get  | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
paying_wallets.set  | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
tokens.list         | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
tokens.create       | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
tokens.get          | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
tokens.change       | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
tokens.revoke       | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
groups.list         | 200 | 200 | 200 | 200 | 200  | 200    | 200  | 200 | 200 | 403
groups.create       | 200 | 200 | 200 | 404 | 404  | 404    | 404  | 404 | 404 | 404
groups.get          | 200 | 200 | 200 | 200 | 200  | 200    | 200  | 404 | 404 | 404
groups.change       | 200 | 200 | 200 | 200 | 403  | 403    | 403  | 404 | 404 | 404
groups.delete       | 200 | 200 | 200 | 403 | 403  | 403    | 403  | 404 | 404 | 404
memberships.list    | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
memberships.add     | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 404 | 404 | 404
memberships.change  | 200 | 200 | 403 | 200 | 403  | 404    | 403  | 404 | 404 | 404
memberships.remove  | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
memberships.move    | 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
people.list         | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
people.get          | 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
people.limit        | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
invitations.list    | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
invitations.create  | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
invitations.revoke  | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
wallets.get         | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
wallets.get group   | 200 | 200 | 200 | 200 | 200  | 404    | 404  | 404 | 404 | 404
wallets.grant       | 200 | 404 | 404 | 404 | 404  | 404    | 403  | 404 | 404 | 404
wallets.grant group | 200 | 403 | 403 | 403 | 403  | 404    | 404  | 404 | 404 | 404
wallets.redeem      | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
wallets.redeem group| 200 | 200 | 200 | 200 | 200  | 404    | 404  | 404 | 404 | 404
wallets.transfer    | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
wallets.transfer group| 200 | 200 | 200 | 200 | 200  | 404    | 404  | 404 | 404 | 404
codes.list          | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
codes.create        | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
codes.get           | 200 | 404 | 404 | 404 | 404  | 404    | 404  | 404 | 404 | 404
codes.redemptions   | 200 | 404 | 404 | 404 | 404  | 404    | 404  | 404 | 404 | 404
codes.revoke        | 200 | 404 | 404 | 404 | 404  | 404    | 404  | 404 | 404 | 404
packages.list       | 200 | 200 | 200 | 200 | 200  | 200    | 200  | 200 | 200 | 200
packages.create     | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
packages.get        | 200 | 200 | 200 | 200 | 200  | 200    | 200  | 404 | 404 | 404
packages.change     | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 404 | 404 | 404
packages.withdraw   | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 404 | 404 | 404
orders.place        | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
orders.place group  | 200 | 200 | 200 | 200 | 200  | 404    | 404  | 404 | 404 | 404
orders.of_wallet    | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
orders.of_wallet group | 200 | 200 | 200 | 200 | 200  | 404    | 404  | 404 | 404 | 404
orders.list         | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
orders.get          | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
orders.get group    | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
orders.confirm      | 200 | 404 | 404 | 404 | 404  | 404    | 403  | 404 | 404 | 404
orders.confirm group| 200 | 403 | 403 | 403 | 403  | 404    | 403  | 404 | 404 | 404
orders.cancel       | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
orders.cancel group | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
orders.refund       | 200 | 403 | 403 | 403 | 403  | 404    | 403  | 404 | 404 | 404
payment_events.list | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
budgets.list        | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
budgets.list group  | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
budgets.list all    | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
budgets.create      | 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
budgets.create group| 200 | 200 | 200 | 403 | 403  | 403    | 403  | 404 | 404 | 404
budgets.create all  | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
budgets.create token| 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
budgets.get         | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
budgets.change      | 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
budgets.change token| 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
budgets.change own  | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
budgets.end         | 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
budgets.end token   | 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
budgets.end own     | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
config.get          | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
config.set          | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
config.change       | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
config.versions     | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
config.version      | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
config.revert       | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
live.get            | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
audit.list          | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
"""


def rows() -> dict[str, list[int]]:
    lines = [line.split("|") for line in TABLE.strip("\n").splitlines()[2:]]
    return {name.strip(): [int(cell) for cell in cells] for name, *cells in lines}


ROWS = rows()


@dataclass(frozen=True)
class World:
    """A class made anew for one request, and who asks.

    `budget` is the pupil's; two are of his token, of which one he has made himself, `own_budget`.
    `other` is one more class of the school, in which who is in the class has the same role.
    `package` is for the class. The pupil has ordered it for himself and, when he was its manager,
    for the class: `group_order`, and `paid`, which is paid.
    """

    caller: Person
    school: group_tables.Group
    group: group_tables.Group
    other: group_tables.Group
    pupil: Person
    newcomer: Person
    budget: int
    token_budget: int
    own_budget: int
    invitation: int
    batch: int
    code: str
    """The only one of the batch."""
    package: int
    order: str
    group_order: str
    paid: str


Request = tuple[str, str, Any]

REQUESTS: dict[str, Callable[[World], Request]] = {
    "members.list": lambda w: ("GET", "/members", None),
    "members.create": lambda w: ("POST", "/members", {"name": unique(), "group": w.group.id}),
    "members.get": lambda w: ("GET", f"/members/{w.pupil.id}", None),
    "members.change": lambda w: ("PATCH", f"/members/{w.pupil.id}", {"name": unique()}),
    "members.delete": lambda w: ("DELETE", f"/members/{w.pupil.id}", None),
    "paying_wallets.get": lambda w: ("GET", f"/members/{w.pupil.id}/payment", None),
    "paying_wallets.set": lambda w: (
        "PUT", f"/members/{w.pupil.id}/payment", {"order": [w.group.name]},
    ),
    "tokens.list": lambda w: ("GET", f"/members/{w.pupil.id}/tokens", None),
    "tokens.create": lambda w: ("POST", f"/members/{w.pupil.id}/tokens", {}),
    "tokens.get": lambda w: ("GET", f"/tokens/{w.pupil.public_id}", None),
    "tokens.change": lambda w: ("PATCH", f"/tokens/{w.pupil.public_id}", {"name": "new"}),
    "tokens.revoke": lambda w: ("DELETE", f"/tokens/{w.pupil.public_id}", None),
    "groups.list": lambda w: ("GET", "/groups", None),
    "groups.create": lambda w: ("POST", "/groups", {"name": unique(), "parent": w.school.id}),
    "groups.get": lambda w: ("GET", f"/groups/{w.group.id}", None),
    "groups.change": lambda w: ("PATCH", f"/groups/{w.group.id}", {"name": unique()}),
    "groups.delete": lambda w: ("DELETE", f"/groups/{w.group.id}", None),
    "memberships.list": lambda w: ("GET", f"/groups/{w.group.id}/members", None),
    "memberships.add": lambda w: (
        "POST", f"/groups/{w.group.id}/members", {"member": w.newcomer.id},
    ),
    "memberships.change": lambda w: (
        "PATCH", f"/groups/{w.group.id}/members/{w.pupil.id}", {"role": "manager"},
    ),
    "memberships.remove": lambda w: (
        "DELETE", f"/groups/{w.group.id}/members/{w.pupil.id}", None,
    ),
    "memberships.move": lambda w: (
        "POST", f"/groups/{w.group.id}/members/{w.pupil.id}/move", {"group": w.other.id},
    ),
    "people.list": lambda w: ("GET", f"/groups/{w.group.id}/people", None),
    "people.get": lambda w: ("GET", f"/groups/{w.group.id}/people/{w.pupil.id}", None),
    "people.limit": lambda w: (
        "POST", f"/groups/{w.group.id}/budgets", {"members": [w.pupil.id], "amount": 5},
    ),
    "invitations.list": lambda w: ("GET", f"/groups/{w.group.id}/invitations", None),
    "invitations.create": lambda w: ("POST", f"/groups/{w.group.id}/invitations", {}),
    "invitations.revoke": lambda w: ("DELETE", f"/invitations/{w.invitation}", None),
    "wallets.get": lambda w: ("GET", f"/wallets/{w.pupil.number}", None),
    "wallets.get group": lambda w: ("GET", f"/wallets/{w.group.wallet_id}", None),
    "wallets.grant": lambda w: (
        "POST", f"/wallets/{w.pupil.number}/grants", {"amount": 5, "reason": "prize"},
    ),
    "wallets.grant group": lambda w: (
        "POST", f"/wallets/{w.group.wallet_id}/grants", {"amount": 5, "reason": "prize"},
    ),
    "wallets.redeem": lambda w: (
        "POST", f"/wallets/{w.pupil.number}/redeem", {"code": w.code},
    ),
    "wallets.redeem group": lambda w: (
        "POST", f"/wallets/{w.group.wallet_id}/redeem", {"code": w.code},
    ),
    "wallets.transfer": lambda w: (
        "POST", f"/wallets/{w.pupil.number}/transfers",
        {"to": w.group.wallet_id, "amount": 1, "reason": "book"},
    ),
    "wallets.transfer group": lambda w: (
        "POST", f"/wallets/{w.group.wallet_id}/transfers",
        {"to": w.pupil.number, "amount": 1, "reason": "book"},
    ),
    "codes.list": lambda w: ("GET", "/codes", None),
    "codes.create": lambda w: (
        "POST", "/codes", {"name": "a", "amount": 1, "count": 1, "expires_at": LATER},
    ),
    "codes.get": lambda w: ("GET", f"/codes/{w.batch}", None),
    "codes.redemptions": lambda w: ("GET", f"/codes/{w.batch}/redemptions", None),
    "codes.revoke": lambda w: ("DELETE", f"/codes/{w.batch}", None),
    "packages.list": lambda w: ("GET", "/packages", None),
    "packages.create": lambda w: (
        "POST", "/packages", {"name": unique(), "tokens": 5, "price": 9.9},
    ),
    "packages.get": lambda w: ("GET", f"/packages/{w.package}", None),
    "packages.change": lambda w: ("PATCH", f"/packages/{w.package}", {"price": 5}),
    "packages.withdraw": lambda w: ("DELETE", f"/packages/{w.package}", None),
    "orders.place": lambda w: (
        "POST", f"/wallets/{w.pupil.number}/orders", {"package": w.package},
    ),
    "orders.place group": lambda w: (
        "POST", f"/wallets/{w.group.wallet_id}/orders", {"package": w.package},
    ),
    "orders.of_wallet": lambda w: ("GET", f"/wallets/{w.pupil.number}/orders", None),
    "orders.of_wallet group": lambda w: ("GET", f"/wallets/{w.group.wallet_id}/orders", None),
    "orders.list": lambda w: ("GET", "/orders", None),
    "payment_events.list": lambda w: ("GET", "/payment-events", None),
    "orders.get": lambda w: ("GET", f"/orders/{w.order}", None),
    "orders.get group": lambda w: ("GET", f"/orders/{w.group_order}", None),
    "orders.confirm": lambda w: ("POST", f"/orders/{w.order}/confirm", {"reference": unique()}),
    "orders.confirm group": lambda w: (
        "POST", f"/orders/{w.group_order}/confirm", {"reference": unique()},
    ),
    "orders.cancel": lambda w: ("POST", f"/orders/{w.order}/cancel", None),
    "orders.cancel group": lambda w: ("POST", f"/orders/{w.group_order}/cancel", None),
    "orders.refund": lambda w: (
        "POST", f"/orders/{w.paid}/refunds", {"reason": "unused", "reference": "back"},
    ),
    "budgets.list": lambda w: ("GET", f"/budgets?member={w.pupil.id}", None),
    "budgets.list group": lambda w: ("GET", f"/budgets?group={w.group.id}", None),
    "budgets.list all": lambda w: ("GET", "/budgets", None),
    "budgets.create": lambda w: (
        "POST", "/budgets", {"member": w.pupil.id, "unit": "rpm", "amount": 5},
    ),
    "budgets.create token": lambda w: (
        "POST", "/budgets", {"token": w.pupil.public_id, "unit": "rpm", "amount": 5},
    ),
    "budgets.create group": lambda w: (
        "POST", "/budgets", {"group": w.group.id, "unit": "rpm", "amount": 5},
    ),
    "budgets.create all": lambda w: ("POST", "/budgets", {"unit": "rpm", "amount": 10**9}),
    "budgets.get": lambda w: ("GET", f"/budgets/{w.budget}", None),
    "budgets.change": lambda w: ("PATCH", f"/budgets/{w.budget}", {"amount": 7}),
    "budgets.change token": lambda w: ("PATCH", f"/budgets/{w.token_budget}", {"amount": 7}),
    "budgets.change own": lambda w: ("PATCH", f"/budgets/{w.own_budget}", {"amount": 7}),
    "budgets.end": lambda w: ("DELETE", f"/budgets/{w.budget}", None),
    "budgets.end token": lambda w: ("DELETE", f"/budgets/{w.token_budget}", None),
    "budgets.end own": lambda w: ("DELETE", f"/budgets/{w.own_budget}", None),
    "config.get": lambda w: ("GET", "/config", None),
    "config.set": lambda w: ("PUT", "/config", {"tree": {}}),
    "config.change": lambda w: ("PATCH", "/config", {"patch": {}}),
    "config.versions": lambda w: ("GET", "/config/versions", None),
    "config.version": lambda w: ("GET", "/config/versions/1", None),
    "config.revert": lambda w: ("POST", "/config/revert", {"version": 1}),
    "live.get": lambda w: ("GET", "/live", None),
    "audit.list": lambda w: ("GET", "/audit", None),
}  # fmt: skip


def test_every_operation_has_a_row() -> None:
    named = {row.split(" ")[0] for row in ROWS}
    assert named == {operation.name for operation in OPERATIONS}
    assert ROWS.keys() == REQUESTS.keys()


@pytest.mark.parametrize("row", ROWS)
def test_who_may(desk: Desk, row: str) -> None:
    operation = next(each for each in OPERATIONS if each.name == row.split(" ", maxsplit=1)[0])
    found = []
    for role in ROLES:
        world = desk.write(partial(made, role=role))
        if row.startswith("wallets.transfer"):
            desk.write(partial(funded, world=world))
        method, path, body = REQUESTS[row](world)
        assert method == operation.method
        reply = desk.send(method, path, world.caller.token, body)
        if reply.status != 200:
            assert reply.code in {"not_permitted", "no_such_object"}, reply
        found.append(reply.status)
    assert dict(zip(ROLES, found, strict=True)) == dict(zip(ROLES, ROWS[row], strict=True))


@pytest.mark.parametrize("row", ROWS)
def test_nobody_without_the_scope_or_disabled(desk: Desk, row: str) -> None:
    world = desk.write(partial(made, role="alone"))
    method, path, body = REQUESTS[row](world)
    for scopes, disabled, code in (
        (("model.call", "account.read"), False, "no_parameter_permission"),
        (("admin",), True, "invalid_iam_token"),
    ):
        who = desk.person(unique(), operator=True, scopes=scopes)
        if disabled:
            desk.run(Members(desk.database).disable(who.id))
        reply = desk.send(method, path, who.token, body)
        assert (reply.status, reply.code) == (401, code)
    assert desk.send(method, path, None, body).code == "invalid_iam_token"


PLACES: dict[str, tuple[str, Role]] = {
    "owner above": ("school", "owner"),
    "manager above": ("school", "manager"),
    "owner": ("class", "owner"),
    "manager": ("class", "manager"),
    "member": ("class", "member"),
    "colleague": ("other class", "owner"),
    "stranger": ("elsewhere", "owner"),
}


def made(connection: Connection, role: str) -> World:
    """A pupil in a class of a school; who asks has a role there, or elsewhere."""
    if configuration.newest(connection) == 0:
        configuration.add(connection, Version(1), None)
    school = group_tables.insert_group(connection, unique(), None, None)
    groups = {"class": group_tables.insert_group(connection, unique(), school.id, None)}
    groups["school"] = school
    pupil = person(connection, unique())
    put(connection, groups["class"].id, pupil, "member")
    caller = pupil
    if role != "himself":
        caller = person(connection, unique(), operator=role == "operator")
    if role in PLACES:
        where, place = PLACES[role]
        if where not in groups:
            parent = school.id if where == "other class" else None
            groups[where] = group_tables.insert_group(connection, unique(), parent, None)
        put(connection, groups[where].id, caller, place)
    other = group_tables.insert_group(connection, unique(), school.id, None)
    if role in PLACES and PLACES[role][0] == "class":
        put(connection, other.id, caller, PLACES[role][1])
    newcomer = person(connection, unique())
    token = connection.value("SELECT id FROM tokens WHERE public_id = $1", pupil.public_id)
    made_by = {"budget": caller.number, "token_budget": newcomer.number, "own_budget": pupil.number}
    budgets = {
        name: connection.value(
            "INSERT INTO budgets (member_id, token_id, created_by, unit, amount, created_at) "
            "VALUES ($1, $2, $3, 'rpm', 9, 1) RETURNING id",
            pupil.number if name == "budget" else None,
            None if name == "budget" else token,
            maker,
        )
        for name, maker in made_by.items()
    }
    invitation = connection.value(
        "INSERT INTO invitations (group_id, role, pays, amount, digest, uses_left, expires_at, "
        "created_at) VALUES ($1, 'member', 'group', 0, $2, 1, 9000000000000000, 1) RETURNING id",
        groups["class"].id,
        unique().encode().ljust(32),
    )
    (code,) = code_text.make(1)
    batch = connection.value(
        "INSERT INTO code_batches (name, amount, count, expires_at, created_at) "
        "VALUES ('one', 5000000, 1, 9000000000000000, 1) RETURNING id"
    )
    connection.run(
        "INSERT INTO codes (digest, batch_id, number) VALUES ($1, $2, 1)",
        code_text.digest(code),
        batch,
    )
    return World(
        caller,
        school,
        groups["class"],
        other,
        pupil,
        newcomer,
        invitation=invitation,
        batch=batch,
        code=code,
        **budgets,
        **sold(connection, groups["class"], pupil),
    )


def funded(connection: Connection, world: World) -> None:
    """Only where it is moved: who has Tokens of his own is in nobody's charge."""
    for wallet in (world.pupil.number, world.group.wallet_id):
        wallets.credit(connection, wallet, 5_000_000)


def sold(connection: Connection, group: group_tables.Group, pupil: Person) -> dict[str, Any]:
    offer = Offer(name=unique(), amount=50, price=990, currency="CNY", groups=(group.id,))
    package = packages.create(connection, "test", offer)
    order, group_order, paid = (
        orders.place(
            connection,
            "test",
            package.id,
            wallet,
            member_id=pupil.number,
            provider="manual",
            days=7,
        )
        for wallet in (pupil.number, group.wallet_id, group.wallet_id)
    )
    orders.pay(connection, "test", paid.id, unique())
    return {
        "package": package.id,
        "order": order.number,
        "group_order": group_order.number,
        "paid": paid.number,
    }
