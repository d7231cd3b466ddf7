"""`/console/audit`: who did what to what, when; what was there before, and after."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from xinghe.admin.audit import AuditLog
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route

PATH = "/console/audit"
MOST = 50
FILTERS = ("actor", "action", "subject", "since", "until")


async def show(page: Page) -> Response:
    asked = {name: page.query.get(name, "").strip()[:80] for name in FILTERS}
    found, refused = AuditLog(data=[]), None
    try:
        found = await page.api.get(
            "/admin/v1/audit",
            AuditLog,
            **asked,
            zone=page.browser.zone,
            limit=MOST,
            after=page.query.get("after"),
        )
    except Refused as failed:
        if failed.param not in FILTERS:
            raise
        refused = failed
    given = {name: value for name, value in asked.items() if value}
    return page.render(
        "operate/audit.html",
        status=refused.status if refused else 200,
        rows=found.data,
        older=f"{PATH}?{urlencode(given | {'after': found.next})}" if found.next else "",
        asked=asked,
        refused=refused,
        readable=readable,
    )


def readable(value: Any) -> str:
    """JSON as people read it."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


ROUTES = (Route("GET", PATH, show),)
