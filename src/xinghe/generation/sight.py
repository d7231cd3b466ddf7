"""Pictures on their way to an engine: as they are, or read out to one without eyes."""

from __future__ import annotations

import asyncio

from xinghe.core import Message, Picture
from xinghe.generation.task import Means
from xinghe.pictures import Description, image_tokens, pictures_in, without_pictures

LEAST_CHARACTERS = 200
"""What may be told of a picture however small it is."""


async def seen(means: Means, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The conversation as the engine can take it in.

    What is told of a picture takes no more tokens than the picture itself costs: a character is
    a token at most, and nobody pays for more than the picture.
    """
    if means.station.engine.abilities.eyes:
        return messages
    reader = means.reader
    assert reader is not None

    async def describe(picture: Picture) -> Description:
        most = max(LEAST_CHARACTERS, image_tokens(picture.width, picture.height))
        return await reader.describe(picture, most)

    pictures = pictures_in(messages)
    told = await asyncio.gather(*map(describe, pictures))
    return tuple(without_pictures(messages, dict(zip(pictures, told, strict=True))))
