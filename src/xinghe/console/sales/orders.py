"""`/console/sales`: the orders of all wallets, for operators; a payment confirmed, a refund."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any, get_args

from starlette.responses import Response

from xinghe.admin.orders import OrderList, OrderView
from xinghe.admin.payment_events import PaymentEventList
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.sales.events import API as EVENTS
from xinghe.console.sales.guarded import operators
from xinghe.console.shop import order
from xinghe.console.shop.page import PATH as SHOP
from xinghe.console.tokens.form import figure
from xinghe.sales.orders import Shown

PATH = "/console/sales"
MOST = 50
"""Orders on one page."""
STATES = get_args(Shown)
RECENT = datetime.timedelta(days=30)
"""How long payments that somebody has to look at are pointed to."""


async def show(page: Page) -> Response:
    if "number" in page.query:
        return page.go(f"{SHOP}/orders/{page.query['number'].strip() or '-'}")
    state = page.query.get("state", "open")
    found, events = await asyncio.gather(
        page.api.get(
            "/admin/v1/orders",
            OrderList,
            state=state if state in STATES else None,
            limit=MOST,
            after=page.query.get("after"),
        ),
        page.api.get(EVENTS, PaymentEventList, limit=MOST),
    )
    since = datetime.datetime.now(datetime.UTC) - RECENT
    recent = [each for each in events.data if datetime.datetime.fromisoformat(each.at) > since]
    return page.render(
        "sales/orders.html",
        orders=found.data,
        after=found.next,
        state=state,
        alarms=len(recent),
        many=len(recent) == MOST,
    )


async def confirm(page: Page) -> Response:
    return await _do(page, "confirm", {"reference": page.field("reference")})


async def refund(page: Page) -> Response:
    body: dict[str, Any] = {
        "reason": page.field("reason"),
        "reference": page.field("reference"),
    }
    if page.field("tokens"):
        body["tokens"] = figure(page.field("tokens"))
    return await _do(
        page, "refunds", body, idempotency_key=page.once("tokens", "reason", "reference")
    )


async def _do(page: Page, what: str, body: dict[str, Any], **headers: str) -> Response:
    try:
        path = f"{order.api_path(page)}/{what}"
        await page.api.send("POST", path, OrderView, body, **headers)
    except Refused as refused:
        return await order.shown(page, refused)
    return page.go(f"{SHOP}/orders/{page.request.path_params['order']}")


ROUTES = (
    Route("GET", PATH, operators(show)),
    Route("POST", f"{PATH}/orders/{{order}}/confirm", operators(confirm)),
    Route("POST", f"{PATH}/orders/{{order}}/refund", operators(refund)),
)
