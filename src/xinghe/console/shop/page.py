"""`/console/shop`: packages to buy, a code to redeem, Tokens to move, the orders of a wallet."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import Literal

import msgspec
from starlette.responses import Response

from xinghe.admin.codes import Redeemed
from xinghe.admin.orders import OrderList, OrderView
from xinghe.admin.packages import PackageList, PackageView
from xinghe.admin.transfers import Transfer
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.shop.wallets import Payer, around, chosen, named, payers
from xinghe.console.tokens.form import figure

PATH = "/console/shop"
PACKAGES = "/admin/v1/packages"
MOST_PACKAGES = 100
FEW_PACKAGES = 12
"""That are shown at once; the others stand behind a button."""
MOST_ORDERS = 20
"""On one page."""


class Wanted(msgspec.Struct, frozen=True):
    """A transfer as it was typed: to the `group`, or to the `member`."""

    group: str = ""
    member: str = ""
    tokens: str = ""
    reason: str = ""


class Typed(msgspec.Struct):
    """What a form sent that was refused, or what came of it."""

    refused: Refused | None = None
    form: Literal["", "order", "redeem", "transfer"] = ""
    code: str = ""
    transfer: Wanted = Wanted()
    redeemed: Redeemed | None = None
    moved: Transfer | None = None
    payer: Payer | None = None


async def show(page: Page) -> Response:
    return await _show(page, Typed())


async def order(page: Page) -> Response:
    """Order a package, and go on to how it is paid."""
    payer = named(await payers(page), page.field("wallet"))
    number = page.field("package")
    package = int(number) if number.isascii() and number.isdigit() and len(number) < 16 else 0
    try:
        offer = await page.api.get(f"{PACKAGES}/{package}", PackageView)
        if terms(offer) != page.field("terms"):
            return await _show(page, Typed(form="order", payer=payer))
        placed = await page.api.send(
            "POST",
            f"/admin/v1/wallets/{payer.wallet}/orders",
            OrderView,
            {"package": package},
            idempotency_key=page.once("package"),
        )
    except Refused as refused:
        return await _show(page, Typed(refused, "order", payer=payer))
    return page.go(f"{PATH}/orders/{placed.number}")


async def redeem(page: Page) -> Response:
    payer = named(await payers(page), page.field("wallet"))
    code = page.field("code")
    try:
        done = await page.api.send(
            "POST", f"/admin/v1/wallets/{payer.wallet}/redeem", Redeemed, {"code": code}
        )
    except Refused as refused:
        return await _show(page, Typed(refused, "redeem", code=code, payer=payer))
    return await _show(page, Typed(redeemed=done, payer=payer))


async def transfer(page: Page) -> Response:
    """To a member or a group by name; the same form that comes twice moves them once."""
    payer = named(await payers(page), page.field("wallet"))
    typed = Wanted(*(page.field(name) for name in Wanted.__struct_fields__))
    receiver = {"to_member": typed.member or None, "to_group": typed.group or None}
    try:
        done = await page.api.send(
            "POST",
            f"/admin/v1/wallets/{payer.wallet}/transfers",
            Transfer,
            {"amount": figure(typed.tokens), "reason": typed.reason, **receiver},
            idempotency_key=page.once(*Wanted.__struct_fields__),
        )
    except Refused as refused:
        return await _show(page, Typed(refused, "transfer", transfer=typed, payer=payer))
    return await _show(page, Typed(transfer=typed, moved=done, payer=payer))


def terms(of: PackageView) -> str:
    """What a buyer has seen of a package: one that was changed meanwhile is shown to him again."""
    seen = of.tokens, of.price, of.currency, of.valid_days, of.models
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]


async def _show(page: Page, typed: Typed) -> Response:
    if "admin" not in page.session.scopes:
        return page.render("shop/closed.html", status=403)
    known, packages = await asyncio.gather(
        around(page), page.api.get(PACKAGES, PackageList, limit=MOST_PACKAGES)
    )
    payer = typed.payer if typed.payer in known.payers else None
    payer = payer or chosen(known.payers, page.query.get("wallet", ""))
    orders = await page.api.get(
        f"/admin/v1/wallets/{payer.wallet}/orders",
        OrderList,
        limit=MOST_ORDERS,
        after=page.query.get("after"),
    )
    return page.render(
        "shop/page.html",
        status=typed.refused.status if typed.refused else 409 if typed.form == "order" else 200,
        packages=packages.data,
        few=FEW_PACKAGES,
        payers=known.payers,
        known=known,
        payer=payer,
        orders=orders.data,
        after=orders.next,
        typed=typed,
        terms=terms,
        once=secrets.token_hex(16),
    )


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", PATH, order),
    Route("POST", f"{PATH}/redeem", redeem),
    Route("POST", f"{PATH}/transfer", transfer),
)
