"""`/console/shop/orders/{number}`: how an order is paid; once it is, the receipt."""

from __future__ import annotations

import secrets
from urllib.parse import quote

from starlette.responses import Response

from xinghe.admin.orders import OrderView
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.shop.page import PATH
from xinghe.console.shop.wallets import payers

ONE = f"{PATH}/orders/{{order}}"


async def show(page: Page) -> Response:
    return await shown(page)


async def cancel(page: Page) -> Response:
    try:
        await page.api.send("POST", f"{api_path(page)}/cancel", OrderView)
    except Refused as refused:
        return await shown(page, refused)
    return page.go(f"{PATH}/orders/{page.request.path_params['order']}")


async def shown(page: Page, refused: Refused | None = None) -> Response:
    """The page of an order, with what an operator can do about it."""
    if "admin" not in page.session.scopes:
        return page.render("shop/closed.html", status=403)
    order = await page.api.get(api_path(page), OrderView)
    whose = {each.wallet: each for each in await payers(page)}
    return page.render(
        "shop/order.html",
        status=refused.status if refused else 200,
        order=order,
        payer=whose.get(order.wallet),
        refused=refused,
        once=secrets.token_hex(16),
    )


def api_path(page: Page) -> str:
    return "/admin/v1/orders/" + quote(page.request.path_params["order"], safe="")


ROUTES = (
    Route("GET", ONE, show),
    Route("POST", f"{ONE}/cancel", cancel),
)
