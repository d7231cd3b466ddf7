"""The engine for machines without the weights of a diffusion model: `xinghe_preview` as a worker.

That package is spoken to as any worker is and imported by nobody. It is frozen: it learns no words.
"""

from __future__ import annotations

import msgspec

from xinghe.core import Busy
from xinghe.images.protocol import (
    NO_ENHANCER,
    RETRY_AFTER,
    ImageEngineAway,
    ImageEngineFailed,
    ImageParams,
    Progress,
    share_of,
)
from xinghe.workers import QueueFull, Slots, Worker, WorkerClosed, WorkerFailure

MODULE = "xinghe_preview.worker"
PERCENT = 100
"""It tells its progress in hundredths of an image, over all images."""
NICE = 10
"""Chat answers come first."""
TIMEOUT = 120.0
"""Seconds for the images of one request; they take one or two each."""
EACH = 1.0
"""Seconds that a waiting request takes about."""
ASKED = (
    "prompt", "negative_prompt", "width", "height", "steps", "sampler", "style", "cfg_scale",
)  # fmt: skip
"""What the worker is told as it is."""


class PreviewEngine:
    """Composes drawings by the words of the prompt; one request at a time, up to `queue` wait."""

    served_by = "preview/fluent-emoji"
    abilities = {  # noqa: RUF012 - nobody writes to it
        "prompt": "451 things, 15 colours and 30 places by their Chinese and English names, "
        "composed of drawings; what is unknown is written on a card",
        "negative_prompt": "takes out things, colours and places that are known",
        "style": "treatments of the composed picture",
        "steps": "varies a style's grain and facets only",
        "sampler_index": "varies a style's grain and facets only",
        "cfg_scale": "varies a style's grain and facets only",
        "use_pe": NO_ENHANCER,
    }

    def __init__(self, queue: int = 8) -> None:
        self._slots = Slots(1, queue=queue, share=share_of(queue))
        self._worker = Worker(MODULE, list[bytes], threads=1, nice=NICE, timeout=TIMEOUT)

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        return self._worker.pid

    async def start(self) -> None:
        """Loading takes a second: the first request does it."""

    async def generate(self, params: ImageParams, progress: Progress) -> list[bytes]:
        try:
            await self._slots.take()
        except QueueFull as busy:
            raise Busy(str(busy), EACH * (1 + self._slots.waiting)) from None
        try:
            return await self._worker.call(_request(params), progress=_steps(params, progress))
        except WorkerClosed:
            raise ImageEngineFailed("the service is ending") from None
        except (WorkerFailure, msgspec.DecodeError) as error:
            # The error's text may quote the prompt: only its kind may be logged.
            said = f"the preview worker: {type(error).__name__}"
            if self._worker.broken:
                raise ImageEngineAway(said, RETRY_AFTER) from None
            raise ImageEngineFailed(said) from None
        finally:
            self._slots.give_back()

    async def ready(self) -> bool:
        return not self._worker.broken

    async def aclose(self) -> None:
        await self._worker.aclose()


def _request(params: ImageParams) -> dict[str, object]:
    """What the worker is asked: an image a seed."""
    own = {name: getattr(params, name) for name in ASKED}
    return {**own, "seeds": params.seeds}


def _steps(params: ImageParams, progress: Progress) -> Progress:
    """Tells `progress` of steps what the worker tells of percent; a number that never falls."""
    told = 0

    def tell(percent: int) -> None:
        nonlocal told
        told = max(told, percent * params.steps // PERCENT)
        progress(told)

    return tell
