"""The people of a group as a list that can be searched and put in order.

Each statement is part of the caller's transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

import msgspec

from xinghe.accounts.rights import GroupPlace, MemberPlace, Role
from xinghe.storage import Connection, among

LOOKED_AT = 500
"""Entries of one member among which the last that a group paid is looked for."""
_FOUND = {"sqlite": "instr(lower(n.name), lower($2))", "postgresql": "strpos(lower(n.name), $2)"}


class Person(msgspec.Struct, frozen=True):
    """Somebody in a group; times in microseconds UTC."""

    member_id: int
    appid: str
    name: str
    role: Role
    joined_at: int
    disabled_at: int | None


def count(connection: Connection, group_id: int, called: str) -> int:
    """How many are in a group whose names hold a text, in upper or lower case."""
    named, values = _named(connection, group_id, called)
    found: int = connection.value(f"SELECT count(*) FROM ({named}) p", *values)  # noqa: S608
    return found


def people(
    connection: Connection, group_id: int, called: str, limit: int, behind: int = 0
) -> list[Person]:
    """Those by name, behind so many others."""
    named, values = _named(connection, group_id, called)
    rows = connection.rows(
        "SELECT m.id, m.appid, m.name, p.role, p.joined_at, m.disabled_at "  # noqa: S608
        f"FROM ({named} ORDER BY n.name LIMIT {limit:d} OFFSET {behind:d}) p "
        "JOIN members m ON m.id = p.member_id ORDER BY m.name",
        *values,
    )
    return [Person(*row) for row in rows]


def last_requests(
    connection: Connection, wallets: Sequence[int], members: Collection[int]
) -> dict[int, int]:
    """When some groups' wallets last paid for each; nothing where others have paid much since."""
    paid, by = among(connection, "e.wallet_id", "$1", wallets)
    some, ids = among(connection, "m.id", "$2", members)
    # What others paid for him has an index of its own, in this order.
    rows = connection.rows(
        "SELECT m.id, (SELECT e.at FROM (SELECT x.at, x.wallet_id FROM entries x "  # noqa: S608
        "WHERE x.member_id = m.id AND x.member_id <> x.wallet_id "
        f"ORDER BY x.at DESC, x.id DESC LIMIT {LOOKED_AT}) e WHERE {paid} "
        "ORDER BY e.at DESC LIMIT 1) "
        f"FROM members m WHERE {some}",
        by,
        ids,
    )
    return {member: at for member, at in rows if at is not None}


def places(connection: Connection, members: Collection[int]) -> dict[int, MemberPlace]:
    """What the rights of others over each depend on."""
    some, ids = among(connection, "s.member_id", "$1", members)
    groups: dict[int, list[tuple[GroupPlace, str]]] = defaultdict(list)
    wallets: dict[int, set[int]] = defaultdict(set)
    for member, group, parent, role, wallet, above in connection.rows(
        "SELECT s.member_id, g.id, g.parent_id, s.role, g.wallet_id, p.wallet_id "  # noqa: S608
        "FROM memberships s JOIN groups g ON g.id = s.group_id "
        f"LEFT JOIN groups p ON p.id = g.parent_id WHERE {some} AND g.deleted_at IS NULL "
        "ORDER BY g.id",
        ids,
    ):
        groups[member].append((GroupPlace(group, parent), role))
        wallets[member] |= {wallet, above}
    pay: dict[int, set[int]] = defaultdict(set)
    some, ids = among(connection, "o.member_id", "$1", members)
    for member, wallet in connection.rows(
        f"SELECT o.member_id, o.wallet_id FROM payment_order o WHERE {some}",  # noqa: S608
        ids,
    ):
        pay[member].add(wallet)
    some, ids = among(connection, "m.id", "$1", members)
    found: dict[int, MemberPlace] = {}
    for member, operator, balance in connection.rows(
        "SELECT m.id, m.operator, w.available + w.held FROM members m "  # noqa: S608
        f"JOIN wallets w ON w.id = m.id WHERE {some}",
        ids,
    ):
        others = pay[member] & wallets[member]
        own = member in pay[member] or not others
        found[member] = MemberPlace(
            member, bool(operator), own or balance > 0, tuple(groups[member])
        )
    return found


def _named(connection: Connection, group_id: int, called: str) -> tuple[str, list[object]]:
    """Whoever is in the group and so called, and the statement's values.

    Each name is looked up by itself: joined, PostgreSQL would search the names of all members
    there are, and then take those of the group.
    """
    named = (
        "SELECT n.member_id, n.role, n.joined_at FROM (SELECT s.member_id, s.role, s.joined_at, "
        "(SELECT m.name FROM members m WHERE m.id = s.member_id) AS name "
        "FROM memberships s WHERE s.group_id = $1) n"
    )
    if not called:
        return named, [group_id]
    text = called if connection.dialect == "sqlite" else called.lower()
    return f"{named} WHERE {_FOUND[connection.dialect]} > 0", [group_id, text]
