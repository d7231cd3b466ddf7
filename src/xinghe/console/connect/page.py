"""`/console/connect`: the settings of programs that people connect, ready to be pasted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from xinghe.admin.tokens import TokenList, TokenView
from xinghe.api.models import ChatLimits, Model, ModelList
from xinghe.catalog import BUILT_IN
from xinghe.clients import (
    CLIENTS,
    PLACEHOLDER,
    Client,
    Filled,
    Values,
    filled,
    find,
    notes,
)
from xinghe.console.page import Page
from xinghe.console.route import Route

PATH = "/console/connect"
MOST = 100
"""Tokens to choose from."""


class Choice(msgspec.Struct, frozen=True):
    """What a person has chosen; empty: nothing. `token` is the public id of one, and `secret` the
    token itself where it was just made."""

    client: str = ""
    model: str = ""
    token: str = ""
    secret: str = ""


class Shown(msgspec.Struct, frozen=True):
    """A program, and what is told of it. `copied` are values that somebody may want to copy."""

    client: Client
    notes: list[str]
    parts: list[Filled]
    copied: tuple[str, ...]


async def show(page: Page) -> Response:
    query = page.query
    client, model, token = (query.get(name, "") for name in ("client", "model", "token"))
    return await _whole(page, Choice(client, model, token))


async def make(page: Page) -> Response:
    """Make a token, whose secret is shown this once, and put it into all settings."""
    name = page.text("我的客户端", "My client")
    made = await page.api.send("POST", f"{page.member}/tokens", TokenView, {"name": name})
    return await _whole(page, _typed(page, made.id, str(made.secret)), made=True)


async def choose(page: Page) -> Response:
    """The settings for another choice, with the token that was made on this page."""
    return await _whole(page, _typed(page, "", page.field("secret")))


def _typed(page: Page, token: str, secret: str) -> Choice:
    return Choice(page.field("client"), page.field("model"), token, secret)


async def _whole(page: Page, choice: Choice, *, made: bool = False) -> Response:
    tokens = await _tokens(page)
    chosen = next((each for each in tokens if each.id == choice.token), None)
    models = await _models(page, chosen)
    client = find(choice.client) or CLIENTS[0]
    response = page.render(
        "connect/page.html",
        choice=choice,
        chosen=client,
        clients=[_shown(page, each, models, choice, chosen) for each in CLIENTS],
        models=models,
        tokens=tokens,
        made=made,
        may_make="admin" in page.session.scopes,
    )
    if choice.secret:
        response.headers["cache-control"] = "no-store"
    return response


async def _tokens(page: Page) -> list[TokenView]:
    """Those that programs of the person may use, the newest first."""
    if "admin" not in page.session.scopes:
        return []
    found = await page.api.get(f"{page.member}/tokens", TokenList, limit=MOST)
    return [
        each
        for each in reversed(found.data)
        if each.state == "active" and "model.call" in each.scopes and not each.of_playground
    ]


async def _models(page: Page, token: TokenView | None) -> list[Model]:
    """Those that answer questions, and that the token may use."""
    allowed = None if token is None else token.models
    found = await page.api.get("/v1/models", ModelList)
    return [
        each
        for each in found.data
        if each.xinghe.kind == "chat" and (allowed is None or each.id in allowed)
    ]


def _shown(
    page: Page, client: Client, models: Sequence[Model], choice: Choice, token: TokenView | None
) -> Shown:
    known = {each.id: each for each in models}
    usual = client.model if client.model in known else next(iter(known), client.model)
    name = choice.model if choice.model in known else usual
    limits = known[name].xinghe.limits if name in known else None
    most = limits.effective if isinstance(limits, ChatLimits) else None
    served_by = (known[name].xinghe.served_by or "") if name in known else ""
    placeholder = f"xh-{token.id}-…" if token else PLACEHOLDER
    values = Values(
        url=page.base_url,
        token=choice.secret or placeholder,
        model=name,
        context=most.context if most else 0,
        output=most.max_output_tokens if most else 0,
        built_in=served_by.startswith(f"{BUILT_IN}/"),
    )
    chinese = page.browser.language != "en"
    return Shown(
        client,
        notes(client, values, chinese=chinese),
        filled(client, values, chinese=chinese),
        (values.url, values.url + client.mount, values.token, values.model),
    )


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", f"{PATH}/token", make),
    Route("POST", f"{PATH}/settings", choose),
)
