"""`/console/group/{group}/report`: who spent what in a time, to read, to print, or as CSV."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

from starlette.responses import Response

from xinghe.admin.groups import GroupView
from xinghe.admin.spending import SpendingView
from xinghe.console.calls import Refused
from xinghe.console.group.which import ONE, api_path, here
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.sums import USAGE
from xinghe.console.usage.export import export

INTERVALS = ("month", "day")


async def show(page: Page) -> Response:
    group = await page.api.get(api_path(page), GroupView)
    since, until = _days(page)
    question = {"since": since, "until": until, "zone": page.browser.zone}
    spending, refused = None, None
    try:
        spending = await page.api.get(f"{api_path(page)}/spending", SpendingView, **question)
    except Refused as failed:
        if failed.param not in ("since", "until"):
            raise
        refused = failed
    return page.render(
        "group/report.html",
        status=refused.status if refused else 200,
        group=group,
        since=since,
        until=until,
        spending=spending,
        refused=refused,
        here=here(page),
    )


async def file(page: Page) -> Response:
    """The API's own file: a mark for Excel at its head, and no cell that could be a formula."""
    group = await page.api.get(api_path(page), GroupView)
    interval = page.query.get("interval", "")
    question = _question(page, group) | {
        "interval": interval if interval in INTERVALS else "month",
        "format": "csv",
    }
    return await export(page.api, page.request, USAGE, question)


def _question(page: Page, group: GroupView) -> dict[str, str]:
    since, until = _days(page)
    zone = page.browser.zone
    return {"group": group.name, "by": "member", "from": since, "to": until, "zone": zone}


def _days(page: Page) -> tuple[str, str]:
    """The first and the last day: of the running month, where nothing is said."""
    today = datetime.datetime.now(ZoneInfo(page.browser.zone)).date()
    since = page.query.get("from", "").strip() or today.replace(day=1).isoformat()
    return since, page.query.get("to", "").strip() or today.isoformat()


ROUTES = (
    Route("GET", f"{ONE}/report", show),
    Route("GET", f"{ONE}/spending.csv", file),
)
