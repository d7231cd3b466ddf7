"""The people of a group: what each has spent, and has left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from xinghe.accounts import budget_tables, group_tables, people
from xinghe.accounts.budget_tables import BudgetState
from xinghe.accounts.people import Person
from xinghe.accounts.rights import MemberPlace, Role, may, to_member
from xinghe.admin.budgets import BudgetView, view
from xinghe.admin.operation import Call
from xinghe.admin.shapes import (
    Listing,
    Paging,
    Tokens,
    Told,
    told,
    told_or_never,
)
from xinghe.api.errors import refuse
from xinghe.api.query import Zone, zone_of
from xinghe.core import tokens as as_tokens
from xinghe.ledger import Window
from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection, among, now
from xinghe.usage.spent import Spent, spent

MOST = 5000
"""People of a group who can be put in another order than that of their names."""

Order: TypeAlias = Literal["name", "month", "today", "last"]


class PersonView(msgspec.Struct, kw_only=True):
    """Somebody in a group, and what the group's wallets (of an organisation, also those of its
    groups) have paid for him in the running month and today.

    `in_charge`: the caller may disable him and set his budgets. `budgets` are his own, of all that
    he asks. `last_request_at` is when the group last paid for him.
    """

    object: Literal["person"] = "person"
    member: str
    name: str
    role: Role
    disabled: bool
    in_charge: bool
    joined_at: Told
    month: Tokens
    today: Tokens
    requests: int
    last_request_at: Told | None
    budgets: list[BudgetView]


class PersonList(Listing):
    """`total` are all that were looked for. `available` is what the group's own wallet has."""

    total: int
    available: Tokens
    data: list[PersonView]


class PersonQuery(Paging):
    """Those whose names hold `name`, in upper or lower case. By `name`; else those come first who
    have spent the most this `month` or `today`, or who have asked `last`.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    order: Order = "name"
    zone: Zone = "UTC"


class PersonZone(msgspec.Struct, kw_only=True):
    """Whose month and day it is."""

    zone: Zone = "UTC"


class _Looked(msgspec.Struct):
    """What is known of the people of a page."""

    found: list[Person]
    total: int
    month: dict[int, Spent]
    today: dict[int, Spent]
    last: dict[int, int]


async def list_(call: Call[PersonQuery]) -> PersonList:
    given = call.given
    zone_of(given.zone)

    def operation(connection: Connection) -> PersonList:
        group = group_tables.group(connection, call.target.id)
        looked = _looked(connection, given, group)
        rows = looked.found[: given.limit]
        if given.order != "last":
            ids = [each.member_id for each in rows]
            looked.last = people.last_requests(connection, wallets_of(connection, group), ids)
        data = _views(connection, call, looked, rows)
        more = given.behind + len(rows) < looked.total
        return PersonList(
            total=looked.total,
            available=as_tokens(group.available),
            data=data,
            has_more=more,
            next=str(given.behind + len(rows)) if more else None,
        )

    return await call.services.database.read(operation)


async def get(call: Call[PersonZone]) -> PersonView:
    place, zone = call.target, call.given.zone
    zone_of(zone)

    def operation(connection: Connection) -> PersonView:
        group = group_tables.group(connection, place.group_id)
        found = Person(
            place.member_id,
            place.appid,
            place.member,
            place.role,
            place.joined_at,
            place.disabled_at,
        )
        wallets = wallets_of(connection, group)
        last = people.last_requests(connection, wallets, [found.member_id])
        looked = _Looked([found], 1, *_spent(connection, wallets, zone), last)
        (view,) = _views(connection, call, looked, [found])
        return view

    return await call.services.database.read(operation)


def _looked(connection: Connection, given: PersonQuery, group: group_tables.Group) -> _Looked:
    """The people of the page, or more. Raises `ApiError`."""
    called = given.name or ""
    total = people.count(connection, group.id, called)
    if given.order == "name":
        found = people.people(connection, group.id, called, given.limit, given.behind)
    elif total > MOST:
        raise refuse("order", given.order, f"name for more than {MOST} people")
    else:
        found = people.people(connection, group.id, called, MOST)
    wallets = wallets_of(connection, group)
    month, today = _spent(connection, wallets, given.zone)
    looked = _Looked(found, total, month, today, {})
    if given.order == "name":
        return looked
    keys: dict[int, int] = {}
    if given.order == "last":
        ids = [each.member_id for each in found]
        keys = looked.last = people.last_requests(connection, wallets, ids)
    else:
        sums = month if given.order == "month" else today
        keys = {member: each.spend for member, each in sums.items()}
    found.sort(key=lambda each: -keys.get(each.member_id, 0))  # of equals, by name
    looked.found = found[given.behind :]
    return looked


def wallets_of(connection: Connection, group: group_tables.Group) -> tuple[int, ...]:
    """The group's own, and those of its groups."""
    below = connection.rows(
        "SELECT wallet_id FROM groups WHERE parent_id = $1 ORDER BY id", group.id
    )
    return (group.wallet_id, *(wallet for (wallet,) in below))


def _spent(
    connection: Connection, wallets: tuple[int, ...], zone: str
) -> tuple[dict[int, Spent], dict[int, Spent]]:
    """In the running month, and today."""
    at = now()
    since = [Window("month", zone=zone).first(at), Window("day", zone=zone).first(at)]
    month, today = (spent(connection, wallets, each, at - at % HOUR + HOUR) for each in since)
    return month, today


def _views(
    connection: Connection, call: Call[Any], looked: _Looked, rows: Sequence[Person]
) -> list[PersonView]:
    ids = [each.member_id for each in rows]
    budgets, places = _budgets(connection, ids), people.places(connection, ids)
    return [
        _view(
            each,
            looked,
            budgets.get(each.member_id, ()),
            in_charge=_in_charge(call, places[each.member_id]),
        )
        for each in rows
    ]


def _view(
    found: Person, looked: _Looked, budgets: Sequence[BudgetState], *, in_charge: bool
) -> PersonView:
    month = looked.month.get(found.member_id, Spent())
    today = looked.today.get(found.member_id, Spent())
    return PersonView(
        member=found.appid,
        name=found.name,
        role=found.role,
        disabled=found.disabled_at is not None,
        in_charge=in_charge,
        joined_at=told(found.joined_at),
        month=as_tokens(month.spend),
        today=as_tokens(today.spend),
        requests=month.requests,
        last_request_at=told_or_never(looked.last.get(found.member_id)),
        budgets=[view(each) for each in budgets],
    )


def _in_charge(call: Call[Any], place: MemberPlace) -> bool:
    return may(to_member(call.exchange.principal, place), "members.change", ["disabled"])


def _budgets(connection: Connection, members: Collection[int]) -> dict[int, list[BudgetState]]:
    some, ids = among(connection, "b.member_id", "$1", members)
    found: dict[int, list[BudgetState]] = {}
    for state in budget_tables.states(connection, some, ids):
        assert state.member_id is not None
        found.setdefault(state.member_id, []).append(state)
    return found
