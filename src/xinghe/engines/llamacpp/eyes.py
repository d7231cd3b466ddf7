"""Conversations with pictures, made ready for an engine that sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import msgspec
import structlog

from xinghe.core import Message, Picture
from xinghe.pictures import Description, pictures_in, prompt_parts
from xinghe.pictures.sight import Look
from xinghe.workers import Worker, WorkerFailure

log = structlog.get_logger(__name__)

TIMEOUT = 60.0
"""Seconds to decode one picture."""


class Eyes:
    """Has pictures decoded by a child process, which is started at the first one."""

    def __init__(self) -> None:
        self._worker = Worker("xinghe.engines.llamacpp.plain", bytes, timeout=TIMEOUT)

    async def shown(self, messages: Sequence[Message]) -> list[Message]:
        """The conversation with every picture as a PNG that the engine can decode.

        In the place of one that cannot be decoded stands the note that engines without eyes get.
        """
        pictures = pictures_in(messages)
        parts = iter(await asyncio.gather(*map(self._part, pictures, range(1, len(pictures) + 1))))
        return [_with_pictures(message, parts) for message in messages]

    async def aclose(self) -> None:
        await self._worker.aclose()

    async def _part(self, picture: Picture, number: int) -> str | Picture:
        try:
            png = await self._worker.call(Look(picture.data))
        except WorkerFailure as error:
            log.warning("picture_not_shown", reason=type(error).__name__)
            unreadable = Description(picture.width, picture.height, readable=False)
            return prompt_parts(Message("user", "", parts=(picture,)), [unreadable], number)
        return msgspec.structs.replace(picture, data=png, media_type="image/png")


def _with_pictures(message: Message, pictures: Iterator[str | Picture]) -> Message:
    parts = tuple(part if isinstance(part, str) else next(pictures) for part in message.parts)
    return msgspec.structs.replace(message, parts=parts)
