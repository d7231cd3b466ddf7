"""`/console/tokens/{id}`: one access token: what it allows, its budgets, its last entries."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.responses import Response

from xinghe.admin.budgets import BudgetView
from xinghe.admin.shapes import Deleted
from xinghe.admin.tokens import TokenView
from xinghe.api.account.schema import EntryList
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.tokens.form import BudgetForm, TokenForm, figure, is_own, last_day, until_when
from xinghe.console.tokens.page import PATH

ONE = f"{PATH}/{{token}}"
LAST = 5
"""Entries that are shown."""


class Typed(msgspec.Struct):
    """What was typed and refused, and where: in the form of the token, of a new budget, or in that
    of the budget of a number.
    """

    refused: Refused
    token: TokenForm | None = None
    budget: BudgetForm | None = None
    number: str = ""
    amount: str = ""


async def show(page: Page) -> Response:
    return await _show(page)


async def change(page: Page) -> Response:
    """Change what the token allows, unless somebody has changed it since it was read."""
    form, zone = TokenForm.typed(page), page.browser.zone
    body = form.body(zone)
    try:
        token = await _token(page)
        if form.day == last_day(token.expires_at, zone):
            del body["expires_at"]  # it may end within the day: it stays so
        version = page.field("version")
        await page.api.send("PATCH", _api(page), TokenView, body, if_match=version)
    except Refused as refused:
        return await _show(page, Typed(refused, token=form))
    return page.go(_path(page))


async def add(page: Page) -> Response:
    """A new budget."""
    form = BudgetForm.typed(page)
    try:
        body = form.body(page.request.path_params["token"], page.browser.zone)
        await page.api.send("POST", "/admin/v1/budgets", BudgetView, body)
    except Refused as refused:
        return await _show(page, Typed(refused, budget=form))
    return page.go(f"{_path(page)}#budgets")


async def amend(page: Page) -> Response:
    """Another amount of a budget, or its end."""
    number, amount = page.request.path_params["budget"], page.field("amount")
    path = f"/admin/v1/budgets/{number}"
    try:
        if page.field("end"):
            await page.api.send("DELETE", path, Deleted)
        else:
            await page.api.send("PATCH", path, BudgetView, {"amount": figure(amount)})
    except Refused as refused:
        typed = Typed(refused, number=number, amount=amount)
        return await _show(page, typed)
    return page.go(f"{_path(page)}#budgets")


async def _show(page: Page, typed: Typed | None = None) -> Response:
    token, version = await page.api.tagged(_api(page), TokenView)
    if token.member != page.session.member.id:
        # Operators may do all with the tokens of others, but these pages are about one's own.
        return page.render("tokens/missing.html", status=404)
    form = typed.token if typed and typed.token else TokenForm.of(token, page.browser.zone)
    entries, form = await asyncio.gather(
        page.api.get(
            "/v1/account/entries", EntryList, token=token.id, limit=LAST, zone=page.browser.zone
        ),
        form.choose(page),
    )
    return page.render(
        "tokens/one.html",
        status=typed.refused.status if typed else 200,
        token=token,
        version=version,
        form=form,
        budget=(typed.budget if typed else None) or BudgetForm(),
        entries=entries.data,
        typed=typed,
        until_when=until_when,
        own={each.id for each in token.budgets if is_own(each, page)},
    )


async def _token(page: Page) -> TokenView:
    return await page.api.get(_api(page), TokenView)


def _api(page: Page) -> str:
    return f"/admin/v1/tokens/{page.request.path_params['token']}"


def _path(page: Page) -> str:
    return f"{PATH}/{page.request.path_params['token']}"


ROUTES = (
    Route("GET", ONE, show),
    Route("POST", ONE, change),
    Route("POST", f"{ONE}/budgets", add),
    Route("POST", f"{ONE}/budgets/{{budget:int}}", amend),
)
