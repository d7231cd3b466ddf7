"""What became of a request that a page has made of the API."""

from __future__ import annotations

from xinghe.api.account.schema import RequestShown
from xinghe.console.calls import Refused
from xinghe.console.page import Page


async def request_of(page: Page, request_id: str) -> RequestShown | None:
    """None where the service kept nothing of it."""
    try:
        return await page.api.get(
            f"/v1/account/requests/{request_id}", RequestShown, zone=page.browser.zone
        )
    except Refused:
        return None
