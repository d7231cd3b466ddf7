"""`/console/wallets/{wallet}`: what a wallet holds and what was booked; a grant, with a reason."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from starlette.responses import Response

from xinghe.admin.groups import GroupView
from xinghe.admin.wallets import Grant, WalletView
from xinghe.api.account.schema import EntryList
from xinghe.console.calls import Refused
from xinghe.console.group.which import form_key
from xinghe.console.groups import GROUPS
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.tokens.form import end_of, figure

PATH = "/console/wallets"
ONE = f"{PATH}/{{wallet:int}}"
LAST = 20
"""Entries that are shown."""


async def find(page: Page) -> Response:
    """A wallet by its number: members and groups lead to theirs."""
    number = page.query.get("number", "").strip()
    if number.isascii() and number.isdigit():
        return page.go(f"{PATH}/{number[:15]}")
    if not page.session.member.operator:
        return page.go("/console/shop")
    return page.render("operate/wallets.html", number=number)


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
    return f"/admin/v1/wallets/{page.request.path_params['wallet']}"


ROUTES = (
    Route("GET", PATH, find),
    Route("GET", ONE, show),
    Route("POST", f"{ONE}/grants", grant),
)
