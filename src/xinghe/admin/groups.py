"""Groups, who is in each, and invitations into them."""

from typing import Any, Literal, cast

import msgspec
from msgspec import UNSET, UnsetType

from xinghe.accounts import group_tables
from xinghe.accounts.group_tables import Group, Membership, Pays
from xinghe.accounts.groups import Groups
from xinghe.accounts.rights import SHOWN, GroupPlace, Role, to_group
from xinghe.admin.operation import Call, initial
from xinghe.admin.shapes import (
    Amount,
    Body,
    Deleted,
    Listing,
    Models,
    Name,
    Number,
    Paging,
    Reference,
    Told,
    page,
    told,
)
from xinghe.admin.transaction import Together
from xinghe.storage import Database


class GroupView(msgspec.Struct, kw_only=True):
    """A group. Its `models` and its `wallet` are shown to its managers."""

    id: int
    object: Literal["group"] = "group"
    name: str
    parent: int | None
    models: list[str] | UnsetType | None = UNSET
    wallet: int | UnsetType = UNSET
    created_at: Told


class GroupList(Listing):
    data: list[GroupView]


class GroupQuery(Paging):
    """Those of one organisation; without `parent`, all, or those that the caller is in."""

    parent: Number | None = None


class NewGroup(Body):
    """A group, in an organisation if `parent` names one.

    Its wallet begins with `tokens`: if nothing is said, with the initial grant where an operator
    makes it, else with none.
    """

    name: Name
    parent: Number | None = None
    models: Models | None = None
    tokens: Amount | None = None


class GroupChange(Body):
    name: Name | UnsetType = UNSET
    models: Models | UnsetType | None = UNSET


class MembershipView(msgspec.Struct, kw_only=True):
    """A member's place in a group."""

    object: Literal["membership"] = "membership"
    group: int
    member: str
    name: str
    role: Role
    disabled: bool
    joined_at: Told


class MembershipList(Listing):
    data: list[MembershipView]


class NewMembership(Body):
    """`pays`: whose wallet pays for him; of two, the first that covers a request."""

    member: Reference
    role: Role = "member"
    pays: Pays = "group"


class MembershipChange(Body):
    role: Role


async def list_(call: Call[GroupQuery]) -> GroupList:
    given = call.given
    caller = call.exchange.principal
    if call.target is None and not caller.operator:
        found = await call.services.database.read(
            lambda c: [group_tables.group(c, each) for each in sorted(caller.roles)]
        )
        found = [each for each in found if each.id > given.behind]
    else:
        parent = None if call.target is None else call.target.id
        found = await Groups(call.services.database).page(
            parent=parent, after=given.behind, limit=given.limit + 1
        )
    return page(GroupList, found, given.limit, lambda each: _view(call, each), "id")


async def create(call: Call[NewGroup]) -> GroupView:
    body = call.given
    made = await _service(call).create(
        body.name, parent=body.parent, models=body.models, amount=initial(call, body.tokens)
    )
    return _view(call, made)


async def get(call: Call[None]) -> GroupView:
    group = call.target.id
    found = await call.tagged(call.target.subject, lambda c: group_tables.group(c, group))
    return _view(call, found)


async def change(call: Call[GroupChange]) -> GroupView:
    body, found = call.given, call.target
    together, group = Together(call.services.database), found.id
    groups = Groups(cast("Database", together), actor=call.actor)
    if body.name is not UNSET:
        await groups.rename(group, body.name)
    if body.models is not UNSET:
        await groups.set_models(group, body.models)
    whole = together.then(lambda c: group_tables.group(c, group))
    return _view(call, await call.transaction(found.subject).write(whole))


async def delete(call: Call[None]) -> Deleted:
    await _service(call, call.target.subject).delete(call.target.id)
    return Deleted(id=str(call.target.id))


async def members(call: Call[Paging]) -> MembershipList:
    given = call.given
    found = await Groups(call.services.database).members(
        call.target.id, after=given.behind, limit=given.limit + 1
    )
    return page(MembershipList, found, given.limit, place_view, "member_id")


async def add(call: Call[NewMembership]) -> MembershipView:
    body = call.given
    return place_view(
        await _service(call).add(call.target.id, body.member, role=body.role, pays=body.pays)
    )


async def set_role(call: Call[MembershipChange]) -> MembershipView:
    place: Membership = call.target
    return place_view(await _service(call).set_role(place.group_id, place.appid, call.given.role))


async def remove(call: Call[None]) -> Deleted:
    place: Membership = call.target
    await _service(call).remove(place.group_id, place.appid)
    return Deleted(id=place.appid)


def _service(call: Call[Any], subject: str = "") -> Groups:
    return Groups(call.transaction(subject), actor=call.actor)


def _view(call: Call[Any], found: Group) -> GroupView:
    view = GroupView(
        id=found.id,
        name=found.name,
        parent=found.parent_id,
        created_at=told(found.created_at),
    )
    place = GroupPlace(found.id, found.parent_id)
    relations = to_group(call.exchange.principal, place)
    if relations & SHOWN["group"]["models"]:
        view.models = found.models
    if relations & SHOWN["group"]["wallet"]:
        view.wallet = found.wallet_id
    return view


def place_view(found: Membership) -> MembershipView:
    """As the API tells a place."""
    return MembershipView(
        group=found.group_id,
        member=found.appid,
        name=found.member,
        role=found.role,
        disabled=found.disabled_at is not None,
        joined_at=told(found.joined_at),
    )
