"""Any server with OpenAI's `POST /images/generations` as an image engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from xinghe.catalog import ImageParameter, UpstreamImagesDeployment
from xinghe.core import Busy
from xinghe.images.protocol import (
    RETRY_AFTER,
    ImageEngineAway,
    ImageEngineFailed,
    ImageEngineIndebted,
    ImageEngineRefused,
    ImageEngineUnavailable,
    ImageParams,
    Progress,
    share_of,
    styles,
)
from xinghe.images.unpacked import Unpack, Unpacked
from xinghe.outbound import CallFailed, Refused, Whose
from xinghe.outbound.replicas import Away, Pool, ServerState
from xinghe.workers import QueueFull, Slots, Worker, WorkerFailure

log = structlog.get_logger(__name__)

Fetch = Callable[[str], Awaitable[bytes]]
"""Brings the bytes of a URL that a stranger may have chosen, or raises."""

MOST_TIMEOUT = 3600.0
"""Seconds: the largest `request_timeout` of the documented API."""
MOST_BESIDES, MOST_OF_PIXEL = 64 * 1024, 6
"""Bytes of an answer: PNG takes at most four a pixel, base64 a third more."""
UNPACKING, UNPACKING_MEMORY = 30.0, 2 * 1024**3
"""Seconds to open one image, and the bytes of data that the child may hold."""
OPENAI_IGNORES = ("negative_prompt", "steps", "sampler_index", "seed", "cfg_scale", "use_pe")


class UpstreamImageEngine:
    """Asks for one image after the other: not every server takes an `n`, or knows our seeds."""

    def __init__(
        self,
        name: str,
        deployment: UpstreamImagesDeployment,
        fetch: Fetch,
        before: UpstreamImageEngine | None = None,
    ) -> None:
        """`before` served the deployment until it was changed: slots and servers are the same."""
        self.served_by = f"{name}/{deployment.model}"
        self.abilities: dict[str, str] = {}
        if deployment.dialect == "openai":
            ignored = dict.fromkeys(OPENAI_IGNORES, "has no effect")
            self.abilities = {"style": "written into the prompt", **ignored}
        self._deployment = deployment
        self._fetch = fetch
        self._pool: Pool = Pool(name, deployment, before._pool if before else None)
        self._unpacker = Worker(
            "xinghe.images.unpacking", Unpacked, timeout=UNPACKING, memory=UNPACKING_MEMORY
        )
        places, queue = self._pool.capacity, deployment.queue
        share = share_of(queue)
        self._slots: Slots = before._slots if before else Slots(places, queue=queue, share=share)
        self._slots.bound(queue=queue, share=share)
        self._slots.resize(places)
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
                "seed": seed,
                "request_timeout": min(self._deployment.silence_timeout, MOST_TIMEOUT),
                **_of_model(params),
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
                async with attempt:
                    return await attempt.whole("/images/generations", body, most)
        except CallFailed as error:
            raise _as_engine_error(error) from None
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


def _of_model(params: ImageParams) -> dict[str, Any]:
    """What only some models are told, under the names that this one has for it."""
    all_of_them: dict[ImageParameter, Any] = {
        "steps": params.steps,
        "num_inference_steps": params.steps,
        "cfg_scale": params.cfg_scale,
        "guidance_scale": params.cfg_scale,
        "sampler_index": params.sampler,
        "style": params.style,
        "use_pe": params.use_pe,
    }
    return {name: value for name, value in all_of_them.items() if name in params.parameters}


def _as_engine_error(error: CallFailed) -> Exception:
    said, refused = f"upstream: {error}", error if isinstance(error, Refused) else None
    match error.whose:
        case Whose.FULL:
            advice = None if refused is None else refused.advice
            return Busy(said, RETRY_AFTER if advice is None else advice)
        case Whose.AWAY if refused is None or refused.status >= 500:
            wait = error.retry_after if isinstance(error, Away) else RETRY_AFTER
            return ImageEngineAway(said, wait)
        case Whose.OPERATOR:
            return ImageEngineIndebted(said)
    if refused is None:
        return ImageEngineFailed(said)
    return (ImageEngineRefused if refused.unsafe else ImageEngineUnavailable)(said)
