"""`/console/group/{group}/invitations`: who may come in by which link; a new one, shown once."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from msgspec import UNSET
from starlette.responses import Response

from xinghe.admin.groups import GroupView
from xinghe.admin.invitations import InvitationList, InvitationView
from xinghe.console.calls import Refused
from xinghe.console.group.which import ONE, api_path, form_key, here
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.tokens.form import end_of, figure

PATH = f"{ONE}/invitations"
MOST = 100


async def show(page: Page) -> Response:
    return await _shown(page)


async def make(page: Page) -> Response:
    body: dict[str, Any] = {"uses": figure(page.field("uses"))}
    if page.field("role") not in ("", "member"):
        body["role"] = page.field("role")
    if page.field("day"):
        body["expires_at"] = end_of(page.field("day"), page.browser.zone)
    try:
        made = await page.api.send(
            "POST",
            f"{api_path(page)}/invitations",
            InvitationView,
            body,
            idempotency_key=form_key(page.field("once"), body),
        )
    except Refused as refused:
        return await _shown(page, refused=refused)
    link = "" if made.code is UNSET else f"{page.base_url}/console/join?invitation={made.code}"
    response = await _shown(page, made=made, link=link)
    response.headers["cache-control"] = "no-store"
    return response


async def revoke(page: Page) -> Response:
    number = page.request.path_params["invitation"]
    await page.api.send("DELETE", f"/admin/v1/invitations/{number}", InvitationView)
    return page.go(f"{here(page)}/invitations")


async def _shown(
    page: Page,
    *,
    made: InvitationView | None = None,
    link: str = "",
    refused: Refused | None = None,
) -> Response:
    path = api_path(page)
    group, found = await asyncio.gather(
        page.api.get(path, GroupView),
        page.api.get(
            f"{path}/invitations", InvitationList, limit=MOST, after=page.query.get("after")
        ),
    )
    return page.render(
        "group/invite.html",
        status=refused.status if refused else 200,
        group=group,
        invitations=found.data[::-1],
        after=found.next,
        made=made,
        link=link,
        refused=refused,
        here=here(page),
        once=secrets.token_hex(16),
    )


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", PATH, make),
    Route("POST", f"{PATH}/{{invitation:int}}/revoke", revoke),
)
