"""`/console/groups`: all groups, for operators; a new one. What is within stands on its page."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from xinghe.admin.groups import GroupList, GroupView
from xinghe.console.calls import Refused
from xinghe.console.groups import GROUPS
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.tokens.form import figure

PATH = "/console/groups"
MOST = 50


async def show(page: Page) -> Response:
    return await _shown(page)


async def make(page: Page) -> Response:
    body: dict[str, Any] = {
        "name": page.field("new"),
        "tokens": figure(page.field("tokens") or "0"),
    }
    if page.field("parent"):
        body["parent"] = figure(page.field("parent"))
    try:
        made = await page.api.send("POST", GROUPS, GroupView, body)
    except Refused as refused:
        return await _shown(page, refused)
    return page.go(f"/console/group/{made.id}")


async def _shown(page: Page, refused: Refused | None = None) -> Response:
    if not page.session.member.operator:
        if refused is not None:
            raise refused
        return page.go("/console/group")
    found = await page.api.get(GROUPS, GroupList, limit=MOST, after=page.query.get("after"))
    return page.render(
        "operate/groups.html",
        status=refused.status if refused else 200,
        groups=found.data,
        after=found.next,
        refused=refused,
    )


ROUTES = (Route("GET", PATH, show), Route("POST", PATH, make))
