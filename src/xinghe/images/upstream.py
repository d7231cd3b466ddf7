"""Any server with OpenAI's `POST /images/generations` as a painter."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
from PIL import Image

from xinghe.catalog.drawing import styles
from xinghe.catalog.images import UpstreamImagesDeployment
from xinghe.images.protocol import (
    Asked,
    PainterBusy,
    PainterError,
    PainterFailed,
    PainterUnavailable,
    Progress,
)
from xinghe.outbound import AnswerTooLarge, Server, advised, bounded

log = structlog.get_logger(__name__)

Fetch = Callable[[str], Awaitable[bytes]]
"""Brings the bytes of a URL that a stranger may have chosen, or raises."""

RETRY_AFTER = 5.0
"""Seconds that a client is told to wait where the server did not say."""
MOST_PATIENCE = 3600.0
"""Seconds: the largest `request_timeout` of the documented API."""
MAX_ANSWER = 96 * 1024 * 1024
FORMATS = ["PNG", "JPEG", "WEBP"]
OPENAI_IGNORES = ("negative_prompt", "steps", "sampler_index", "seed", "cfg_scale")


class _Item(msgspec.Struct):
    b64_json: str | None = None
    url: str | None = None


class _Answer(msgspec.Struct):
    data: list[_Item]


class UpstreamPainter:
    """Asks for one image after the other: not every server takes an `n`, or knows our seeds."""

    def __init__(self, name: str, deployment: UpstreamImagesDeployment, fetch: Fetch) -> None:
        self._name = name
        self._deployment = deployment
        self._fetch = fetch
        self._server = Server.of(deployment)
        self._slots = asyncio.Semaphore(deployment.slots)
        self._present = 0

    @property
    def served_by(self) -> str:
        return f"{self._name}/{self._deployment.model}"

    @property
    def abilities(self) -> dict[str, str]:
        if self._deployment.dialect == "documented":
            return {}
        ignored = dict.fromkeys(OPENAI_IGNORES, "has no effect")
        return {"style": "written into the prompt", **ignored}

    async def start(self) -> None:
        """Nothing is loaded here."""

    async def paint(self, asked: Asked, progress: Progress) -> list[bytes]:
        if self._present >= self._deployment.slots + self._deployment.queue:
            raise PainterBusy(f"{self._present} requests are here", RETRY_AFTER)
        self._present += 1
        try:
            async with self._slots:
                progress(0)
                images: list[bytes] = []
                for seed in asked.seeds:
                    images.append(await self._one(asked, seed))
                    progress(len(images) * asked.steps)
                return images
        except PainterError as error:
            log.warning("image_failed", served_by=self.served_by, error=str(error))
            raise
        finally:
            self._present -= 1

    async def ready(self) -> bool:
        return await self._server.ready()

    async def aclose(self) -> None:
        await self._server.aclose()

    async def _one(self, asked: Asked, seed: int) -> bytes:
        answer = await self._post(self._body(asked, seed))
        if not answer.data:
            raise PainterFailed("the answer has no image")
        item = answer.data[0]
        try:
            if item.b64_json:
                data = base64.b64decode(item.b64_json, validate=True)
            elif item.url:
                data = await self._fetched(item.url)
            else:
                raise PainterFailed("the answer has neither b64_json nor url")
            return await asyncio.to_thread(_png, data, (asked.width, asked.height))
        except (binascii.Error, ValueError, OSError) as error:
            raise PainterFailed(f"the answer is no image: {type(error).__name__}") from error

    def _body(self, asked: Asked, seed: int) -> dict[str, Any]:
        prompt = asked.prompt
        more: dict[str, Any] = {}
        if self._deployment.dialect == "documented":
            more = {
                "negative_prompt": asked.negative_prompt or None,
                "steps": asked.steps,
                "style": asked.style,
                "sampler_index": asked.sampler,
                "seed": seed,
                "cfg_scale": asked.cfg_scale,
                "request_timeout": min(self._deployment.silence_timeout, MOST_PATIENCE),
            }
        else:
            prompt, _ = styles()[asked.style].apply(prompt, "")
        return {
            "model": self._deployment.model,
            "prompt": prompt,
            "size": f"{asked.width}x{asked.height}",
            "n": 1,
            "response_format": "b64_json",
            **more,
        }

    async def _post(self, body: dict[str, Any]) -> _Answer:
        try:
            async with self._server.session.post(
                f"{self._server.url}/images/generations",
                data=msgspec.json.encode(body),
                headers=self._server.headers(),
            ) as answer:
                if answer.status in {429, 503}:
                    wait = advised(answer)
                    raise PainterBusy(
                        f"upstream answered {answer.status}", RETRY_AFTER if wait is None else wait
                    )
                if answer.status >= 500:
                    raise PainterFailed(f"upstream answered {answer.status}")
                if answer.status != 200:
                    # Its text may quote what was sent, which is not for the log.
                    raise PainterUnavailable(f"upstream answered {answer.status}")
                return msgspec.json.decode(await bounded(answer, MAX_ANSWER), type=_Answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PainterFailed(f"upstream is out of reach: {type(error).__name__}") from error
        except AnswerTooLarge as error:
            raise PainterFailed(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PainterFailed("upstream's answer has not the documented form") from error

    async def _fetched(self, url: str) -> bytes:
        """From the server itself without ado; from anywhere else as any stranger's URL."""
        if urlsplit(url)[:2] != urlsplit(self._server.url)[:2]:
            try:
                return await self._fetch(url)
            except Exception as error:
                raise PainterFailed(f"its URL: {type(error).__name__}") from error
        try:
            async with self._server.session.get(url, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise PainterFailed(f"its URL answered {answer.status}")
                return await bounded(answer, MAX_ANSWER)
        except (aiohttp.ClientError, TimeoutError, AnswerTooLarge) as error:
            raise PainterFailed(f"its URL: {type(error).__name__}") from error


def _png(data: bytes, size: tuple[int, int]) -> bytes:
    """The image as a PNG file. Raises `PainterFailed` for one of another size."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if image.size != size:
            raise PainterFailed(f"an image of {image.size} pixels for one of {size}")
        image.load()
        if image.format == "PNG":
            return data
        file = io.BytesIO()
        image.convert("RGB").save(file, "PNG")
        return file.getvalue()
