"""`/console/group`: the people of a group that one manages: found, in order; budgets of many."""

from __future__ import annotations

import asyncio
import datetime
import secrets
from typing import Any, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from starlette.responses import Response

from xinghe.admin.charge import BudgetsSet
from xinghe.admin.groups import GroupView
from xinghe.admin.people import Order, PersonList
from xinghe.api.account.schema import UsageList
from xinghe.console.calls import Refused
from xinghe.console.group.which import ONE, PATH, api_path, form_key, here, stops
from xinghe.console.groups import groups
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.sums import USAGE
from xinghe.console.tokens.form import figure

MOST = 50
"""People on one page."""
ORDERS = get_args(Order)
PERIODS = ("month", "week", "day", "total")


class Typed(msgspec.Struct):
    """What was typed to set budgets, and why it was refused."""

    refused: Refused | None = None
    members: list[str] = []
    amount: str = ""
    per: str = "month"


class PeopleQuery(msgspec.Struct):
    """Which people are looked for: it stands in the URL, and goes along with the form."""

    name: str = ""
    order: str = "month"
    after: str = ""

    @classmethod
    def of(cls, given: Any) -> PeopleQuery:
        order = given("order")
        after = given("after")
        return cls(
            given("name")[:64],
            order if order in ORDERS else "month",
            after if after.isascii() and after.isdigit() and len(after) < 16 else "",
        )

    def url(self, path: str, **changes: str) -> str:
        told = msgspec.structs.asdict(self) | changes
        query = {name: value for name, value in told.items() if value}
        return f"{path}?{urlencode(query)}"


async def home(page: Page) -> Response:
    """The only group at once, or all to choose from."""
    mine = await groups(page)
    if len(mine) == 1:
        return page.go(f"{PATH}/{mine[0].id}")
    return page.render("group/home.html", groups=mine)


async def show(page: Page) -> Response:
    asked = PeopleQuery.of(lambda name: page.query.get(name, "").strip())
    return await _shown(page, asked, Typed())


async def limit(page: Page) -> Response:
    """Set or end the budgets of those who are ticked."""
    asked = PeopleQuery.of(page.field)
    typed = Typed(
        members=[each for each in page.form.getlist("member") if isinstance(each, str)],
        amount=page.field("amount"),
        per=page.field("per"),
    )
    body = {
        "members": typed.members,
        "amount": None if page.field("end") else figure(typed.amount),
        "per": typed.per,
        "zone": page.browser.zone,
    }
    try:
        await page.api.send(
            "POST",
            f"{api_path(page)}/budgets",
            BudgetsSet,
            body,
            idempotency_key=form_key(page.field("once"), body),
        )
    except Refused as refused:
        typed.refused = refused
        return await _shown(page, asked, typed)
    done = "ended" if page.field("end") else "set"
    return page.go(asked.url(here(page), **{done: str(len(typed.members))}))


async def _shown(page: Page, asked: PeopleQuery, typed: Typed) -> Response:
    zone, path = page.browser.zone, api_path(page)
    group, found = await asyncio.gather(
        page.api.get(path, GroupView),
        page.api.get(
            f"{path}/people",
            PersonList,
            name=asked.name,
            order=asked.order,
            after=asked.after,
            limit=MOST,
            zone=zone,
        ),
    )
    month = datetime.datetime.now(ZoneInfo(zone)).date().replace(day=1)
    question = {"group": group.name, "interval": "month", "from": month, "zone": zone}
    sums = await page.api.get(USAGE, UsageList, **question)
    return page.render(
        "group/page.html",
        status=typed.refused.status if typed.refused else 200,
        group=group,
        found=found,
        asked=asked,
        typed=typed,
        spent=sum(each.spent for each in sums.data),
        first=int(asked.after or 0) + 1,
        stops=stops,
        here=here(page),
        periods=PERIODS,
        once=secrets.token_hex(16),
    )


ROUTES = (
    Route("GET", PATH, home),
    Route("GET", ONE, show),
    Route("POST", f"{ONE}/budgets", limit),
)
