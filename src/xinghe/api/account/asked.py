"""Whom a question is about, and when: what parameters mean for the one who asks."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

import msgspec

from xinghe.accounts import Principal
from xinghe.api.account.questions import Filtered
from xinghe.api.errors import ApiError, Errors, refuse, shown
from xinghe.api.query import moment, zone_of
from xinghe.storage import Connection
from xinghe.usage.scope import Scope
from xinghe.usage.series import Dimension

MANAGING = ("owner", "manager")
TOGETHER = 50
"""Names that are looked up at once."""

T = TypeVar("T")


class About(msgspec.Struct, frozen=True):
    """The `scope` of a question; `manages`: it is about a group (`group` is its name), else about
    one member. `paying` are the wallets that pay for the running requests.
    """

    scope: Scope
    paying: tuple[int, ...]
    member: int | None = None
    group: str | None = None
    group_id: int | None = None


class Narrowed(msgspec.Struct, frozen=True):
    """The member and the token that a question is narrowed to, by their ids."""

    member: int | None = None
    token: int | None = None


def about(
    connection: Connection, principal: Principal, group: str | None, member: str | None = None
) -> tuple[About, int | None]:
    """Whom it is about, and which member of a group alone. Raises `ApiError`.

    An operator may ask about everybody, if his token is for that.
    """
    everything = principal.operator and "admin" in principal.scopes
    asked = None if member is None else _member(connection, member)
    if group is None:
        if member is None or asked == principal.member_id:
            mine = principal.member_id
            return About(Scope(member=mine), principal.wallets, mine), None
        if asked is None or not everything:
            raise _denied(f"the token is not that of the member {shown(member)}")
        return About(Scope(member=asked), _paying(connection, asked), asked), None
    # The name of a deleted group may be another's now.
    row = connection.row(
        "SELECT id, parent_id, wallet_id FROM groups WHERE name = $1 "
        "ORDER BY deleted_at IS NULL DESC, id DESC LIMIT 1",
        group,
    )
    if row is None or not (everything or _manages(principal, row[0], row[1])):
        raise _denied(f"the token is of no owner or manager of a group {shown(group)}")
    below = connection.rows("SELECT wallet_id FROM groups WHERE parent_id = $1 ORDER BY id", row[0])
    wallets = (row[2], *(wallet for (wallet,) in below))
    if member is not None and asked is None:
        raise refuse("member", member, "the name or appid of a member")
    return About(Scope(wallets=wallets), wallets, group=group, group_id=row[0]), asked


def narrowed(
    connection: Connection, principal: Principal, query: Filtered
) -> tuple[About, Narrowed]:
    """Raises `ApiError`."""
    found, member = about(connection, principal, query.group, query.member)
    if query.token is None:
        return found, Narrowed(member)
    row = connection.row("SELECT id, member_id FROM tokens WHERE public_id = $1", query.token)
    mine = found.member is None or (row is not None and row[1] == found.member)
    if row is None or not mine or member not in (None, row[1]):
        raise refuse("token", query.token, "the public id of a token, of whom is asked about")
    return found, Narrowed(row[1], row[0])


def period(query: Filtered, since: int, until: int) -> tuple[int, int]:
    """From when to when; where that is not said, the given moments. Raises `ApiError`."""
    zone = zone_of(query.zone)
    if query.since is not None:
        since = moment("from", query.since, zone)
    if query.until is not None:
        until = moment("to", query.until, zone, end=True)
    if until <= since:
        given = query.until if query.until is not None else query.since
        field = "to" if query.until is not None else "from"
        raise refuse(field, given, "a time such that from is before to")
    return since, until


def cursor(position: msgspec.Struct) -> str:
    """A place among all, as a client hands it back."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(position)).rstrip(b"=").decode()


def place(text: str | None, kind: type[T]) -> T | None:
    """What `cursor` made of it. Raises `ApiError`."""
    if text is None:
        return None
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.msgpack.decode(data, type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise refuse("after", text, "the `next` of the page before") from None


def names(
    connection: Connection, what: Dimension, ids: Iterable[int]
) -> dict[int, tuple[str, ...]]:
    """What members, tokens, and the groups of wallets are called: their public ids, then names."""
    found: dict[int, tuple[str, ...]] = {}
    wanted = iter(sorted(set(ids)))
    while some := list(islice(wanted, TOGETHER)):
        # Always as many, so that it is one statement for all.
        filled = some + some[-1:] * (TOGETHER - len(some))
        for each, *called in connection.rows(_NAMES[what], *filled):
            found[each] = tuple(called)
    return found


_IDS = ", ".join(f"${place}" for place in range(1, TOGETHER + 1))
_NAMES: dict[Dimension, str] = {
    "member": f"SELECT id, appid, name FROM members WHERE id IN ({_IDS})",  # noqa: S608
    "token": f"SELECT id, public_id, name FROM tokens WHERE id IN ({_IDS})",  # noqa: S608
    "group": f"SELECT wallet_id, name FROM groups WHERE wallet_id IN ({_IDS})",  # noqa: S608
}


def _member(connection: Connection, name: str) -> int | None:
    column = "appid" if name.startswith("app-") else "name"
    found: int | None = connection.value(f"SELECT id FROM members WHERE {column} = $1", name)  # noqa: S608
    return found


def _paying(connection: Connection, member: int) -> tuple[int, ...]:
    rows = connection.rows(
        "SELECT wallet_id FROM payment_order WHERE member_id = $1 ORDER BY position", member
    )
    return tuple(wallet for (wallet,) in rows) or (member,)


def _manages(principal: Principal, group: int, parent: int | None) -> bool:
    roles = principal.standing.roles
    return any(roles.get(each) in MANAGING for each in (group, parent) if each is not None)


def _denied(text: str) -> ApiError:
    return ApiError(Errors.NO_PARAMETER_PERMISSION, text)
