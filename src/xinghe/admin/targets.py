"""What a call is about, and how its caller stands to that.

Each function is an operation's `about`. What the caller stands in no relation to is not there for
him: the same 404 is said of what is not there at all.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from xinghe.accounts import (
    AccountError,
    group_tables,
    invitations,
    rights,
    tables,
    wallets,
)
from xinghe.accounts import budget_tables as budgets
from xinghe.accounts.rights import GroupPlace, Relation, Relations
from xinghe.accounts.rules import check_member_reference
from xinghe.admin.operation import Call
from xinghe.api.errors import SHOWN, ApiError, Errors, shown
from xinghe.sales import codes, orders, packages
from xinghe.storage import Connection

T = TypeVar("T")
_NUMBER = re.compile("[1-9][0-9]{0,14}")
Found = tuple[Any, Relations]


async def service(call: Call[Any]) -> None:
    """The whole service."""
    call.relations = rights.to_nothing(call.exchange.principal)


async def member(call: Call[Any]) -> None:
    await _find(call, "member", call.path["member"], _member)


async def token(call: Call[Any]) -> None:
    """A token is about whose it is."""
    await _find(call, "token", call.path["token"], _token)


async def group(call: Call[Any]) -> None:
    await _find(call, "group", call.path["group"], _group)


async def membership(call: Call[Any]) -> None:
    """A member's place in a group."""

    def find(connection: Connection, call: Call[Any], name: str) -> Found:
        found = group_named(connection, call.path["group"])
        who = tables.member(connection, check_member_reference(name))
        place = group_tables.membership(connection, found, who)
        relations = rights.to_membership(
            call.exchange.principal, GroupPlace(found.id, found.parent_id), who.id, place.role
        )
        return place, relations

    await _find(call, "member of the group", call.path["member"], find)


async def invitation(call: Call[Any]) -> None:
    """An invitation is about the group that it invites to."""

    def find(connection: Connection, call: Call[Any], name: str) -> Found:
        found = invitations.find(connection, _number(name))
        return found, _to_group(connection, call, found.group_id)

    await _find(call, "invitation", call.path["invitation"], find)


async def wallet(call: Call[Any]) -> None:
    await _find(call, "wallet", call.path["wallet"], _wallet)


async def batch(call: Call[Any]) -> None:
    """A batch of redeem codes is about the whole service."""

    def find(connection: Connection, call: Call[Any], name: str) -> Found:
        found = codes.batch(connection, _number(name))
        return found, rights.to_nothing(call.exchange.principal)

    await _find(call, "batch of codes", call.path["batch"], find)


async def offered(call: Call[Any]) -> None:
    """All packages: everybody sees those that he may buy."""
    call.relations = rights.to_nothing(call.exchange.principal) | {Relation.BUYER}


async def package(call: Call[Any]) -> None:
    def find(connection: Connection, call: Call[Any], name: str) -> Found:
        found = packages.package(connection, _number(name))
        caller = call.exchange.principal
        relations = rights.to_nothing(caller)
        if packages.offered(connection, found.id, caller.member_id):
            relations |= {Relation.BUYER}
        return found, relations

    await _find(call, "package", call.path["package"], find)


async def order(call: Call[Any]) -> None:
    """An order is about the wallet that it is for."""

    def find(connection: Connection, call: Call[Any], name: str) -> Found:
        found = orders.numbered(connection, name)
        _, relations = _wallet(connection, call, str(found.wallet_id))
        if found.member_id == call.exchange.principal.member_id:
            relations |= {Relation.BUYER}
        return found, relations

    await _find(call, "order", call.path["order"], find)


async def budget(call: Call[Any]) -> None:
    def find(connection: Connection, call: Call[Any], name: str) -> Found:
        state = budgets.state(connection, _number(name))
        return state, _to_counted(connection, call, state)

    await _find(call, "budget", call.path["budget"], find)


async def given_group(call: Call[Any]) -> None:
    """The group that the body or the query names, else the whole service."""
    if call.given.group is None:
        await service(call)
    else:
        await _find(call, "group", str(call.given.group), _group, "group")


async def given_parent(call: Call[Any]) -> None:
    """The organisation that the body or the query names, else the whole service."""
    if call.given.parent is None:
        await service(call)
    else:
        await _find(call, "group", str(call.given.parent), _group, "parent")


async def listed_groups(call: Call[Any]) -> None:
    """The organisation that the query names; else all groups, or those that the caller is in."""
    if call.given.parent is not None or call.exchange.principal.operator:
        await given_parent(call)
    elif call.exchange.principal.roles:
        call.relations = frozenset({Relation.MEMBER})


async def given_subject(call: Call[Any]) -> None:
    """Whose a budget is by the body or the query; the whole service's without a name."""
    finders = {"member": _member, "group": _group, "token": _token}
    named = [each for each in finders if getattr(call.given, each) is not None]
    if len(named) > 1:
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"{named[1]} is given beside {named[0]}, allowed: one of them",
            param=named[1],
        )
    if named:
        name = str(getattr(call.given, named[0]))
        await _find(call, named[0], name, finders[named[0]], named[0])
    else:
        await service(call)


async def _find(
    call: Call[Any],
    kind: str,
    name: str,
    find: Callable[[Connection, Call[Any], str], Found],
    param: str | None = None,
) -> None:
    """Raises `ApiError` (404)."""
    try:
        target, relations = await call.services.database.read(lambda c: find(c, call, name))
    except AccountError:
        target, relations = None, frozenset()
    if not relations:
        raise ApiError(
            Errors.NO_SUCH_OBJECT, f"there is no {kind} {shown(name[: SHOWN + 1])}", param=param
        )
    call.target, call.relations = target, relations


def _member(connection: Connection, call: Call[Any], name: str) -> Found:
    found = tables.member(connection, check_member_reference(name))
    return found, _to_member(connection, call, found.id)


def _token(connection: Connection, call: Call[Any], name: str) -> Found:
    found = tables.token(connection, name)
    place = group_tables.member_place(connection, found.member_id)
    return found, rights.to_token(call.exchange.principal, place)


def _group(connection: Connection, call: Call[Any], name: str) -> Found:
    found = group_named(connection, name)
    return found, _to_group(connection, call, found.id)


def _wallet(connection: Connection, call: Call[Any], name: str) -> Found:
    found = wallets.wallet(connection, _number(name))
    caller = call.exchange.principal
    if found.group_id is not None and not found.group_deleted:
        relations = _to_group(connection, call, found.group_id) - {Relation.MEMBER}
    elif found.member_id is not None:
        relations = rights.to_own_wallet(caller, found.member_id)
    else:
        relations = rights.to_nothing(caller)
    return found, relations


def group_named(connection: Connection, name: str) -> group_tables.Group:
    """The group of an id, or of a name that is no number. Raises `AccountError`."""
    if name.isascii() and name.isdigit():
        return group_tables.group(connection, _number(name))
    return group_tables.group(connection, check_member_reference(name))


def _to_group(connection: Connection, call: Call[Any], group_id: int) -> Relations:
    found = group_tables.group(connection, group_id)
    return rights.to_group(call.exchange.principal, GroupPlace(found.id, found.parent_id))


def _to_member(connection: Connection, call: Call[Any], member_id: int) -> Relations:
    place = group_tables.member_place(connection, member_id)
    return rights.to_member(call.exchange.principal, place)


def _to_counted(connection: Connection, call: Call[Any], state: budgets.BudgetState) -> Relations:
    """To those whose requests a budget counts."""
    if state.group_id is not None:
        return _to_group(connection, call, state.group_id) - {Relation.MEMBER}
    if state.token_id is not None:
        _, relations = _token(connection, call, str(state.token_id))
        made = state.created_by == call.exchange.principal.member_id
        return relations if made else relations - {Relation.HOLDER}
    if state.member_id is not None:
        return _to_member(connection, call, state.member_id)
    return rights.to_nothing(call.exchange.principal)


def _number(name: str) -> int:
    """Raises `AccountError`."""
    if not _NUMBER.fullmatch(name):
        raise AccountError(f"{name[:SHOWN]!r} is no number")
    return int(name)
