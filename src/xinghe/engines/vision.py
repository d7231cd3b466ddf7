"""Pictures of a conversation as engines with vision take them."""

import asyncio
from collections.abc import Iterator, Sequence

import structlog
from msgspec.structs import replace

from xinghe.core import Message, Picture
from xinghe.engines.protocol import EngineAway
from xinghe.outbound import PAUSES, RETRY_AFTER, tries
from xinghe.pictures import Description, PictureFile, pictures_in, prompt_parts
from xinghe.workers import QueueFull, Worker, WorkerFailure

log = structlog.get_logger(__name__)

DECODING = 60.0
"""Seconds to decode one picture."""
MEMORY = 2 * 1024**3
"""Bytes of data that the child may hold."""


class Vision:
    """Has pictures made plain by a child process, which is started at the first one.

    All of them; or, where the engine decodes files by itself, only those that lie on their side,
    can be seen through, or have colours that few decoders know: the others stay as they are.
    """

    def __init__(self, *, decodes: bool) -> None:
        arguments = ["decodes"] if decodes else []
        self._worker = Worker(
            "xinghe.engines.plain", bytes, arguments=arguments, timeout=DECODING, memory=MEMORY
        )

    async def shown(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The conversation with its pictures as the engine can take them.

        In the place of one that cannot be decoded stands the note that engines without vision get.
        Raises `EngineAway` where too many wait to be made plain.
        """
        pictures = pictures_in(messages)
        parts = iter(await asyncio.gather(*map(self._part, pictures, range(1, len(pictures) + 1))))
        return [_with_pictures(message, parts) for message in messages]

    async def aclose(self) -> None:
        await self._worker.aclose()

    async def _part(self, picture: Picture, number: int) -> str | Picture:
        png = b""
        try:
            for one in tries(PAUSES, QueueFull, _full):
                async with one:
                    png = await self._worker.call(PictureFile(picture.data))
                    break
        except WorkerFailure as error:
            log.warning("picture_not_shown", reason=type(error).__name__)
            unreadable = Description(picture.width, picture.height, readable=False)
            return prompt_parts(Message("user", "", parts=(picture,)), [unreadable], number)
        return replace(picture, data=png, media_type="image/png") if png else picture


def _full(error: QueueFull, pause: float | None) -> None:
    if pause is None:
        raise EngineAway(str(error), RETRY_AFTER) from error


def _with_pictures(message: Message, pictures: Iterator[str | Picture]) -> Message:
    parts = tuple(part if isinstance(part, str) else next(pictures) for part in message.parts)
    return replace(message, parts=parts)
