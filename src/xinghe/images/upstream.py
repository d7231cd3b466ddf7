"""Any server with OpenAI's `POST /images/generations` as a painter."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import os
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

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

log = structlog.get_logger(__name__)

Fetch = Callable[[str], Awaitable[bytes]]
"""Brings the bytes of a URL that a stranger may have chosen, or raises."""

RETRY_AFTER = 5.0
"""Seconds that a client is told to wait where the server did not say."""
LONGEST_ADVICE = 3600.0
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
        self._url = deployment.url.rstrip("/")
        self._slots = asyncio.Semaphore(deployment.slots)
        self._present = 0
        self._session: aiohttp.ClientSession | None = None

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
        timeout = aiohttp.ClientTimeout(total=self._deployment.connect_timeout)
        try:
            async with self._open().get(
                f"{self._url}/models", headers=self._headers(), timeout=timeout
            ) as answer:
                return answer.status < 500
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

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
            async with self._open().post(
                f"{self._url}/images/generations",
                data=msgspec.json.encode(body),
                headers=self._headers(),
            ) as answer:
                if answer.status in {429, 503}:
                    wait = _seconds(answer.headers.get("Retry-After"))
                    raise PainterBusy(f"upstream answered {answer.status}", wait)
                if answer.status >= 500:
                    raise PainterFailed(f"upstream answered {answer.status}")
                if answer.status != 200:
                    # Its text may quote what was sent, which is not for the log.
                    raise PainterUnavailable(f"upstream answered {answer.status}")
                return msgspec.json.decode(await _bounded(answer), type=_Answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PainterFailed(f"upstream is out of reach: {type(error).__name__}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PainterFailed("upstream's answer has not the documented form") from error

    async def _fetched(self, url: str) -> bytes:
        """From the server itself without ado; from anywhere else as any stranger's URL."""
        if urlsplit(url)[:2] != urlsplit(self._url)[:2]:
            try:
                return await self._fetch(url)
            except Exception as error:
                raise PainterFailed(f"its URL: {type(error).__name__}") from error
        try:
            async with self._open().get(url, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise PainterFailed(f"its URL answered {answer.status}")
                return await _bounded(answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PainterFailed(f"its URL: {type(error).__name__}") from error

    def _headers(self) -> dict[str, str]:
        deployment = self._deployment
        key = deployment.key or os.environ.get(deployment.key_env or " ", "")
        headers = {"Content-Type": "application/json"}
        if key.strip():
            headers["Authorization"] = f"Bearer {key.strip()}"
        return headers

    def _open(self) -> aiohttp.ClientSession:
        # Made late, because a session belongs to the running loop.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(
                    sock_connect=self._deployment.connect_timeout,
                    sock_read=self._deployment.silence_timeout,
                ),
                proxy=_proxy_for(self._url),
            )
        return self._session


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


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for piece in answer.content.iter_any():
        data += piece
        if len(data) > MAX_ANSWER:
            raise PainterFailed(f"the answer has more than {MAX_ANSWER} bytes")
    return bytes(data)


def _seconds(retry_after: str | None) -> float:
    try:
        seconds = float(retry_after) if retry_after else RETRY_AFTER
    except ValueError:
        return RETRY_AFTER  # an HTTP date
    return seconds if 0 <= seconds <= LONGEST_ADVICE else RETRY_AFTER


def _proxy_for(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
