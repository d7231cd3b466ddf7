"""`/console/live`: what the gateway does now, for operators; it updates by itself."""

from __future__ import annotations

from starlette.responses import Response

from xinghe.admin.live import LiveView
from xinghe.console import advice
from xinghe.console.live.drawing import draw
from xinghe.console.page import Page
from xinghe.console.route import Route

PATH = "/console/live"
EVERY = 2
"""Seconds from one look to the next."""


async def show(page: Page) -> Response:
    api = page.api.spared() if page.partial else page.api
    found = await api.get("/admin/v1/live", LiveView)
    whole = found.steps[:-1]  # the last is not over yet, and would look like a fall
    return page.render(
        "live/now.html" if page.partial else "live/page.html",
        live=found,
        requests=draw([((each.requests - each.errors), each.errors) for each in whole]),
        written=draw([(each.completion_tokens / found.step,) for each in whole]),
        held="hold" in page.query,
        every=EVERY,
        path=PATH,
        advice=advice.of,
    )


ROUTES = (Route("GET", PATH, show),)
