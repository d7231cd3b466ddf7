"""`/console/playground/images`: images by a prompt, and how far they are while they are drawn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import get_args
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from xinghe.api.images.schema import SIZE, ImageRequest, ImagesAnswer
from xinghe.api.models import Model
from xinghe.catalog import ImageParameter
from xinghe.console.page import Page
from xinghe.console.playground.forms.form import Form, parameters_of
from xinghe.console.playground.forms.pages import Pages, new_once
from xinghe.console.playground.forms.running import Run
from xinghe.console.playground.parameters import Parameter
from xinghe.console.reference.samples import SAMPLES
from xinghe.console.reference.told import told
from xinghe.console.stream import Stream
from xinghe.images import MAX_SEED

TICK = 0.5
"""Seconds from one word about the progress to the next."""
OF_THE_PAGE = {"model", "prompt", "negative_prompt", "stream", "response_format", "output_format"}
OTHER = {"background", "user", "user_id"}
"""What has one value, or tells nothing of the image."""
LATE = ("retry_count", "request_timeout", "backoff_factor")
"""What is about the request, not the image."""

FORM = Form(
    name="images",
    path="/images/generations",
    kind="image",
    parameters=(
        Parameter("size", "choice", told(SIZE)),
        *parameters_of(ImageRequest, without=OF_THE_PAGE | OTHER),
    ),
    texts=("prompt", "negative_prompt"),
    late=LATE,
    client=SAMPLES["images"][0].client,
    extra=frozenset(
        {
            "negative_prompt",
            "seed",
            *get_args(ImageParameter),
            *LATE,
        }
        - {"style"},
    ),
)


class Picture(msgspec.Struct, frozen=True):
    """An image: where it is on this service, and what it was drawn with."""

    path: str
    seed: int
    width: int
    height: int


class Drawing(Run):
    """A run that chooses its own seed where none is set: so it can be told, and drawn again.

    `is_seeded`: whether that would be the same image, once it is over.
    """

    def __init__(self, page: Page) -> None:
        super().__init__(page, FORM)
        self.body.setdefault("seed", self.number)
        self.is_seeded = False
        self._size = 0, 0
        self._since = time.monotonic()
        self._drawn_since: float | None = None

    @property
    def seconds(self) -> int:
        """Since it was begun."""
        return int(time.monotonic() - self._since)

    async def go(self) -> None:
        await super().go()
        if self.answer:
            model = await self._page.api.get(f"/v1/models/{self.body['model']}", Model)
            about = model.xinghe
            self.is_seeded = "seed" not in about.capabilities.platform
            width, height = str(self.body.get("size", about.default_image_size)).split("x")
            self._size = int(width), int(height)

    @property
    def left(self) -> int:
        """Seconds that it will take about; 0: nobody knows."""
        if self._drawn_since is None or not self.done:
            return 0
        taken = time.monotonic() - self._drawn_since
        return round(taken * (self.total - self.done) / self.done)

    def _tell(self, done: int, total: int) -> None:
        super()._tell(done, total)
        if not done or self._drawn_since is None:
            self._drawn_since = time.monotonic()

    @property
    def pictures(self) -> list[Picture]:
        """What was drawn."""
        answer = msgspec.json.decode(self.answer, type=ImagesAnswer)
        width, height = self._size
        seed: int = self.body["seed"]
        return [
            Picture(urlsplit(str(each.url)).path, (seed + at) % (MAX_SEED + 1), width, height)
            for at, each in enumerate(answer.data)
        ]


async def run(page: Page) -> Response:
    """Draw: htmx is told how far it is; others wait for the whole page."""
    drawing = Drawing(page)
    if page.partial:
        return Stream(_parts(page, drawing))
    return await PAGES.waited(page, drawing)


async def _parts(page: Page, drawing: Drawing) -> AsyncGenerator[str, None]:
    """Its place on the page; how far it is, now and then; what came of it."""
    yield page.html("playground/images/run.html", run=drawing, running=True, once=new_once())
    task = asyncio.create_task(drawing.go())
    try:
        while not task.done():
            yield page.html("playground/images/progress.html", run=drawing)
            await asyncio.wait({task}, timeout=TICK)
        task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})
    yield page.html("playground/images/ended.html", run=drawing)


def of_model(model: Model) -> tuple[Parameter, ...]:
    """What can be set of an image model, and its own sizes."""
    about = model.xinghe
    sizes = tuple(about.image_sizes or ())
    lacking = {*get_args(ImageParameter)} - {*(about.image_parameters or ())}
    size = replace(FORM.parameters[0], choices=sizes, default=str(about.default_image_size))
    return (size, *(each for each in FORM.parameters[1:] if each.name not in lacking))


PAGES = Pages(FORM, of_model=of_model)
ROUTES = PAGES.routes(run)
