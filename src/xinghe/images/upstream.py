"""Any server with OpenAI's `POST /images/generations` as an image engine."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from xinghe.catalog import UpstreamImagesDeployment
from xinghe.core import Busy
from xinghe.images.protocol import (
    ImageEngineAway,
    ImageEngineError,
    ImageEngineFailed,
    ImageEngineIndebted,
    ImageEngineRefused,
    ImageEngineUnavailable,
    ImageParams,
    Progress,
    share_of,
    styles,
)
from xinghe.images.unpacking import Unpack, Unpacked
from xinghe.outbound import CallFailed, Refused, Unreachable
from xinghe.outbound.replicas import Away, Pool, ServerState
from xinghe.workers import QueueFull, Slots, Worker, WorkerFailure

log = structlog.get_logger(__name__)

Fetch = Callable[[str], Awaitable[bytes]]
"""Brings the bytes of a URL that a stranger may have chosen, or raises."""

RETRY_AFTER = 5.0
"""Seconds that a client is told to wait where the server did not say."""
MOST_TIMEOUT = 3600.0
"""Seconds: the largest `request_timeout` of the documented API."""
MOST_BESIDES, MOST_OF_PIXEL = 64 * 1024, 6
"""Bytes of an answer: PNG takes at most four a pixel, base64 a third more."""
UNPACKING, UNPACKING_MEMORY = 30.0, 2 * 1024**3
"""Seconds to open one image, and the bytes of data that the child may hold."""
OPENAI_IGNORES = ("negative_prompt", "steps", "sampler_index", "seed", "cfg_scale")


class UpstreamImageEngine:
    """Asks for one image after the other: not every server takes an `n`, or knows our seeds."""

    def __init__(self, name: str, deployment: UpstreamImagesDeployment, fetch: Fetch) -> None:
        self.served_by = f"{name}/{deployment.model}"
        self.abilities: dict[str, str] = {}
        if deployment.dialect == "openai":
            ignored = dict.fromkeys(OPENAI_IGNORES, "has no effect")
            self.abilities = {"style": "written into the prompt", **ignored}
        self._deployment = deployment
        self._fetch = fetch
        self._pool = Pool(name, deployment)
        self._unpacker = Worker(
            "xinghe.images.unpacking", Unpacked, timeout=UNPACKING, memory=UNPACKING_MEMORY
        )
        queue = deployment.queue
        self._slots = Slots(self._pool.capacity, queue=queue, share=share_of(queue))
        self._pool.on_resize(self._slots.resize)

    async def start(self) -> None:
        """Nothing is loaded here."""

    async def generate(self, params: ImageParams, progress: Progress) -> list[bytes]:
        try:
            async with self._slots.hold():
                progress(0)
                images: list[bytes] = []
                for seed in params.seeds:
                    images.append(await self._one(params, seed))
                    progress(len(images) * params.steps)
                return images
        except QueueFull as busy:
            raise Busy(str(busy), RETRY_AFTER) from None
        except Busy as error:
            log.warning("image_failed", served_by=self.served_by, error=str(error))
            raise

    @property
    def servers(self) -> list[ServerState]:
        """How each of its servers is."""
        return self._pool.servers

    async def ready(self) -> bool:
        return await self._pool.ready()

    async def aclose(self) -> None:
        await self._unpacker.aclose()
        await self._pool.aclose()

    async def _one(self, params: ImageParams, seed: int) -> bytes:
        most = MOST_BESIDES + MOST_OF_PIXEL * params.width * params.height
        answer = await self._post(self._body(params, seed), most)
        got = await self._unpacked(Unpack(params.width, params.height, answer=answer))
        if got.url:
            file = await self._fetched(got.url, most)
            got = await self._unpacked(Unpack(params.width, params.height, file=file))
        return got.png

    async def _unpacked(self, wanted: Unpack) -> Unpacked:
        try:
            got = await self._unpacker.call(wanted)
        except WorkerFailure as error:
            raise ImageEngineFailed(f"it cannot be opened: {type(error).__name__}") from None
        if got.fault:
            raise ImageEngineFailed(got.fault)
        return got

    def _body(self, params: ImageParams, seed: int) -> dict[str, Any]:
        prompt = params.prompt
        more: dict[str, Any] = {}
        if self._deployment.dialect == "documented":
            more = {
                "negative_prompt": params.negative_prompt or None,
                "steps": params.steps,
                "style": params.style,
                "sampler_index": params.sampler,
                "seed": seed,
                "cfg_scale": params.cfg_scale,
                "request_timeout": min(self._deployment.silence_timeout, MOST_TIMEOUT),
            }
        else:
            prompt, _ = styles()[params.style].apply(prompt, "")
        return {
            "model": self._deployment.model,
            "prompt": prompt,
            "size": f"{params.width}x{params.height}",
            "n": 1,
            "response_format": "b64_json",
            **more,
        }

    async def _post(self, body: dict[str, Any], most: int) -> bytes:
        try:
            for attempt in self._pool.attempts():
                with attempt:
                    return await attempt.whole("/images/generations", body, most)
        except Refused as refused:
            if refused.busy:
                wait = RETRY_AFTER if refused.advice is None else refused.advice
                raise Busy(f"upstream: {refused}", wait) from None
            failed: type[ImageEngineError] = ImageEngineUnavailable
            if refused.unsafe:
                failed = ImageEngineRefused
            elif refused.for_the_operator:
                failed = ImageEngineIndebted
            elif refused.status >= 500:
                raise ImageEngineAway(f"upstream: {refused}", RETRY_AFTER) from None
            raise failed(f"upstream: {refused}") from None
        except Away as error:
            raise ImageEngineAway(f"upstream: {error}", error.retry_after) from None
        except Unreachable as error:
            raise ImageEngineAway(f"upstream: {error}", RETRY_AFTER) from None
        except CallFailed as error:
            raise ImageEngineFailed(f"upstream: {error}") from None
        raise AssertionError("unreachable")

    async def _fetched(self, url: str, most: int) -> bytes:
        """From the server itself without ado; from anywhere else as any stranger's URL."""
        try:
            if server := self._pool.holds(url):
                data = await server.fetch("GET", url, headers={}, most=most)
            else:
                data = await self._fetch(url)
        except CallFailed as error:
            raise ImageEngineFailed(f"its URL: {error}") from None
        except Exception as error:
            raise ImageEngineFailed(f"its URL: {type(error).__name__}") from None
        if not 0 < len(data) <= most:
            raise ImageEngineFailed(f"its URL has {len(data)} bytes, at most {most} are taken")
        return data
