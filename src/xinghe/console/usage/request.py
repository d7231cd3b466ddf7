"""`/console/usage/requests/{id}`: what became of one request, what it cost, and why."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from starlette.responses import Response

from xinghe.api.account.schema import RequestShown
from xinghe.console import advice
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.usage.filters import REQUESTS, Filters

REQUEST = "/v1/account/requests/"
DONE = ("charged", "running")
"""Outcomes that are no errors."""
WIDTH = 800
"""Of the line of time, in units of its SVG."""


class Cost(NamedTuple):
    """What one kind of tokens (or searches) came to: `number` × `rate`."""

    chinese: str
    english: str
    number: int
    rate: Decimal | None
    cost: Decimal


class Part(NamedTuple):
    """A part of the time that a request took; milliseconds, and where it is drawn."""

    style: str
    chinese: str
    english: str
    took: int
    x: float
    width: float


async def show(page: Page) -> Response:
    asked = Filters.of(page.query, page.browser.zone)
    request_id = page.request.path_params["id"]
    try:
        found = await page.api.get(REQUEST + request_id, RequestShown, **asked.scope)
    except Refused as refused:
        if refused.status != 404:
            raise
        return page.render(
            "usage/unknown.html", status=404, asked=asked, request_id=request_id, refused=refused
        )
    return page.render(
        "usage/request.html",
        asked=asked,
        request=found,
        costs=costs(found),
        parts=parts(found),
        width=WIDTH,
        advice=None if found.outcome in DONE else page.text(*advice.of(found.outcome)),
    )


def costs(request: RequestShown) -> list[Cost]:
    """The sum of what it cost; what there was none of is left out."""
    fresh = request.prompt_tokens - request.cached_tokens
    every = (
        Cost("输入", "Prompt", fresh, request.input_rate, request.input_cost),
        Cost("缓存的输入", "Cached prompt", request.cached_tokens, request.cached_rate,
             request.cached_cost),
        Cost("输出", "Completion", request.completion_tokens, request.output_rate,
             request.output_cost),
        Cost("联网搜索（次）", "Web searches", request.searches, request.search_rate,
             request.search_cost),
    )  # fmt: skip
    return [each for each in every if each.number]


def parts(request: RequestShown) -> list[Part]:
    """Of its time, in order; none where that is not known."""
    if request.wait_ms is None or request.total_ms is None:
        return []
    first = request.total_ms if request.first_ms is None else request.first_ms
    spans = [
        ("p0", "等待", "Waiting", 0, request.wait_ms),
        ("p1", "到首个 Token", "To the first token", request.wait_ms, first),
        ("p2", "其余的生成", "The rest", first, request.total_ms),
    ]
    whole = max(request.total_ms, 1)
    return [
        Part(style, chinese, english, end - begin, round(begin / whole * WIDTH, 1),
             round(max(end - begin, 0) / whole * WIDTH, 1))
        for style, chinese, english, begin, end in spans
    ]  # fmt: skip


ROUTES = (Route("GET", f"{REQUESTS}/{{id}}", show),)
