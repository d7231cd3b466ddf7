"""`/console/playground`: a conversation with a model, for whoever is signed in."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from xinghe.api.chat.pictures import MOST
from xinghe.api.models import Model, ModelList
from xinghe.console import advice
from xinghe.console.assets import MODULES
from xinghe.console.page import NotServed, Page
from xinghe.console.playground import examples
from xinghe.console.playground.handing import OFFERED, Handed
from xinghe.console.playground.parameters import parameters, told_of
from xinghe.console.playground.programs import programs
from xinghe.console.playground.words import words
from xinghe.console.route import Route
from xinghe.pictures import MAX_BYTES

PATH = "/console/playground"
FAVOURITE = "ernie-3.5-8k"
MOST_CODE = 4 * 1024 * 1024
"""Bytes of a request that is shown as programs."""


async def show(page: Page) -> Response:
    models = await _models(page)
    return page.render(
        "playground/page.html",
        modules=MODULES,
        models=models,
        about={each.id: msgspec.json.encode(told_of(each)).decode() for each in models},
        wanted=page.query.get("model", FAVOURITE),
        parameters=parameters(),
        example_tools=examples.tools(page.text),
        example_schema=examples.schema(page.text),
        most_pictures=MOST,
        most_bytes=MAX_BYTES,
        words=words(page.text),
        advice=advice.all_of(page.text),
    )


async def run(page: Page) -> Response:
    """Ask, as the member: the API's answer is the page's."""
    path = OFFERED.get(page.request.path_params["operation"])
    if path is None:
        raise NotServed(404, "体验页没有这个操作。", "The playground has no such operation.")
    return Handed(page.api, path)


async def code(page: Page) -> Response:
    """The programs that send what the page would send."""
    data = b""
    async for part in page.request.stream():
        data += part
        if len(data) > MOST_CODE:
            raise NotServed(
                413, "请求太大，不能显示为代码。", "It is too large to be shown as code."
            )
    try:
        body = msgspec.json.decode(data, type=dict[str, Any])
        written = programs(f"{page.base_url}/v1", body)
    except msgspec.DecodeError:
        raise NotServed(400, "请求不是 JSON。", "The request is not JSON.") from None
    except RecursionError:
        raise NotServed(400, "请求嵌套太深。", "It is nested too deeply.") from None
    return page.render("playground/code.html", programs=written)


async def _models(page: Page) -> list[Model]:
    """Those that talk."""
    found = await page.api.get("/v1/models", ModelList)
    return [each for each in found.data if each.xinghe.kind == "chat"]


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", f"{PATH}/code", code, raw=True),
    Route("POST", f"{PATH}/run/{{operation}}", run, waits=True, raw=True),
)
