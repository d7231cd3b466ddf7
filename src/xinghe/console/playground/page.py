"""`/console/playground`: a conversation with a model, for whoever is signed in."""

from __future__ import annotations

from starlette.responses import Response

from xinghe.api.models import Model, ModelList
from xinghe.console import advice
from xinghe.console.assets import MODULES
from xinghe.console.page import NotServed, Page
from xinghe.console.playground.handing import OFFERED, Handed
from xinghe.console.playground.words import words
from xinghe.console.route import Route

PATH = "/console/playground"


async def show(page: Page) -> Response:
    return page.render(
        "playground/page.html",
        modules=MODULES,
        models=await _models(page),
        wanted=page.query.get("model", ""),
        words=words(page.text),
        advice=advice.all_of(page.text),
    )


async def run(page: Page) -> Response:
    """Ask, as the member: the API's answer is the page's."""
    path = OFFERED.get(page.request.path_params["operation"])
    if path is None:
        raise NotServed(404, "体验页没有这个操作。", "The playground has no such operation.")
    return Handed(page.api, path)


async def _models(page: Page) -> list[Model]:
    """Those that talk."""
    found = await page.api.get("/v1/models", ModelList)
    return [each for each in found.data if each.xinghe.kind == "chat"]


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", f"{PATH}/run/{{operation}}", run, waits=True, raw=True),
)
