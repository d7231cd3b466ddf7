"""`/console/`: what is left, and how the last days were."""

from __future__ import annotations

from starlette.responses import Response

from xinghe.api.account.schema import AccountShown
from xinghe.console.page import HOME, Page
from xinghe.console.route import Route

ACCOUNT = "/v1/account"


async def show(page: Page) -> Response:
    account = await page.api.get(ACCOUNT, AccountShown, zone=page.browser.zone)
    return page.render("overview/page.html", account=account)


async def home(page: Page) -> Response:
    return page.go(HOME)


ROUTES = (
    Route("GET", HOME, show),
    Route("GET", HOME.removesuffix("/"), home),
)
