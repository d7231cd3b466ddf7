"""`/`: the ways in, and out again; the choice of language and theme."""

from __future__ import annotations

import time

from starlette.responses import Response

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
        page, "/auth/v1/password", name=page.field("name"), password=page.form.get("password", "")
    )


async def by_token(page: Page) -> Response:
    return await _enter(page, "/auth/v1/token", token=page.field("token"))


async def link(page: Page) -> Response:
    """What a one-time link shows: a button. What only looks at links uses none up."""
    return page.render("signin/link.html", code=page.query.get("code", ""))


async def by_link(page: Page) -> Response:
    try:
        made = await page.api.send(
            "POST", "/auth/v1/link", SessionAnswer, {"code": page.field("code")}
        )
    except Refused as refused:
        return page.render("signin/link.html", status=refused.status, code="", refused=refused)
    return _entered(page, made, "/console/start")


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
    return page.render("signin/page.html", status=status, ways=ways, refused=refused)


async def _enter(page: Page, path: str, **given: object) -> Response:
    try:
        made = await page.api.send("POST", path, SessionAnswer, given)
    except Refused as refused:
        return await _form(page, refused.status, refused)
    return _entered(page, made, page.next)


def _entered(page: Page, made: SessionAnswer, onward: str) -> Response:
    page.browser.sign_in(made.token, int(made.expires_at - time.time()))
    return page.go(onward)


ROUTES = (
    Route("GET", "/", show, open=True),
    Route("POST", "/console/sign-in/password", by_password, open=True),
    Route("POST", "/console/sign-in/token", by_token, open=True),
    Route("GET", "/console/link", link, open=True),
    Route("POST", "/console/link", by_link, open=True),
    Route("POST", "/console/sign-out", sign_out),
    Route("GET", "/console/prefer", prefer, open=True),
)
