"""A class made anew for one request, and who asks about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.admin.desk import Person, person, put, unique
from xinghe.accounts import group_tables, wallets
from xinghe.accounts.rights import Role
from xinghe.configuration import Version
from xinghe.configuration import tables as configuration
from xinghe.sales import code_text, orders, packages
from xinghe.sales.packages import Offer
from xinghe.storage import Connection

PLACES: dict[str, tuple[str, Role]] = {
    "owner above": ("school", "owner"),
    "manager above": ("school", "manager"),
    "owner": ("class", "owner"),
    "manager": ("class", "manager"),
    "member": ("class", "member"),
    "colleague": ("other class", "owner"),
    "stranger": ("elsewhere", "owner"),
}


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
