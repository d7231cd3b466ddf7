"""Loads the pictures of a conversation (section 5.8): inline, or fetched under the guard."""

from __future__ import annotations

import asyncio
from typing import Protocol

from msgspec.structs import replace

from xinghe.api.errors import ApiError, Errors
from xinghe.core import Message, Picture
from xinghe.fetching import Fetched, FetchError
from xinghe.pictures import (
    FETCHED,
    INLINE,
    MAX_BYTES,
    PictureError,
    open_picture,
    read_data_url,
)

MOST = 32
"""Pictures in one request."""
ACCEPT = "image/png, image/jpeg, image/bmp, image/webp"


class Fetch(Protocol):
    """A guarded GET; see `fetching.Fetcher`."""

    async def fetch(
        self,
        url: str,
        *,
        max_bytes: int,
        timeout: float,  # noqa: ASYNC109 (the fetcher's own form)
        accept: str = ...,
    ) -> Fetched: ...


class PictureLoader:
    """`seconds` is what fetching one picture may take."""

    def __init__(self, fetcher: Fetch, seconds: float) -> None:
        self._fetcher = fetcher
        self._seconds = seconds

    async def load(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """The conversation with its pictures loaded, all at once. Raises `ApiError`."""
        places = [
            (f"messages[{index}].content[{at}].image_url.url", part)
            for index, message in enumerate(messages)
            for at, part in enumerate(message.parts)
            if isinstance(part, Picture)
        ]
        if not places:
            return messages
        if len(places) > MOST:
            raise _refused(f"messages hold {len(places)} pictures, allowed: at most {MOST}")
        loading = [asyncio.ensure_future(self._load(*place)) for place in places]
        try:
            loaded = iter(await asyncio.gather(*loading))
        finally:
            for task in loading:
                task.cancel()
        return tuple(
            replace(
                message,
                parts=tuple(
                    part if isinstance(part, str) else next(loaded) for part in message.parts
                ),
            )
            for message in messages
        )

    async def _load(self, where: str, picture: Picture) -> Picture:
        url = picture.data.decode("utf-8", "replace")
        try:
            if not url.lower().startswith(("http://", "https://")):
                # In a thread: ten megabytes of base64 would hold up everybody's streams.
                return await asyncio.to_thread(_inline, url)
            fetched = await self._fetcher.fetch(
                url, max_bytes=MAX_BYTES, timeout=self._seconds, accept=ACCEPT
            )
            return await asyncio.to_thread(open_picture, fetched.data, FETCHED)
        except (PictureError, FetchError) as error:
            raise _refused(f"{where}: {error}") from None


def _inline(url: str) -> Picture:
    return open_picture(read_data_url(url), INLINE)


def _refused(message: str) -> ApiError:
    return ApiError(Errors.INVALID_MESSAGES, message, param="messages")
