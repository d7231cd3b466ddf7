"""`/console/shop`: packages to buy, a code to redeem, the orders of a wallet."""

from __future__ import annotations

import asyncio
import secrets

import msgspec
from starlette.responses import Response

from xinghe.admin.codes import Redeemed
from xinghe.admin.orders import OrderList, OrderView
from xinghe.admin.packages import PackageList
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.shop.wallets import Payer, chosen, payers

PATH = "/console/shop"
PACKAGES = "/admin/v1/packages"
MOST_PACKAGES = 100
MOST_ORDERS = 20
"""On one page."""


class Typed(msgspec.Struct):
    """What a form sent that was refused, or what came of it."""

    refused: Refused | None = None
    package: int = 0
    code: str = ""
    redeemed: Redeemed | None = None
    payer: Payer | None = None


async def show(page: Page) -> Response:
    return await _show(page, Typed())


async def order(page: Page) -> Response:
    """Order a package, and go on to how it is paid."""
    payer = chosen(page, await payers(page), page.field("wallet"))
    number = page.field("package")
    package = int(number) if number.isascii() and number.isdigit() and len(number) < 16 else 0
    try:
        placed = await page.api.send(
            "POST",
            f"/admin/v1/wallets/{payer.wallet}/orders",
            OrderView,
            {"package": package},
            idempotency_key=page.field("once"),
        )
    except Refused as refused:
        return await _show(page, Typed(refused, package=package, payer=payer))
    return page.go(f"{PATH}/orders/{placed.number}")


async def redeem(page: Page) -> Response:
    payer = chosen(page, await payers(page), page.field("wallet"))
    code = page.field("code")
    try:
        done = await page.api.send(
            "POST", f"/admin/v1/wallets/{payer.wallet}/redeem", Redeemed, {"code": code}
        )
    except Refused as refused:
        return await _show(page, Typed(refused, code=code, payer=payer))
    return await _show(page, Typed(redeemed=done, payer=payer))


async def _show(page: Page, typed: Typed) -> Response:
    if "admin" not in page.session.scopes:
        return page.render("shop/closed.html", status=403)
    mine, packages = await asyncio.gather(
        payers(page), page.api.get(PACKAGES, PackageList, limit=MOST_PACKAGES)
    )
    payer = typed.payer or chosen(page, mine, page.query.get("wallet", ""))
    orders = await page.api.get(
        f"/admin/v1/wallets/{payer.wallet}/orders",
        OrderList,
        limit=MOST_ORDERS,
        after=page.query.get("after"),
    )
    return page.render(
        "shop/page.html",
        status=typed.refused.status if typed.refused else 200,
        packages=packages.data,
        payers=mine,
        payer=payer,
        orders=orders.data,
        after=orders.next,
        typed=typed,
        once=secrets.token_hex(16),
    )


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", PATH, order),
    Route("POST", f"{PATH}/redeem", redeem),
)
