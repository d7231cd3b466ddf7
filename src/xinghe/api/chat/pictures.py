"""Loads the pictures of a conversation (section 5.8): inline, or fetched under the guard."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from xinghe.api.errors import ApiError, Errors
from xinghe.core import Message, Picture
from xinghe.fetching import Fetcher, FetchError, Reserve
from xinghe.pictures import FETCHED, INLINE, MAX_BYTES, PictureError, open_picture, read_data_url
from xinghe.workers import Threads

MOST = 32
"""Pictures in one request."""
WAITING, SHARE = 128, 16
"""Requests that wait to have their pictures opened: in all, and of one member."""
ACCEPT = "image/png, image/jpeg, image/bmp, image/webp"


class PictureLoader:
    """`seconds` is what fetching one picture may take."""

    def __init__(self, fetcher: Fetcher, seconds: float) -> None:
        self._fetcher = fetcher
        self._seconds = seconds
        # In a thread: ten megabytes of base64 would hold up everybody's streams.
        self._threads = Threads("pictures", waiting=WAITING, share=SHARE)

    async def aclose(self) -> None:
        """Let go of its thread."""
        self._threads.close()

    async def load(
        self, messages: tuple[Message, ...], reserve: Reserve, places: Sequence[str] = ()
    ) -> tuple[Message, ...]:
        """The conversation with its pictures loaded, all at once.

        `reserve` counts what is fetched: a body of three kilobytes may name 320 MB of pictures.
        `places` is where they stand, if not as OpenAI has it. Raises `ApiError`, and what `reserve`
        raises.
        """
        found = [
            (f"messages[{index}].content[{at}].image_url.url", part)
            for index, message in enumerate(messages)
            for at, part in enumerate(message.parts)
            if isinstance(part, Picture)
        ]
        if places:
            found = [(place, part) for place, (_, part) in zip(places, found, strict=True)]
        check_pictures(messages)
        # One after the other, so that a request has one place in the queue.
        opening = asyncio.Lock()
        loading = [asyncio.ensure_future(self._load(*place, reserve, opening)) for place in found]
        try:
            loaded = iter(await asyncio.gather(*loading))
        finally:
            for task in loading:
                task.cancel()
            await asyncio.wait(loading)
        return tuple(
            replace(
                message,
                parts=tuple(
                    part if isinstance(part, str) else next(loaded) for part in message.parts
                ),
            )
            for message in messages
        )

    async def _load(
        self, where: str, picture: Picture, reserve: Reserve, opening: asyncio.Lock
    ) -> Picture:
        try:
            if not picture.data[:8].lower().startswith((b"http://", b"https://")):
                async with opening:
                    return await self._threads.run(_inline, picture.data)
            url = picture.data.decode("utf-8", "replace")
            fetched = await self._fetcher.fetch(
                url, max_bytes=MAX_BYTES, timeout=self._seconds, accept=ACCEPT, reserve=reserve
            )
            async with opening:
                return await self._threads.run(open_picture, fetched.data, FETCHED)
        except (PictureError, FetchError) as error:
            raise _refused(f"{where}: {error}") from None


def check_pictures(messages: Sequence[Message]) -> None:
    """That there are not too many of them; none is opened. Raises `ApiError`."""
    count = sum(isinstance(part, Picture) for message in messages for part in message.parts)
    if count > MOST:
        raise _refused(f"messages hold {count} pictures, allowed: at most {MOST}")


def _inline(url: bytes) -> Picture:
    return open_picture(read_data_url(url.decode("utf-8", "replace")), INLINE)


def _refused(message: str) -> ApiError:
    return ApiError(Errors.INVALID_MESSAGES, message, param="messages")
