"""`/console/start`: from nothing to a first answer: a token, a program with it, a call."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import Response

from xinghe.admin.tokens import TokenView
from xinghe.api.models import Model, ModelList
from xinghe.console.layout.snippet import Snippet
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.start.asking import Run
from xinghe.console.start.snippets import snippets
from xinghe.console.stream import Stream, unless_gone

PATH = "/console/start"
FAVOURITE = "ernie-3.5-8k"
PLACEHOLDER = "xh-…"
QUESTION = ("中国的首都是哪座城市？", "Which city is the capital of China?")
"""Small models know this; who they are themselves, they make up."""
LONGEST = 4_000
"""Characters of a question that the page's field takes."""


async def show(page: Page) -> Response:
    return await _whole(page, "")


async def make(page: Page) -> Response:
    """Make a token, whose secret is shown this once."""
    name = page.text("快速开始", "Quick start")
    made = await page.api.send("POST", f"{page.member}/tokens", TokenView, {"name": name})
    return await _whole(page, str(made.secret), made=True)


async def run(page: Page) -> Response:
    """Ask: the answer comes piece by piece where htmx asks, else with a whole page."""
    token, question = page.field("token"), page.field("question")
    asked = Run(page, token, page.field("model"), question or page.text(*QUESTION))
    if page.partial:
        return Stream(_parts(page, asked))
    await unless_gone(page.request.receive, asked.all())
    return await _whole(page, token, asked=asked)


async def _whole(
    page: Page, token: str, asked: Run | None = None, *, made: bool = False
) -> Response:
    models = await _models(page)
    favourite = FAVOURITE if any(each.id == FAVOURITE for each in models) else ""
    model = asked.model if asked else favourite or (models[0].id if models else FAVOURITE)
    question = asked.question if asked else page.text(*QUESTION)
    status = asked.refused.status if asked and asked.refused else 200
    response = page.render(
        "start/page.html",
        status=status,
        models=models,
        model=model,
        question=question,
        longest=LONGEST,
        token=token,
        made=made,
        may_make="admin" in page.session.scopes,
        snippets=_programs(page, token, model, question),
        asked=asked,
    )
    response.headers["cache-control"] = "no-store"
    return response


def _programs(page: Page, token: str, model: str, question: str) -> list[Snippet]:
    return snippets(f"{page.base_url}/v1", token or PLACEHOLDER, model, question)


async def _models(page: Page) -> list[Model]:
    """Those that answer questions."""
    found = await page.api.get("/v1/models", ModelList)
    return [each for each in found.data if each.xinghe.kind == "chat"]


async def _parts(page: Page, asked: Run) -> AsyncGenerator[str, None]:
    """The place of the answer, and snippets that ask the same; what is added; what became of it."""
    programs = _programs(page, asked.token, asked.model, asked.question)
    yield page.html("start/begun.html", asked=asked, running=True, snippets=programs)
    async with aclosing(asked.pieces()) as pieces:
        async for piece in pieces:
            yield page.html("start/piece.html", piece=piece)
    yield page.html("start/ended.html", asked=asked)


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", PATH, make),
    Route("POST", f"{PATH}/run", run, waits=True),
)
