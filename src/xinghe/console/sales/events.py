"""`/console/sales/events`: payments that somebody has to look at."""

from __future__ import annotations

from starlette.responses import Response

from xinghe.admin.payment_events import PaymentEventList
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.sales.guarded import operators

PATH = "/console/sales/events"
API = "/admin/v1/payment-events"
MOST = 50


async def show(page: Page) -> Response:
    found = await page.api.get(API, PaymentEventList, limit=MOST, after=page.query.get("after"))
    return page.render("sales/events.html", events=found.data, after=found.next)


ROUTES = (Route("GET", PATH, operators(show)),)
