"""Invitations into a group."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from xinghe.accounts.group_tables import Pays
from xinghe.accounts.invitations import MOST_USES, Invitation, Invitations
from xinghe.accounts.rights import Role
from xinghe.admin.operation import Call, initial
from xinghe.admin.shapes import Amount, Body, Listing, Paging, Tokens, Told, future, page, told
from xinghe.api.query import Time
from xinghe.core import tokens as as_tokens
from xinghe.storage import now


class InvitationView(msgspec.Struct, kw_only=True):
    """An invitation. `code` stands in the answer that makes it, and never again."""

    id: int
    object: Literal["invitation"] = "invitation"
    group: int
    role: Role
    pays: Pays
    tokens: Tokens
    state: Literal["open", "used", "expired", "revoked"]
    uses_left: int
    expires_at: Told
    created_by: str | None
    created_at: Told
    code: str | UnsetType = UNSET


class InvitationList(Listing):
    data: list[InvitationView]


class NewInvitation(Body):
    """For so many `uses`, for a week if `expires_at` says nothing, for a year at most.

    A new member's own wallet begins with `tokens`: if nothing is said, with the initial grant
    where an operator invites and it alone pays, else with none.
    """

    role: Role = "member"
    pays: Pays = "group"
    uses: Annotated[int, Meta(ge=1, le=MOST_USES)] = 1
    tokens: Amount | None = None
    expires_at: Time | None = None


async def list_(call: Call[Paging]) -> InvitationList:
    given = call.given
    found = await Invitations(call.services.database).page(
        call.target.id, after=given.behind, limit=given.limit + 1
    )
    return page(InvitationList, found, given.limit, _view, "id")


async def create(call: Call[NewInvitation]) -> InvitationView:
    body = call.given
    # What is kept for a repeated call has no code: that is told once.
    service = Invitations(call.transaction(keep=_view), actor=call.actor)
    made, code = await service.create(
        call.target.id,
        role=body.role,
        pays=body.pays,
        amount=initial(call, body.tokens) if body.pays == "own" or body.tokens else 0,
        uses=body.uses,
        expires_at=future(body.expires_at),
        created_by=call.exchange.principal.member_id,
    )
    view = _view(made)
    view.code = code
    return view


async def revoke(call: Call[None]) -> InvitationView:
    service = Invitations(call.services.database, actor=call.actor)
    return _view(await service.revoke(call.target.id))


def _view(found: Invitation) -> InvitationView:
    return InvitationView(
        id=found.id,
        group=found.group_id,
        role=found.role,
        pays=found.pays,
        tokens=as_tokens(found.amount),
        state=found.state(now()),
        uses_left=found.uses_left,
        expires_at=told(found.expires_at),
        created_by=found.created_by,
        created_at=told(found.created_at),
    )
