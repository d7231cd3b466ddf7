"""What is known of groups: who is in each, and which wallets pay for a member.

Each statement is part of the caller's transaction.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import msgspec

from xinghe.accounts import tables
from xinghe.accounts.rights import GroupPlace, MemberPlace, Role
from xinghe.accounts.rules import AccountError
from xinghe.accounts.tables import Member
from xinghe.storage import Allowance, Connection, among, now

Pays = Literal["own", "group", "group,own", "own,group"]
"""Whose wallet pays for a member who joins: his own, the group's, or both in this order."""
PAYS: tuple[Pays, ...] = get_args(Pays)
ROWS = 500
"""That one of many transactions deletes."""

_GROUPS = (
    "SELECT g.id, g.name, g.parent_id, p.name, g.wallet_id, g.models, w.available, w.held, "
    "g.created_at FROM groups g JOIN wallets w ON w.id = g.wallet_id "
    "LEFT JOIN groups p ON p.id = g.parent_id WHERE g.deleted_at IS NULL AND "
)
_PLACES = (
    "SELECT g.id, g.name, g.parent_id, m.id, m.appid, m.name, s.role, s.joined_at, m.disabled_at "
    "FROM memberships s JOIN members m ON m.id = +s.member_id "  # else SQLite begins with members
    "JOIN groups g ON g.id = s.group_id WHERE g.deleted_at IS NULL AND "
)


class Group(msgspec.Struct, frozen=True):
    """A group, its organisation and its wallet; `models` None allows every model.

    Amounts in micro-Tokens, times in microseconds UTC.
    """

    id: int
    name: str
    parent_id: int | None
    parent: str | None
    wallet_id: int
    models: list[str] | None
    available: int
    held: int
    created_at: int

    @property
    def subject(self) -> str:
        """What the audit log calls it."""
        return f"group-{self.id}"


class Membership(msgspec.Struct, frozen=True):
    """A member's place in a group; times in microseconds UTC."""

    group_id: int
    group: str
    parent_id: int | None
    member_id: int
    appid: str
    member: str
    role: Role
    joined_at: int
    disabled_at: int | None


class Source(msgspec.Struct, frozen=True):
    """A wallet that pays for a member; `group` None: his own. `available` in micro-Tokens."""

    wallet_id: int
    group: str | None
    available: int


def group(connection: Connection, name: str | int) -> Group:
    """The group of a name or an id. Raises `AccountError`."""
    column = "id" if isinstance(name, int) else "name"
    row = connection.row(f"{_GROUPS}g.{column} = $1", name)
    if row is None:
        raise AccountError(f"there is no group {name!r}")
    return _group(row)


def names(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    """What groups are called, those that were deleted as well."""
    of_them, numbers = among(connection, "id", "$1", ids)
    return dict(connection.rows(f"SELECT id, name FROM groups WHERE {of_them}", numbers))  # noqa: S608


def locked_group(connection: Connection, name: str | int) -> Group:
    """The same, which nobody else changes before the transaction ends."""
    connection.lock([group(connection, name).wallet_id])
    return group(connection, name)


def locked_both(connection: Connection, name: str | int, member: str) -> tuple[Group, Member]:
    """A group and a member, both of whom nobody else changes before the transaction ends."""
    wallet = group(connection, name).wallet_id
    connection.lock([wallet, tables.member(connection, member).id])
    return group(connection, name), tables.member(connection, member)


def groups(connection: Connection, parent_id: int | None, after: int, limit: int) -> list[Group]:
    """The groups of an organisation, or all, behind an id."""
    where, *values = (
        ["", after] if parent_id is None else ["g.parent_id = $1 AND ", parent_id, after]
    )
    place = len(values)
    rows = connection.rows(
        f"{_GROUPS}{where}g.id > ${place} ORDER BY g.id LIMIT ${place + 1}", *values, limit
    )
    return [_group(row) for row in rows]


def insert_group(
    connection: Connection, name: str, parent_id: int | None, models: list[str] | None
) -> Group:
    """A new group with an empty wallet. Raises `AccountError` if the name is taken."""
    at = now()
    check_free(connection, name)
    made = connection.value(
        "INSERT INTO groups (name, parent_id, wallet_id, models, created_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING "
        "RETURNING id",
        name,
        parent_id,
        tables.insert_wallet(connection, at),
        stored(models),
        at,
    )
    if made is None:  # by another transaction, just now
        raise _taken(name)
    return group(connection, made)


def check_free(connection: Connection, name: str) -> None:
    """Raises `AccountError` if a group has the name."""
    if connection.row("SELECT 1 FROM groups WHERE name = $1 AND deleted_at IS NULL", name):
        raise _taken(name)


def members(connection: Connection, group_id: int, after: int, limit: int) -> list[Membership]:
    """Who is in a group, behind an id of a member."""
    rows = connection.rows(
        f"{_PLACES}s.group_id = $1 AND s.member_id > $2 ORDER BY s.member_id LIMIT $3",
        group_id,
        after,
        limit,
    )
    return [Membership(*row) for row in rows]


def of_member(connection: Connection, member_id: int) -> list[Membership]:
    """Every group that a member is in."""
    rows = connection.rows(f"{_PLACES}s.member_id = $1 ORDER BY s.group_id", member_id)
    return [Membership(*row) for row in rows]


def membership(connection: Connection, group: Group, member: Member) -> Membership:
    """Raises `AccountError` if the member is not in the group."""
    row = connection.row(f"{_PLACES}s.group_id = $1 AND s.member_id = $2", group.id, member.id)
    if row is None:
        raise AccountError(f"{member.name!r} is not in the group {group.name!r}")
    return Membership(*row)


def join(connection: Connection, group: Group, member: Member, role: Role, pays: Pays) -> None:
    """Put a member into a group, whose wallet pays for him as `pays` says.

    Wallets of other groups that paid before stay behind it. Raises `AccountError` if he is in it.
    """
    # Before he is in it: a row that is left of the group must not pay again by itself.
    before = [source.wallet_id for source in sources(connection, member.id)]
    joined = connection.run(
        "INSERT INTO memberships (group_id, member_id, role, joined_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (group_id, member_id) DO NOTHING",
        group.id,
        member.id,
        role,
        now(),
    )
    if not joined:
        raise AccountError(f"{member.name!r} is in the group {group.name!r} already")
    others = [wallet for wallet in before if wallet not in {member.id, group.wallet_id}]
    after = {
        "own": before,
        "group": [group.wallet_id, *others],
        "group,own": [group.wallet_id, *others, member.id],
        "own,group": [member.id, *others, group.wallet_id],
    }
    pay_by(connection, member.id, after[pays])


def set_role(connection: Connection, group_id: int, member_id: int, role: Role) -> None:
    """Give a member of a group another role in it."""
    connection.run(
        "UPDATE memberships SET role = $1 WHERE group_id = $2 AND member_id = $3",
        role,
        group_id,
        member_id,
    )


def leave(connection: Connection, group_id: int, member_id: int) -> None:
    """Take a member out of a group, and out of those that belong to it.

    What pays for him after it is his own wallet, and those of groups that he is in still.
    """
    connection.run(
        "DELETE FROM memberships WHERE member_id = $1 AND group_id IN "
        "(SELECT id FROM groups WHERE id = $2 OR parent_id = $2)",
        member_id,
        group_id,
    )
    pay_by(connection, member_id, [each.wallet_id for each in sources(connection, member_id)])


def leaves_no_owner(connection: Connection, group_id: int, member_id: int) -> bool:
    """Whether others would be left in a group, none of them its owner."""
    others = "SELECT 1 FROM memberships WHERE group_id = $1 AND member_id != $2"
    return bool(connection.row(f"{others} LIMIT 1", group_id, member_id)) and not connection.row(
        f"{others} AND role = 'owner' LIMIT 1", group_id, member_id
    )


def clear(connection: Connection, _: Allowance, gone: Group) -> tuple[Group, bool]:
    """A step of forgetting who was in a deleted group, and for whom it paid."""
    left = 0
    for table, column, value in (
        ("memberships", "group_id", gone.id),
        ("payment_order", "wallet_id", gone.wallet_id),
    ):
        left += connection.run(
            f"DELETE FROM {table} WHERE {column} = $1 AND member_id IN "  # noqa: S608
            f"(SELECT member_id FROM {table} WHERE {column} = $1 LIMIT {ROWS})",
            value,
        )
    return gone, not left


def sources(connection: Connection, member_id: int) -> list[Source]:
    """Which wallets pay for a member, in order: the first that covers a request.

    A row that is left of a group that he is in no more says nothing.
    """
    rows = connection.rows(
        "SELECT o.wallet_id, w.available FROM payment_order o JOIN wallets w ON w.id = o.wallet_id "
        "WHERE o.member_id = $1 ORDER BY o.position",
        member_id,
    )
    names = {member_id: None, **(payable(connection, member_id) if rows else {})}
    found = [Source(wallet, names[wallet], left) for wallet, left in rows if wallet in names]
    if found:
        return found
    left = connection.value("SELECT available FROM wallets WHERE id = $1", member_id)
    return [Source(member_id, None, left)]


def pay_by(connection: Connection, member_id: int, wallets: Sequence[int]) -> None:
    """Set which wallets pay for a member; none: his own."""
    connection.run("DELETE FROM payment_order WHERE member_id = $1", member_id)
    if list(wallets) not in ([], [member_id]):
        connection.run_many(
            "INSERT INTO payment_order (member_id, position, wallet_id) VALUES ($1, $2, $3)",
            [(member_id, position, wallet) for position, wallet in enumerate(wallets)],
        )


def usable_wallet(connection: Connection, member: Member, name: str) -> int:
    """The wallet of a group that a member is in, or of its organisation. Raises `AccountError`."""
    for wallet, found in payable(connection, member.id).items():
        if found == name:
            return wallet
    raise AccountError(f"the group {name!r} cannot pay for {member.name!r}, who is not in it")


def member_place(connection: Connection, member_id: int) -> MemberPlace:
    """What the rights of others over a member depend on."""
    row = connection.row(
        "SELECT m.operator, w.available + w.held FROM members m JOIN wallets w ON w.id = m.id "
        "WHERE m.id = $1",
        member_id,
    )
    operator, balance = row or (0, 0)
    pays = any(source.wallet_id == member_id for source in sources(connection, member_id))
    places = of_member(connection, member_id)
    return MemberPlace(
        member_id=member_id,
        operator=bool(operator),
        has_tokens=pays or balance > 0,
        groups=tuple((GroupPlace(each.group_id, each.parent_id), each.role) for each in places),
    )


def stored(models: list[str] | None) -> str | None:
    """An allow-list as its column has it."""
    return None if models is None else msgspec.json.encode(models).decode()


def _taken(name: str) -> AccountError:
    return AccountError(f"there is a group {name!r} already")


def payable(connection: Connection, member_id: int) -> dict[int, str]:
    """The wallets of a member's groups and of their organisations, with the groups' names."""
    # As a join, PostgreSQL pairs all groups with all others where it has no statistics of them yet.
    rows = connection.rows(
        "WITH own AS (SELECT g.id, g.parent_id FROM memberships s "
        "JOIN groups g ON g.id = s.group_id WHERE s.member_id = $1 AND g.deleted_at IS NULL) "
        "SELECT wallet_id, name FROM groups WHERE deleted_at IS NULL "
        "AND id IN (SELECT id FROM own UNION SELECT parent_id FROM own)",
        member_id,
    )
    return dict(rows)


def _group(row: tuple[Any, ...]) -> Group:
    group_id, name, parent_id, parent, wallet_id, models, *rest = row
    allowed = None if models is None else msgspec.json.decode(models)
    return Group(group_id, name, parent_id, parent, wallet_id, allowed, *rest)
