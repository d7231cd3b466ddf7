"""`/console/wallets`: all of them; what one holds and what was booked; a grant, with a reason."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from xinghe.admin.groups import GroupView
from xinghe.admin.wallets import Grant, WalletList, WalletView
from xinghe.api.account.schema import EntryList
from xinghe.console.calls import Refused
from xinghe.console.group.which import form_key
from xinghe.console.groups import GROUPS
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.tokens.form import end_of, figure

PATH = "/console/wallets"
ONE = f"{PATH}/{{wallet:int}}"
API = "/admin/v1/wallets"
MOST = 50
LAST = 20
"""Entries that are shown."""


async def find(page: Page) -> Response:
    """All wallets, or one by its number: members and groups lead to theirs, too."""
    asked = {name: page.query.get(name, "").strip() for name in ("name", "order", "number")}
    number = asked["number"]
    if number.isascii() and number.isdigit():
        return page.go(f"{PATH}/{number[:15]}")
    if not page.session.member.operator:
        return page.go("/console/shop")
    name, order = asked["name"][:64], asked["order"]
    found, refused = WalletList(data=[]), None
    try:
        found = await page.api.get(
            API, WalletList, name=name, order=order, limit=MOST, after=page.query.get("after")
        )
    except Refused as failed:
        if failed.param != "order":
            raise
        refused = failed
    given = {"name": name, "order": order, "after": found.next or ""}
    return page.render(
        "operate/wallets.html",
        status=refused.status if refused else 200,
        wallets=found.data,
        asked=asked,
        more=f"{PATH}?{urlencode(given)}" if found.next else "",
        refused=refused,
    )


async def show(page: Page) -> Response:
    return await _shown(page)


async def grant(page: Page) -> Response:
    body: dict[str, Any] = {
        "amount": figure(page.field("amount")),
        "reason": page.field("reason"),
        "expires_at": end_of(page.field("day"), page.browser.zone),
    }
    key = form_key(page.field("once"), body)
    try:
        await page.api.send("POST", f"{_api(page)}/grants", Grant, body, idempotency_key=key)
    except Refused as refused:
        return await _shown(page, refused)
    return page.go(f"{PATH}/{page.request.path_params['wallet']}?granted=1")


async def _shown(page: Page, refused: Refused | None = None) -> Response:
    wallet = await page.api.get(_api(page), WalletView)
    group, entries = await asyncio.gather(_group(page, wallet), _entries(page, wallet))
    return page.render(
        "operate/wallet.html",
        status=refused.status if refused else 200,
        wallet=wallet,
        group=group,
        entries=entries,
        refused=refused,
        once=secrets.token_hex(16),
    )


async def _group(page: Page, wallet: WalletView) -> GroupView | None:
    if wallet.group is None:
        return None
    return await page.api.get(f"{GROUPS}/{wallet.group}", GroupView)


async def _entries(page: Page, wallet: WalletView) -> EntryList | None:
    """The last entries of a member; a group's stand in the details of its usage."""
    if wallet.member is None:
        return None
    return await page.api.get(
        "/v1/account/entries",
        EntryList,
        member=wallet.member,
        limit=LAST,
        zone=page.browser.zone,
    )


def _api(page: Page) -> str:
    return f"{API}/{page.request.path_params['wallet']}"


ROUTES = (
    Route("GET", PATH, find),
    Route("GET", ONE, show),
    Route("POST", f"{ONE}/grants", grant),
)
