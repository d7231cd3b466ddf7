"""Which wallets pay for a member, in order."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.accounts import group_tables
from xinghe.accounts.groups import OWN, Groups
from xinghe.accounts.rights import RANK, GroupPlace, rank
from xinghe.admin.operation import Call
from xinghe.admin.shapes import Body
from xinghe.api.errors import ApiError, Errors, shown
from xinghe.storage import Connection

MOST = 100


class PayingWallets(msgspec.Struct, kw_only=True):
    """The first wallet that covers a request pays for it: `own`, or that of a group, by name."""

    object: Literal["payment_order"] = "payment_order"
    member: str
    order: list[str]


class NewPayingWallets(Body):
    """`own`, and names of groups that the member is in, or of their organisations."""

    order: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=64)]],
        Meta(min_length=1, max_length=MOST),
    ]


async def get(call: Call[None]) -> PayingWallets:
    who = call.target
    found = await call.tagged(who.appid, lambda c: group_tables.sources(c, who.id))
    return _view(who.appid, found)


async def put(call: Call[NewPayingWallets]) -> PayingWallets:
    """A wallet that does not pay for the member yet is added by who manages the group alone."""
    appid, order, caller = call.target.appid, call.given.order, call.exchange.principal

    def foreign(connection: Connection) -> str | None:
        paying = {each.group for each in group_tables.sources(connection, call.target.id)}
        for name in order:
            if name == OWN or name in paying or caller.operator:
                continue
            # What he cannot have is refused alike, whether there is such a group or not.
            group_tables.usable_wallet(connection, call.target, name)
            found = group_tables.group(connection, name)
            if rank(caller, GroupPlace(found.id, found.parent_id)) < RANK["manager"]:
                return name
        return None

    refused = await call.services.database.read(foreign)
    if refused is not None:
        raise ApiError(
            Errors.NOT_PERMITTED,
            f"order: the wallet of {shown(refused)} is added by its managers",
            param="order",
        )
    groups = Groups(call.transaction(appid), actor=call.actor)
    return _view(appid, await groups.set_payment(appid, order))


def _view(appid: str, found: list[group_tables.Source]) -> PayingWallets:
    return PayingWallets(member=appid, order=[each.group or OWN for each in found])
