"""`/console/sales/codes`: batches of redeem codes; a new one, shown once; an end to one."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from xinghe.admin.codes import BatchList, BatchView, NewCodes, RedemptionList
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.sales.forms import BatchForm
from xinghe.console.sales.guarded import operators

PATH = "/console/sales/codes"
API = "/admin/v1/codes"
MOST = 100


async def show(page: Page) -> Response:
    found = await page.api.get(API, BatchList, limit=MOST, after=page.query.get("after"))
    return page.render("sales/codes.html", batches=found.data, after=found.next)


async def new(page: Page) -> Response:
    return await _form(page, BatchForm())


async def make(page: Page) -> Response:
    form = BatchForm.typed(page)
    try:
        made = await page.api.send("POST", API, NewCodes, form.body_in(page.browser.zone))
    except Refused as refused:
        return await _form(page, form, refused)
    response = page.render("sales/made.html", batch=made)
    response.headers["cache-control"] = "no-store"
    return response


async def one(page: Page) -> Response:
    batch, redemptions = await asyncio.gather(
        page.api.get(_api(page), BatchView),
        page.api.get(
            f"{_api(page)}/redemptions",
            RedemptionList,
            limit=MOST,
            after=page.query.get("after"),
        ),
    )
    return page.render(
        "sales/batch.html", batch=batch, redemptions=redemptions.data, after=redemptions.next
    )


async def revoke(page: Page) -> Response:
    await page.api.send("DELETE", _api(page), BatchView)
    return page.go(f"{PATH}/{page.request.path_params['batch']}")


async def _form(page: Page, form: BatchForm, refused: Refused | None = None) -> Response:
    await form.choose(page)
    return page.render(
        "sales/new.html", status=refused.status if refused else 200, form=form, refused=refused
    )


def _api(page: Page) -> str:
    return f"{API}/{page.request.path_params['batch']}"


ROUTES = (
    Route("GET", PATH, operators(show)),
    Route("GET", f"{PATH}/new", operators(new)),
    Route("POST", f"{PATH}/new", operators(make)),
    Route("GET", f"{PATH}/{{batch}}", operators(one)),
    Route("POST", f"{PATH}/{{batch}}/revoke", operators(revoke)),
)
