"""What the playground's forms have in common as pages: shown, asked, told as code."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from xinghe.api.models import Model, ModelList
from xinghe.console.layout.snippet import Snippet
from xinghe.console.page import Page, SignInNeeded
from xinghe.console.playground.forms.form import Form
from xinghe.console.playground.forms.running import Run
from xinghe.console.playground.parameters import Parameter
from xinghe.console.route import MOST_OF_TEXTS, Route
from xinghe.console.stream import unless_gone

Shown = Callable[[Run], dict[str, Any]]
"""What the page's template is told of an answer."""
OfModel = Callable[[Model], tuple[Parameter, ...]]
"""What can be set of a model."""


class Pages:
    """The pages of one form: its template is `<name>/page.html`, what came of it `result.html`,
    which is told what `shown` reads of an answer. `of_model` says what can be set, where that is
    not the same of every model.
    """

    def __init__(
        self, form: Form, shown: Shown = lambda run: {}, of_model: OfModel | None = None
    ) -> None:
        self.form = form
        self._shown = shown
        self._of_model = of_model or (lambda _: form.parameters)

    async def show(self, page: Page) -> Response:
        typed = dict.fromkeys(self.form.names, "") | {"model": page.query.get("model", "")}
        return await self.whole(page, typed)

    async def run(self, page: Page) -> Response:
        return await self.waited(page, Run(page, self.form))

    async def waited(self, page: Page, run: Run) -> Response:
        """What has come of a run, once it is over."""
        await unless_gone(page.request.receive, run.go())
        if not page.partial:
            return await self.whole(page, run.typed, run=run)
        status = run.refused.status if run.refused else 200
        return page.render(self._template("result"), status=status, **self.told(run))

    async def code(self, page: Page) -> Response:
        """The programs that ask what the form would."""
        typed = self.form.typed(page)
        programs = self.form.programs(page.base_url, self.form.body(typed))
        if page.partial:
            return page.render("playground/forms/code.html", programs=programs)
        return await self.whole(page, typed, programs=programs)

    async def whole(
        self,
        page: Page,
        typed: dict[str, str],
        *,
        run: Run | None = None,
        programs: list[Snippet] | None = None,
    ) -> Response:
        """The page, with what was typed; `run` is what has come of it."""
        found = await page.api.get("/v1/models", ModelList)
        models = [each for each in found.data if each.xinghe.kind == self.form.kind]
        chosen = next((each for each in models if each.id == typed["model"]), None)
        chosen = chosen or (models[0] if models else None)
        response = page.render(
            self._template("page"),
            status=run.refused.status if run and run.refused else 200,
            form=self.form,
            models=models,
            parameters=self._of_model(chosen) if chosen else (),
            typed=typed,
            once=new_once(),
            programs=programs,
            **(self.told(run) if run else {"run": None}),
        )
        response.headers["cache-control"] = "no-store"
        return response

    def told(self, run: Run) -> dict[str, Any]:
        """What templates are told of a run."""
        return {"run": run, **(self._shown(run) if run.answer else {})}

    def routes(self, run: Callable[[Page], Awaitable[Response]] | None = None) -> tuple[Route, ...]:
        """Where they are; `run` in place of the usual one."""
        url, most = self.form.url, MOST_OF_TEXTS
        asks = kept(run or self.run)
        return (
            Route("GET", url, self.show),
            Route("POST", url, asks, open=True, waits=True, most=most),
            Route("POST", f"{url}/code", kept(self.code), open=True, most=most),
        )

    def _template(self, name: str) -> str:
        return f"playground/{self.form.name}/{name}.html"


def kept(work: Callable[[Page], Awaitable[Response]]) -> Callable[[Page], Awaitable[Response]]:
    """Whoever is signed out meanwhile is told so beside his form, which htmx leaves as it is."""

    async def works(page: Page) -> Response:
        if page.current is not None:
            return await work(page)
        if page.partial:
            return page.render("playground/forms/signed_out.html", status=401)
        raise SignInNeeded

    return works


def new_once() -> str:
    """What makes a form another than the one before."""
    return secrets.token_urlsafe(12)
