"""Members: people and programs that call; which wallets pay for each."""

from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from xinghe.accounts import Members, group_tables, tables
from xinghe.accounts.groups import join
from xinghe.accounts.members import create_member
from xinghe.accounts.rights import SHOWN
from xinghe.accounts.rules import check_name
from xinghe.accounts.tables import Member
from xinghe.admin.operation import Call, initial
from xinghe.admin.shapes import (
    Amount,
    Body,
    Deleted,
    Listing,
    Name,
    Number,
    Paging,
    Told,
    page,
    told,
)
from xinghe.admin.transaction import Together
from xinghe.api.errors import ApiError, Errors
from xinghe.signin import PasswordRefused, passwords, set_password
from xinghe.storage import Connection, Database


class MemberView(msgspec.Struct, kw_only=True):
    """A member, and the number of the wallet of his own."""

    id: str
    object: Literal["member"] = "member"
    name: str
    wallet: int
    disabled: bool
    operator: bool | UnsetType = UNSET
    created_at: Told


class MemberList(Listing):
    data: list[MemberView]


class MemberQuery(Paging):
    """Those whose names begin with `name`, in the order of names; without it, all, by age."""

    name: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class NewMember(Body):
    """A member; where a `group` is named, in it, and its wallet pays for him.

    His own wallet begins with `tokens`: if nothing is said, with the initial grant where an
    operator makes him outside of all groups, else with none.
    """

    name: Name
    group: Number | None = None
    tokens: Amount | None = None
    operator: bool = False


class MemberChange(Body):
    """A new `password` ends his sessions."""

    name: Name | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    operator: bool | UnsetType = UNSET
    password: str | UnsetType = UNSET


async def list_(call: Call[MemberQuery]) -> MemberList:
    given = call.given

    def operation(connection: Connection) -> list[Member]:
        if given.name is None:
            return tables.members(connection, given.behind, given.limit + 1)
        return tables.members_called(connection, given.name, given.behind, given.limit + 1)

    found = await call.services.database.read(operation)
    return page(MemberList, found, given.limit, lambda each: _view(call, each), "id")


async def create(call: Call[NewMember]) -> MemberView:
    body = call.given
    check_name(body.name)
    alone = body.group is None or body.tokens is not None
    amount = initial(call, body.tokens) if alone else 0

    def operation(connection: Connection) -> Member:
        group = None if body.group is None else group_tables.locked_group(connection, body.group)
        made = create_member(connection, call.actor, body.name, amount, operator=body.operator)
        if group is not None:
            join(connection, call.actor, group, made, "member", "group")
        return made

    return _view(call, await call.services.database.write(operation))


async def get(call: Call[None]) -> MemberView:
    appid = call.target.appid
    return _view(call, await call.tagged(appid, lambda c: tables.member(c, appid)))


async def change(call: Call[MemberChange]) -> MemberView:
    body, found = call.given, call.target
    if body.password is not UNSET:
        for name in (found.name, body.name):
            if name is not UNSET:
                _check_password(body.password, name)
    together = Together(call.services.database)
    collector, appid = cast("Database", together), found.appid
    members = Members(collector, actor=call.actor, keeps_an_operator=True)
    if body.name is not UNSET:
        await members.rename(appid, body.name)
    if body.disabled is not UNSET:
        await (members.disable if body.disabled else members.enable)(appid)
    if body.operator is not UNSET:
        await members.set_operator(appid, body.operator)
    if body.password is not UNSET:
        kept = call.services.passwords
        await set_password(collector, kept, appid, body.password, actor=call.actor)
    whole = together.then(lambda c: tables.member(c, appid))
    return _view(call, await call.transaction(appid).write(whole))


async def delete(call: Call[None]) -> Deleted:
    appid = call.target.appid
    transaction = call.transaction(appid)
    await Members(transaction, actor=call.actor, keeps_an_operator=True).delete(appid)
    return Deleted(id=appid)


def _check_password(password: str, name: str) -> None:
    """Raises `ApiError`, which never says what the password is."""
    try:
        passwords.check(password, name)
    except PasswordRefused as error:
        raise ApiError(Errors.MALFORMED_JSON, str(error), param="password") from None


def _view(call: Call[Any], found: Member) -> MemberView:
    view = MemberView(
        id=found.appid,
        name=found.name,
        wallet=found.id,
        disabled=found.disabled_at is not None,
        created_at=told(found.created_at),
    )
    if call.relations & SHOWN["member"]["operator"]:
        view.operator = found.operator
    return view
