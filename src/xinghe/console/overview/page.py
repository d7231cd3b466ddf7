"""`/console/`: what is left, and how the last days were."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET
from starlette.responses import Response

from xinghe.admin.groups import GroupList
from xinghe.api.account.schema import AccountShown, FailedList, Lot, UsageShown
from xinghe.api.errors import Errors
from xinghe.console import advice
from xinghe.console.calls import Refused
from xinghe.console.overview.days import DAYS, HEIGHT, STEP, WIDTH, days, figure, first
from xinghe.console.page import HOME, Page
from xinghe.console.route import Route
from xinghe.console.sums import sums

ACCOUNT, FAILED = "/v1/account", "/v1/account/requests"
GROUPS = "/admin/v1/groups"
MOST_GROUPS = 6
"""Of those that somebody manages, whose accounts are shown."""
MOST_LOTS = 10
MOST_FAILED = 8
SOON = datetime.timedelta(days=7)


class ShownLot(msgspec.Struct, frozen=True):
    """A lot; `left` are the whole days before it expires, where those are few."""

    lot: Lot
    left: int | None


async def show(page: Page) -> Response:
    zone = page.browser.zone
    today = datetime.datetime.now(ZoneInfo(zone)).date()
    account, (usage, whole), failed, groups = await asyncio.gather(
        page.api.get(ACCOUNT, AccountShown, zone=zone),
        _usage(page, today),
        page.api.get(FAILED, FailedList, zone=zone, limit=MOST_FAILED),
        _managed(page),
    )
    past, own = days(usage, today), lots(account.lots)
    return page.render(
        "overview/page.html",
        account=account,
        lots=own,
        soon=sum(each.lot.remaining for each in own if each.left is not None),
        groups=[(group, lots(group.lots)) for group in groups],
        figures={
            name: figure(past, name, compared=whole)
            for name in ("spent", "requests", "error_rate", "first_token_ms")
        },
        days=past[-DAYS:],
        failed=failed.data,
        advice=advice.of,
        new=not usage,
        until=None if whole else usage[-1].until[:10] if usage else past[0].date,
        most=MOST_LOTS,
        chart={"height": HEIGHT, "width": DAYS * STEP, "bar": WIDTH, "step": STEP},
    )


def lots(given: Sequence[Lot]) -> list[ShownLot]:
    """The soonest to expire first, those that never do last."""
    now = datetime.datetime.now(datetime.UTC)
    ordered = sorted(given, key=lambda lot: (lot.expires_at is None, _end(lot) or now))
    return [ShownLot(lot, _left(lot, now)) for lot in ordered]


def _left(lot: Lot, now: datetime.datetime) -> int | None:
    end = _end(lot)
    return None if end is None or end - now > SOON else max(0, (end - now).days)


def _end(lot: Lot) -> datetime.datetime | None:
    return None if lot.expires_at is None else datetime.datetime.fromisoformat(lot.expires_at)


async def _usage(page: Page, today: datetime.date) -> tuple[list[UsageShown], bool]:
    """What was used by day, the oldest first, and whether that is all."""
    asked = {"zone": page.browser.zone, "interval": "day", "from": first(today), "to": today}
    rows, following = await sums(page.api, asked)
    return rows, following is None


async def _managed(page: Page) -> list[AccountShown]:
    """The accounts of the first groups that the member manages himself."""
    if page.session.member.operator or "admin" not in page.session.scopes:
        return []
    try:
        groups = (await page.api.get(GROUPS, GroupList)).data
    except Refused as refused:
        if refused.status != Errors.NOT_PERMITTED.value.status:
            raise
        return []  # he is in none
    managed = [each.name for each in groups if each.wallet is not UNSET][:MOST_GROUPS]
    zone = page.browser.zone
    return await asyncio.gather(
        *(page.api.get(ACCOUNT, AccountShown, zone=zone, group=name) for name in managed)
    )


async def home(page: Page) -> Response:
    return page.go(HOME)


ROUTES = (
    Route("GET", HOME, show),
    Route("GET", HOME.removesuffix("/"), home),
)
