"""Access tokens of a member."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from xinghe.accounts import AccessToken, Tokens, tables
from xinghe.accounts.playground import is_public_id
from xinghe.admin import budgets
from xinghe.admin.budgets import BudgetView
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
from xinghe.storage import Connection, now


class TokenView(msgspec.Struct, kw_only=True):
    """An access token. `secret` stands in the answer that makes it, and never again.

    `budgets` are those of this token alone; `last_used_at` is when the last request with it was
    charged: to the hour, if all in it failed.
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
    budgets: list[BudgetView]
    secret: str | UnsetType = UNSET

    @property
    def of_playground(self) -> bool:
        return is_public_id(self.id)


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

    def operation(connection: Connection) -> tuple[list[AccessToken], dict[int, TokenView]]:
        found = tables.tokens_behind(connection, member_id, given.behind, given.limit + 1)
        return found, {each.id: _view(connection, each) for each in found}

    found, views = await call.services.database.read(operation)
    return page(TokenList, found, given.limit, lambda each: views[each.id], "id")


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
    view = await _shown(call, secret.split("-")[1])
    view.secret = secret
    return view


async def get(call: Call[None]) -> TokenView:
    name = call.target.public_id
    return await call.tagged(name, lambda c: _view(c, tables.token(c, name)))


async def change(call: Call[TokenChange]) -> TokenView:
    body, name = call.given, call.target.public_id
    changes = {
        field: value for field, value in msgspec.structs.asdict(body).items() if value is not UNSET
    }
    if "expires_at" in changes:
        changes["expires_at"] = future(changes["expires_at"])
    tokens = Tokens(call.transaction(name), actor=call.actor)
    await tokens.change(name, **changes)
    return await _shown(call, name)


async def revoke(call: Call[None]) -> TokenView:
    name = call.target.public_id
    await Tokens(call.transaction(name), actor=call.actor).revoke(name)
    return await _shown(call, name)


async def _shown(call: Call[Any], name: str) -> TokenView:
    return await call.services.database.read(lambda c: _view(c, tables.token(c, name)))


def _view(connection: Connection, found: AccessToken) -> TokenView:
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
        budgets=budgets.of_token(connection, found.id),
    )
