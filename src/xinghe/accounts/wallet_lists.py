"""All wallets as a list: by the names of whose they are, or by what they hold.

Each statement is part of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from xinghe.storage import Connection, among

Order: TypeAlias = Literal["name", "most", "least"]

_COLUMNS = (
    "w.id, w.available, w.held, w.created_at, m.appid, g.id, coalesce(m.name, g.name), "
    "coalesce(m.deleted_at, g.deleted_at)"
)
_OWNERS = "LEFT JOIN members m ON m.id = w.id LEFT JOIN groups g ON g.wallet_id = w.id"

MOST = 5000
"""Of those that are searched by name, how many can be put in another order."""


class TooMany(Exception):
    """More than `MOST` are called so."""


class Listed(msgspec.Struct, frozen=True):
    """A wallet and whose it is; amounts in micro-Tokens, times in microseconds UTC."""

    id: int
    available: int
    held: int
    created_at: int
    appid: str | None
    group_id: int | None
    name: str | None
    closed_at: int | None
    """When whose it was has been deleted."""


def listed(
    connection: Connection, order: Order, called: str, after: int, limit: int
) -> list[Listed]:
    """Wallets behind the one of an id: of all whose names begin so.

    By name there are those alone whose owner still has one. Raises `TooMany`.
    """
    if order == "name":
        return _by_name(connection, called, after, limit)
    if called:
        return _of_some(connection, order, called, after, limit)
    return _by_balance(connection, order, after, limit)


def _by_name(connection: Connection, called: str, after: int, limit: int) -> list[Listed]:
    """Members and groups have names of their own: of one name, the member comes first."""
    last = _of(connection, [after])
    behind = last[0].name or "" if last else ""
    of_a_member = bool(last) and last[0].appid is not None
    found = _named(connection, called, behind, limit, with_group=of_a_member)
    return _of(connection, [number for _, _, number in found[:limit]])


def _by_balance(connection: Connection, order: Order, after: int, limit: int) -> list[Listed]:
    """No index holds balances, which change with every request: all are looked at.

    Of equal ones the older comes first: most have what they began with, and to keep the first of
    them takes no sorting.
    """
    rank = "-(available + held)" if order == "most" else "available + held"
    behind = f"WHERE ({rank}, id) > (coalesce((SELECT {rank} FROM wallets WHERE id = $1), 0), $1) "  # noqa: S608
    rows = connection.rows(
        f"SELECT id FROM wallets {behind if after else ''}ORDER BY {rank}, id LIMIT {limit:d}",  # noqa: S608
        *([after] if after else []),
    )
    return _of(connection, [number for (number,) in rows])


def _of_some(
    connection: Connection, order: Order, called: str, after: int, limit: int
) -> list[Listed]:
    """The same of those whose names begin so."""
    named = _named(connection, called, "", MOST + 1)
    if len(named) > MOST:
        raise TooMany
    sign = -1 if order == "most" else 1

    def rank(found: Listed) -> tuple[int, int]:
        return sign * (found.available + found.held), found.id

    found = sorted(_of(connection, [number for _, _, number in named]), key=rank)
    for last in _of(connection, [after]):
        found = [each for each in found if rank(each) > rank(last)]
    return found[:limit]


def _named(
    connection: Connection, called: str, behind: str, limit: int, *, with_group: bool = False
) -> list[tuple[str, int, int]]:
    """The names that begin so, behind another, each with 1 for a group's and its wallet.

    `with_group`: a group of that other name is not behind it yet.
    """
    found = []
    for kind, (wallet, table) in enumerate((("id", "members"), ("wallet_id", "groups"))):
        sign = ">=" if called > behind or (kind and with_group) else ">"
        rows = connection.rows(
            f"SELECT name, {wallet} FROM {table} WHERE name {sign} $1 AND name < $2 "  # noqa: S608
            "AND deleted_at IS NULL ORDER BY name LIMIT $3",
            max(called, behind),
            called + chr(0x10FFFF),  # behind whatever else may follow
            limit,
        )
        found += [(name, kind, number) for name, number in rows]
    return sorted(found)


def _of(connection: Connection, ids: Sequence[int]) -> list[Listed]:
    """Those of the ids, in their order."""
    some, numbers = among(connection, "w.id", "$1", ids)
    rows = connection.rows(
        f"SELECT {_COLUMNS} FROM wallets w {_OWNERS} WHERE {some}",  # noqa: S608
        numbers,
    )
    found = {row[0]: Listed(*row) for row in rows}
    return [found[each] for each in ids if each in found]
