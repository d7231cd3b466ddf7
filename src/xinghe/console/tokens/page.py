"""`/console/tokens`: all access tokens of a member; a new one; an end to one."""

from __future__ import annotations

from starlette.responses import Response

from xinghe.admin.budgets import BudgetView
from xinghe.admin.tokens import TokenList, TokenView
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.tokens.form import BudgetForm, TokenForm, until_when

PATH = "/console/tokens"
MOST = 100
"""Tokens on one page."""


async def show(page: Page) -> Response:
    if "admin" not in page.session.scopes:
        return page.render("tokens/closed.html", status=403)
    found = await page.api.get(
        f"{page.member}/tokens", TokenList, limit=MOST, after=page.query.get("after")
    )
    usable = [each for each in reversed(found.data) if each.state != "revoked"]
    revoked = [each for each in reversed(found.data) if each.state == "revoked"]
    return page.render(
        "tokens/page.html",
        usable=usable,
        revoked=revoked,
        after=found.next,
        until_when=until_when,
    )


async def new(page: Page) -> Response:
    return await _form(page, TokenForm(), BudgetForm())


async def make(page: Page) -> Response:
    """Make a token, and a budget of it if one is wanted: both, or nothing."""
    token, budget, zone = TokenForm.typed(page), BudgetForm.typed(page), page.browser.zone
    try:
        made = await page.api.send("POST", f"{page.member}/tokens", TokenView, token.body(zone))
    except Refused as refused:
        return await _form(page, token, budget, refused)
    if budget.amount:
        try:
            body = budget.body(made.id, zone)
            await page.api.send("POST", "/admin/v1/budgets", BudgetView, body)
        except Refused as refused:
            await page.api.send("DELETE", f"/admin/v1/tokens/{made.id}", TokenView)
            return await _form(page, token, budget, refused)
    response = page.render("tokens/made.html", token=made)
    response.headers["cache-control"] = "no-store"
    return response


async def revoke(page: Page) -> Response:
    name = page.request.path_params["token"]
    await page.api.send("DELETE", f"/admin/v1/tokens/{name}", TokenView)
    return page.go(PATH)


async def _form(
    page: Page, token: TokenForm, budget: BudgetForm, refused: Refused | None = None
) -> Response:
    return page.render(
        "tokens/new.html",
        status=refused.status if refused else 200,
        form=await token.choose(page),
        budget=budget,
        refused=refused,
    )


ROUTES = (
    Route("GET", PATH, show),
    Route("GET", f"{PATH}/new", new),
    Route("POST", f"{PATH}/new", make),
    Route("POST", f"{PATH}/{{token}}/revoke", revoke),
)
