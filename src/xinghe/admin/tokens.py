"""Access tokens of a member."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from xinghe.accounts import AccessToken, Tokens, tables
from xinghe.admin.operation import Call
from xinghe.admin.shapes import (
    Body,
    Listing,
    Models,
    Name,
    Paging,
    Scopes,
    Told,
    future,
    page,
    told,
    told_or_never,
)
from xinghe.api.query import Time
from xinghe.storage import now


class TokenView(msgspec.Struct, kw_only=True):
    """An access token. `secret` stands in the answer that makes it, and never again.

    `last_used_at` is when the last request with it was charged: to the hour, if all in it failed.
    """

    id: str
    object: Literal["token"] = "token"
    member: str
    name: str
    state: Literal["active", "expired", "revoked"]
    scopes: list[str]
    models: list[str] | None
    expires_at: Told | None
    created_at: Told
    last_used_at: Told | None
    secret: str | UnsetType = UNSET


class TokenList(Listing):
    data: list[TokenView]


class NewToken(Body):
    """Without `models`, it may use all; without `expires_at`, for ever."""

    name: Name = "token"
    scopes: Scopes = msgspec.field(default_factory=lambda: ["model.call", "account.read"])
    models: Models | None = None
    expires_at: Time | None = None


class TokenChange(Body):
    name: Name | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    models: Models | UnsetType | None = UNSET
    expires_at: Time | UnsetType | None = UNSET


async def list_(call: Call[Paging]) -> TokenList:
    given, member_id = call.given, call.target.id
    found = await call.services.database.read(
        lambda c: tables.tokens_behind(c, member_id, given.behind, given.limit + 1)
    )
    return page(TokenList, found, given.limit, _view, "id")


async def create(call: Call[NewToken]) -> TokenView:
    body = call.given
    tokens = Tokens(call.services.database, actor=call.actor)
    secret = await tokens.create(
        call.target.appid,
        name=body.name,
        scopes=body.scopes,
        models=body.models,
        expires_at=future(body.expires_at),
    )
    view = _view(await tokens.get(secret.split("-")[1]))
    view.secret = secret
    return view


async def get(call: Call[None]) -> TokenView:
    name = call.target.public_id
    return _view(await call.tagged(name, lambda c: tables.token(c, name)))


async def change(call: Call[TokenChange]) -> TokenView:
    body, name = call.given, call.target.public_id
    changes = {
        field: value for field, value in msgspec.structs.asdict(body).items() if value is not UNSET
    }
    if "expires_at" in changes:
        changes["expires_at"] = future(changes["expires_at"])
    tokens = Tokens(call.transaction(name), actor=call.actor)
    return _view(await tokens.change(name, **changes))


async def revoke(call: Call[None]) -> TokenView:
    name = call.target.public_id
    return _view(await Tokens(call.transaction(name), actor=call.actor).revoke(name))


def _view(found: AccessToken) -> TokenView:
    return TokenView(
        id=found.public_id,
        member=found.appid,
        name=found.name,
        state=found.state(now()),
        scopes=found.scopes,
        models=found.models,
        expires_at=told_or_never(found.expires_at),
        created_at=told(found.created_at),
        last_used_at=told_or_never(found.last_used_at),
    )
