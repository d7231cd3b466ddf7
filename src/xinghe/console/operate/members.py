"""`/console/members`: all members, for operators; a new one; one disabled, or made an operator."""

from __future__ import annotations

from starlette.responses import Response

from xinghe.admin.members import MemberList, MemberView
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.tokens.form import figure

PATH = "/console/members"
API = "/admin/v1/members"
MOST = 50


async def show(page: Page) -> Response:
    return await _shown(page)


async def make(page: Page) -> Response:
    body = {"name": page.field("new"), "tokens": figure(page.field("tokens") or "0")}
    try:
        made = await page.api.send("POST", API, MemberView, body)
    except Refused as refused:
        return await _shown(page, refused)
    return page.go(f"{PATH}/{made.id}")


async def one(page: Page) -> Response:
    return await _one(page)


async def change(page: Page) -> Response:
    """Disable, enable, make an operator or no longer, unless somebody has changed him since."""
    field = "operator" if page.field("operator") else "disabled"
    body = {field: page.field(field) == "1"}
    try:
        await page.api.send("PATCH", _api(page), MemberView, body, if_match=page.field("version"))
    except Refused as refused:
        return await _one(page, refused)
    return page.go(f"{PATH}/{page.request.path_params['member']}")


async def _shown(page: Page, refused: Refused | None = None) -> Response:
    name = page.query.get("name", "").strip()
    found = await page.api.get(
        API, MemberList, name=name[:64], limit=MOST, after=page.query.get("after")
    )
    return page.render(
        "operate/members.html",
        status=refused.status if refused else 200,
        members=found.data,
        after=found.next,
        name=name,
        refused=refused,
    )


async def _one(page: Page, refused: Refused | None = None) -> Response:
    member, version = await page.api.tagged(_api(page), MemberView)
    return page.render(
        "operate/member.html",
        status=refused.status if refused else 200,
        member=member,
        version=version,
        refused=refused,
    )


def _api(page: Page) -> str:
    return f"{API}/{page.request.path_params['member']}"


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", f"{PATH}/new", make),
    Route("GET", f"{PATH}/{{member}}", one),
    Route("POST", f"{PATH}/{{member}}", change),
)
