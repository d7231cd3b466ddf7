"""`/console/group/{group}/report`: who spent what in a time, to read, to print, or as CSV."""

from __future__ import annotations

import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
from starlette.responses import Response

from xinghe.admin.groups import GroupView
from xinghe.api.account.schema import UsageShown
from xinghe.console.calls import Refused
from xinghe.console.group.which import ONE, api_path, here
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.sums import USAGE, sums
from xinghe.console.usage.export import export

MOST = 10_000
INTERVALS = ("month", "day")


class Line(msgspec.Struct):
    """What somebody used in all of the time."""

    name: str
    member: str
    spent: Decimal = Decimal(0)
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, row: UsageShown) -> None:
        self.spent += row.spent
        self.requests += row.requests
        self.prompt_tokens += row.prompt_tokens
        self.completion_tokens += row.completion_tokens


async def show(page: Page) -> Response:
    group = await page.api.get(api_path(page), GroupView)
    since, until = _days(page)
    question = _question(page, group) | {"interval": "month"}
    try:
        rows, following = await sums(page.api, question, MOST)
        refused = None
    except Refused as failed:
        if failed.param not in ("from", "to"):
            raise
        rows, following, refused = [], None, failed
    found: dict[str, Line] = {}
    for row in rows:
        key = row.member or ""
        found.setdefault(key, Line(row.member_name or key, key)).add(row)
    lines = sorted(found.values(), key=lambda each: (-each.spent, each.name))
    total = Line("", "")
    for row in rows:
        total.add(row)
    return page.render(
        "group/report.html",
        status=refused.status if refused else 200,
        group=group,
        since=since,
        until=until,
        lines=lines,
        total=total,
        partly=following is not None,
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
