"""`/console/usage`: what was used, as charts and as a list of entries, under the same filters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any, TypeVar

from starlette.responses import Response

from xinghe.api.account.schema import EntryList, Totals
from xinghe.api.errors import Errors
from xinghe.console import advice
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.sums import USAGE
from xinghe.console.usage import drawing, request
from xinghe.console.usage.choices import Choices, choices
from xinghe.console.usage.export import export
from xinghe.console.usage.filters import CHARTS, ENTRIES, REQUESTS, Filters
from xinghe.console.usage.links import Links
from xinghe.console.usage.series import Chart, Series, chart

LISTED = "/v1/account/entries"
PAGE = 50
FORMS = ("csv", "jsonl")
_OF_FILTERS = {
    Errors.MALFORMED_JSON.value.code,
    Errors.NO_PARAMETER_PERMISSION.value.code,
}
"""What the API says where it is the filters that it does not take."""

T = TypeVar("T")


async def charts(page: Page) -> Response:
    asked = Filters.of(page.query, page.browser.zone)
    offered, found = await _both(page, asked, chart(page.api, asked))
    if isinstance(found, Refused):
        return _refused(page, asked, offered, found)
    shown = drawing.draw(found, asked.metric) if found.series else None
    return page.render(
        "usage/charts.html",
        asked=asked,
        offered=offered,
        refused=None,
        chart=found,
        drawing=shown,
        behind=Links(asked),
        names={each.key: _called(page, found, asked, each) for each in found.series},
        advice=advice.of,
    )


async def entries(page: Page) -> Response:
    asked = Filters.of(page.query, page.browser.zone)
    offered, found = await _both(page, asked, _entries(page, asked))
    if isinstance(found, Refused):
        return _refused(page, asked, offered, found)
    listed, totals = found
    return page.render(
        "usage/entries.html",
        asked=asked,
        offered=offered,
        refused=None,
        listed=listed,
        totals=totals,
        later=bool(page.query.get("after")),
        forms=FORMS,
    )


async def find(page: Page) -> Response:
    """From the search box to the page of a request."""
    asked = Filters.of(page.query, page.browser.zone)
    request_id = page.query.get("id", "").strip()
    return page.go(asked.request(request_id) if request_id else asked.url(ENTRIES))


async def _file(page: Page, path: str, form: str) -> Response:
    asked = Filters.of(page.query, page.browser.zone)
    question = asked.filters | {"format": form}
    if path == LISTED:
        question |= {"kind": asked["kind"]}
    else:
        span = asked.span
        question |= {"by": asked.by, "interval": "day" if span is None else span.interval}
    return await export(page.api, page.request, path, question)


def _called(page: Page, chart: Chart, asked: Filters, series: Series) -> str:
    """What people call a series. A name is isolated: one that is read from the right turns nothing
    else around.
    """
    if series.several:
        return page.text(f"其他 {series.several} 个", f"{series.several} others")
    if not series.name:
        return page.text("未知", "Not known") if chart.apart else page.text("全部", "All")
    name = f"\u2068{series.name}\u2069"
    return f"{name} ({series.key})" if asked.by == "token" else name


async def _entries(page: Page, asked: Filters) -> tuple[EntryList, Totals | None]:
    """A page of them, and the sums of all that the filters match. Raises `Refused`."""
    question: dict[str, Any] = asked.filters | {"kind": asked["kind"]}
    after = page.query.get("after")
    listing = page.api.get(LISTED, EntryList, **question, limit=PAGE, after=after)
    if not after:
        listed = await listing
        return listed, listed.totals
    # On a later page, the API does not say the sums again.
    listed, first = await asyncio.gather(
        listing, page.api.get(LISTED, EntryList, **question, limit=1)
    )
    return listed, first.totals


async def _both(page: Page, asked: Filters, work: Awaitable[T]) -> tuple[Choices, T | Refused]:
    """What the form offers, beside what came of the work, or why the filters are refused."""

    async def attempt() -> T | Refused:
        try:
            return await work
        except Refused as refused:
            if refused.code not in _OF_FILTERS:
                raise
            return refused

    return await asyncio.gather(choices(page, asked), attempt())


def _refused(page: Page, asked: Filters, offered: Choices, refused: Refused) -> Response:
    return page.render(
        "usage/frame.html", status=refused.status, asked=asked, offered=offered, refused=refused
    )


ROUTES = (
    Route("GET", CHARTS, charts),
    Route("GET", ENTRIES, entries),
    *(
        Route("GET", f"{CHARTS}/{name}.{form}", partial(_file, path=path, form=form))
        for name, path in (("entries", LISTED), ("sums", USAGE))
        for form in FORMS
    ),
    Route("GET", REQUESTS, find),
    *request.ROUTES,
)
