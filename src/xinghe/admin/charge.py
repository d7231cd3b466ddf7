"""What is done with people of a group: budgets of several at once, and a move to another."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.accounts import AccountError, budget_tables, group_tables, tables
from xinghe.accounts.audit import alone
from xinghe.accounts.budget_tables import BudgetState, NewBudget
from xinghe.accounts.groups import move as move_member
from xinghe.accounts.rights import MANAGERS, GroupPlace, may, to_group, to_member
from xinghe.accounts.rules import check_member_reference
from xinghe.admin.budgets import BudgetView, Most, view
from xinghe.admin.groups import MembershipView, place_view
from xinghe.admin.operation import Call
from xinghe.admin.shapes import Body, Number, Reference, micro
from xinghe.api.errors import ApiError, Errors, shown
from xinghe.api.query import Zone, zone_of
from xinghe.ledger import Window
from xinghe.ledger.windows import Period
from xinghe.storage import Connection

AT_ONCE = 200


class NewBudgets(Body, kw_only=True):
    """How many Tokens each of the members may spend in each window `per`, of the calendar of a
    `zone`. It takes the place of the budget that he has of such windows; null ends that.
    """

    members: Annotated[list[Reference], Meta(min_length=1, max_length=AT_ONCE)]
    amount: Most | None
    per: Period = "month"
    zone: Zone = "UTC"


class BudgetsSet(msgspec.Struct):
    """The budgets that there are now, one of each member; none if they were ended."""

    object: Literal["list"]
    data: list[BudgetView]


class Move(Body):
    """The group that he moves to."""

    group: Number


async def limit(call: Call[NewBudgets]) -> BudgetsSet:
    """All of them, or none."""
    body = call.given
    zone_of(body.zone)
    amount = None if body.amount is None else micro(body.amount)
    group_id = call.target.id

    def operation(connection: Connection) -> BudgetsSet:
        alone(connection)  # two managers at once would each make one of his
        group = group_tables.group(connection, group_id)
        ids = [_member(connection, call, group, name) for name in dict.fromkeys(body.members)]
        made = [_set(connection, call, each, amount) for each in dict.fromkeys(ids)]
        states = [budget_tables.state(connection, each) for each in made if each is not None]
        return BudgetsSet("list", [view(each) for each in states])

    return await call.transaction(keep=lambda done: done).write(operation)


async def move(call: Call[Move]) -> MembershipView:
    """Into another group that the caller manages, too."""
    place, to = call.target, call.given.group

    def operation(connection: Connection) -> MembershipView:
        try:
            group = group_tables.group(connection, to)
            relations = to_group(call.exchange.principal, GroupPlace(group.id, group.parent_id))
        except AccountError:
            relations = frozenset()
        if not relations & MANAGERS:
            raise ApiError(Errors.NO_SUCH_OBJECT, f"there is no group '{to}'", param="group")
        moved = move_member(connection, call.actor, place.group_id, to, place.appid)
        return place_view(moved)

    return await call.transaction().write(operation)


def _member(
    connection: Connection, call: Call[NewBudgets], group: group_tables.Group, name: str
) -> int:
    """Somebody of the group, whose budgets the caller may set. Raises `ApiError`."""
    try:
        who = tables.member(connection, check_member_reference(name))
        group_tables.membership(connection, group, who)
    except AccountError:
        raise ApiError(
            Errors.NO_SUCH_OBJECT, f"there is no member of the group {shown(name)}", param="members"
        ) from None
    relations = to_member(call.exchange.principal, group_tables.member_place(connection, who.id))
    if not may(relations, "budgets.create"):
        raise ApiError(
            Errors.NOT_PERMITTED,
            f"the budgets of {who.name!r} may not be set by this member: he has Tokens of his "
            "own, manages, or is in groups of others",
            param="members",
        )
    return who.id


def _set(
    connection: Connection, call: Call[NewBudgets], member: int, amount: int | None
) -> int | None:
    """Make, change or end the budget of a member; its id. Raises `AccountError`."""
    body = call.given
    condition = "b.member_id = $1 AND b.unit = 'tokens' AND b.model IS NULL AND b.per = $2"
    found = [
        each
        for each in budget_tables.states(connection, condition, member, body.per)
        if not each.window.rolling
    ]
    kept = None
    if amount is not None:
        kept = next((each for each in found if _same(each, body)), None)
        if kept is not None and kept.amount != amount:
            budget_tables.amend(connection, call.actor, kept.id, amount)
    for each in found:
        if kept is None or each.id != kept.id:
            budget_tables.end(connection, call.actor, each.id)
    if amount is None:
        return None
    if kept is not None:
        return kept.id
    maker = call.exchange.principal.member_id
    window = Window(body.per, zone=body.zone)
    new = NewBudget("tokens", amount, window, member_id=member, created_by=maker)
    return budget_tables.create(connection, call.actor, new)


def _same(state: BudgetState, body: NewBudgets) -> bool:
    return state.window.zone == body.zone or body.per == "total"
