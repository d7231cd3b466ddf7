"""`/console/group/{group}/members/{member}`: what somebody uses, may use and is kept from."""

from __future__ import annotations

import asyncio
import datetime
import secrets
from zoneinfo import ZoneInfo

import msgspec
from starlette.responses import Response

from xinghe.admin.charge import BudgetsSet
from xinghe.admin.groups import GroupView, MembershipView
from xinghe.admin.members import MemberView
from xinghe.admin.people import PersonView
from xinghe.admin.tokens import TokenList, TokenView
from xinghe.api.account.schema import FailedList
from xinghe.api.errors import Errors
from xinghe.console import advice
from xinghe.console.calls import Refused
from xinghe.console.group.which import PERSON, api_path, form_key, here, stops
from xinghe.console.groups import groups
from xinghe.console.overview.days import DAYS, HEIGHT, STEP, WIDTH, days, figure, first
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.sums import sums
from xinghe.console.tokens.form import figure as number

FAILED = "/v1/account/requests"
MOST_FAILED, MOST_TOKENS = 8, 50


class Typed(msgspec.Struct):
    """What was refused, and what was typed."""

    refused: Refused
    amount: str = ""
    per: str = "month"


async def show(page: Page) -> Response:
    return await _shown(page)


async def limit(page: Page) -> Response:
    """Set a budget, or end it."""
    body = {
        "members": [page.request.path_params["member"]],
        "amount": None if page.field("end") else number(page.field("amount")),
        "per": page.field("per"),
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
        return await _shown(page, Typed(refused, page.field("amount"), page.field("per")))
    return page.go(f"{_path(page)}#budgets")


async def able(page: Page) -> Response:
    """Disable or enable, unless somebody has changed him since the page was read."""
    change = {"disabled": page.field("disabled") == "1"}
    try:
        await page.api.send(
            "PATCH", _member(page), MemberView, change, if_match=page.field("version")
        )
    except Refused as refused:
        return await _shown(page, Typed(refused))
    return page.go(_path(page))


async def move(page: Page) -> Response:
    try:
        path = f"{api_path(page)}/members/{page.request.path_params['member']}/move"
        await page.api.send("POST", path, MembershipView, {"group": number(page.field("group"))})
    except Refused as refused:
        if refused.param != "group" and refused.status == Errors.NO_SUCH_OBJECT.value.status:
            return page.go(here(page))  # he has moved already
        return await _shown(page, Typed(refused))
    return page.go(f"/console/group/{page.field('group')}/members/{_name(page)}")


async def _shown(page: Page, typed: Typed | None = None) -> Response:
    zone, name = page.browser.zone, _name(page)
    path = api_path(page)
    group, person = await asyncio.gather(
        page.api.get(path, GroupView),
        page.api.get(f"{path}/people/{name}", PersonView, zone=zone),
    )
    # Behind those: whoever is not in the group is told that alone, and in the same words.
    _, version = await page.api.tagged(_member(page), MemberView)
    today = datetime.datetime.now(ZoneInfo(zone)).date()
    about = {"group": group.name, "member": person.member, "zone": zone}
    asked = about | {"interval": "day", "from": first(today), "to": today}
    (rows, following), failed, tokens, mine = await asyncio.gather(
        sums(page.api, asked),
        page.api.get(FAILED, FailedList, **about, limit=MOST_FAILED),
        _tokens(page),
        groups(page),
    )
    past = days(rows, today)
    return page.render(
        "group/person.html",
        status=typed.refused.status if typed else 200,
        group=group,
        person=person,
        version=version,
        stops=stops(person),
        figures={
            each: figure(past, each, compared=following is None) for each in ("spent", "requests")
        },
        days=past[-DAYS:],
        chart={"height": HEIGHT, "width": DAYS * STEP, "bar": WIDTH, "step": STEP},
        failed=failed.data,
        tokens=tokens,
        others=[each for each in mine if each.id != group.id],
        typed=typed,
        here=_path(page),
        once=secrets.token_hex(16),
        advice=advice.of,
    )


async def _tokens(page: Page) -> list[TokenView] | None:
    """Those of somebody in one's charge; None: they are not for one to see."""
    try:
        found = await page.api.get(f"{_member(page)}/tokens", TokenList, limit=MOST_TOKENS)
    except Refused as refused:
        if refused.code != Errors.NOT_PERMITTED.value.code:
            raise
        return None
    return [each for each in found.data if each.state != "revoked"]


def _name(page: Page) -> str:
    name: str = page.request.path_params["member"]
    return name


def _member(page: Page) -> str:
    return f"/admin/v1/members/{_name(page)}"


def _path(page: Page) -> str:
    return f"{here(page)}/members/{_name(page)}"


ROUTES = (
    Route("GET", PERSON, show),
    Route("POST", f"{PERSON}/budgets", limit),
    Route("POST", f"{PERSON}/able", able),
    Route("POST", f"{PERSON}/move", move),
)
