"""`/`: the ways in, and out again; the choice of language and theme."""

from __future__ import annotations

import time
from contextlib import suppress

from starlette.responses import Response

from xinghe.api.auth.cookie import Cookie
from xinghe.api.auth.schema import Done, SessionAnswer, Ways
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route


async def show(page: Page) -> Response:
    if page.current is not None:
        return page.go(page.next)
    return await _form(page)


async def by_password(page: Page) -> Response:
    return await _enter(
        page, "/auth/v1/password", name=page.field("name"), password=page.password("password")
    )


async def by_token(page: Page) -> Response:
    return await _enter(page, "/auth/v1/token", token=page.field("token"))


async def link(page: Page) -> Response:
    """What a one-time link shows: a button. What only looks at links uses none up."""
    return page.render("signin/link.html", code=page.query.get("code", ""), refused=None)


async def by_link(page: Page) -> Response:
    try:
        made = await page.api.send(
            "POST", "/auth/v1/link", SessionAnswer, {"code": page.field("code")}
        )
    except Refused as refused:
        return page.render("signin/link.html", status=refused.status, code="", refused=refused)
    return await _entered(page, made, "/console/start")


async def by_provider(page: Page) -> Response:
    """Go on with what the browser has brought from the OpenID provider, which works this once."""
    given = {"invitation": page.field("invitation") or None, "name": page.field("name") or None}
    try:
        made = await page.api.send("POST", "/auth/v1/oidc/session", SessionAnswer, given)
    except Refused as refused:
        response = await _form(page, refused.status, refused)
    else:
        response = await _entered(page, made, page.next)
    response.raw_headers.append(_cookie(page).clear())
    return response


async def join(page: Page) -> Response:
    """What an invitation's link shows: to a member, whether he joins; to others, how."""
    ways = await page.api.get("/auth/v1", Ways)
    return page.render("signin/join.html", ways=ways, refused=None)


async def joined(page: Page) -> Response:
    """Become a member, or join one more group."""
    invitation = page.field("invitation")
    try:
        if page.current is not None:
            await page.api.send("POST", "/auth/v1/me/invitation", Done, {"invitation": invitation})
            return page.go("/console/")
        given = {"invitation": invitation or None, "name": page.field("name")}
        given["password"] = page.password("password")
        made = await page.api.send("POST", "/auth/v1/join", SessionAnswer, given)
    except Refused as refused:
        ways = await page.api.get("/auth/v1", Ways)
        return page.render("signin/join.html", status=refused.status, ways=ways, refused=refused)
    return await _entered(page, made, "/console/start")


async def sign_out(page: Page) -> Response:
    await page.api.send("DELETE", "/auth/v1/session", Done)
    page.browser.sign_out()
    return page.go("/")


async def prefer(page: Page) -> Response:
    """Remember a language or a theme, and go back."""
    page.browser.prefer(language=page.query.get("language", ""), theme=page.query.get("theme"))
    return page.go(page.next)


async def _form(page: Page, status: int = 200, refused: Refused | None = None) -> Response:
    ways = await page.api.get("/auth/v1", Ways)
    held = _cookie(page).read(page.request.headers.getlist("cookie"))
    brought = ways.oidc and held is not None and bool(held[1]) and refused is None
    return page.render(
        "signin/page.html", status=status, ways=ways, refused=refused, brought=brought
    )


async def _enter(page: Page, path: str, **given: object) -> Response:
    try:
        made = await page.api.send("POST", path, SessionAnswer, given)
    except Refused as refused:
        return await _form(page, refused.status, refused)
    return await _entered(page, made, page.next)


def _cookie(page: Page) -> Cookie:
    """Of the sign-in at an OpenID provider."""
    return Cookie(secure=page.browser.secure)


async def _entered(page: Page, made: SessionAnswer, onward: str) -> Response:
    """Go on as who has come in; whose session the browser had before is signed out."""
    if page.current is not None:
        with suppress(Refused):  # it has ended meanwhile
            await page.api.send("DELETE", "/auth/v1/session", Done)
    page.browser.sign_in(made.token, int(made.expires_at - time.time()))
    return page.go(onward)


ROUTES = (
    Route("GET", "/", show, open=True),
    Route("POST", "/console/sign-in/password", by_password, open=True, waits=True),
    Route("POST", "/console/sign-in/token", by_token, open=True, waits=True),
    Route("POST", "/console/sign-in/oidc", by_provider, open=True, waits=True),
    Route("GET", "/console/join", join, open=True),
    Route("POST", "/console/join", joined, open=True, waits=True),
    Route("GET", "/console/link", link, open=True),
    Route("POST", "/console/link", by_link, open=True, waits=True),
    Route("POST", "/console/sign-out", sign_out),
    Route("GET", "/console/prefer", prefer, open=True),
)
