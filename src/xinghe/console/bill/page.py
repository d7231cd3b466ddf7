"""`/console/bill`: the bill of a month, to be read and to be printed."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, NamedTuple

from starlette.responses import Response

from xinghe.api.account.bill.schema import BillLine, BillMember, BillShown
from xinghe.api.errors import Errors
from xinghe.console.bill.late import Late
from xinghe.console.bill.query import BILL, BillQuery
from xinghe.console.calls import Refused
from xinghe.console.groups import groups
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.usage.export import export

ASKED = "/v1/account/bill"
FORMS = ("csv", "jsonl")
WAITED_FOR = 0.05
"""Seconds after which the page begins before its bill is there."""
MARK = "<!-- bill -->"
_OF_THE_FORM = {
    Errors.MALFORMED_JSON.value.code,
    Errors.NO_PARAMETER_PERMISSION.value.code,
}
"""What the API says where it is what the form asks for that it does not take."""


class Part(NamedTuple):
    """What a member used, and the lines of it."""

    member: BillMember
    lines: list[BillLine]


async def show(page: Page) -> Response:
    asked = BillQuery.of(page.query, page.browser.zone)
    making = asyncio.create_task(page.api.get(ASKED, BillShown, **asked.question))
    try:
        admin = "admin" in page.session.scopes
        mine = await groups(page) if admin else []
        await asyncio.wait({making}, timeout=WAITED_FOR)
    except BaseException:
        making.cancel()
        raise
    names = [each.name for each in mine]
    if asked["group"] and asked["group"] not in names:
        names.append(asked["group"])
    frame: dict[str, Any] = {
        "asked": asked,
        "groups": names,
        "names_members": bool(asked["member"]) or (admin and page.session.member.operator),
    }
    if making.done():
        try:
            found = making.result()
        except Refused as refused:
            if refused.code not in _OF_THE_FORM:
                raise
            return page.render(
                "bill/page.html", status=refused.status, bill=None, refused=refused, **frame
            )
        return page.render(
            "bill/page.html", bill=found, refused=None, parts=parts(found), forms=FORMS, **frame
        )
    before, behind = page.html("bill/page.html", bill=None, refused=None, **frame).split(MARK)
    return Late(before, asyncio.create_task(_later(page, asked, making)), behind)


async def _later(page: Page, asked: BillQuery, making: asyncio.Task[BillShown]) -> str:
    try:
        found = await making
    except Refused as refused:
        return page.html("bill/refused.html", refused=refused)
    finally:
        making.cancel()
    return page.html("bill/bill.html", asked=asked, bill=found, parts=parts(found), forms=FORMS)


def parts(bill: BillShown) -> list[Part]:
    """Its lines by member; of some members there may be none, where there are very many."""
    found = [Part(member, []) for member in bill.members]
    of_member = {part.member.member: part.lines for part in found}
    for line in bill.lines:
        of_member[line.member].append(line)
    return found


async def _file(page: Page, form: str) -> Response:
    asked = BillQuery.of(page.query, page.browser.zone)
    return await export(page.api, page.request, ASKED, asked.question | {"format": form})


ROUTES = (
    Route("GET", BILL, show),
    *(Route("GET", f"{BILL}/bill.{form}", partial(_file, form=form)) for form in FORMS),
)
