"""Pictures on their way to an engine: as they are, or read out to one without eyes."""

from __future__ import annotations

import asyncio

import msgspec

from xinghe.core import FinishDelta, Message, Picture
from xinghe.generation.task import Means
from xinghe.generation.withheld import worst_of
from xinghe.pictures import Description, image_tokens, pictures_in, without_pictures
from xinghe.safety import Verdict, notice

LEAST_CHARACTERS = 200
"""What may be told of a picture however small it is."""


class Seen(msgspec.Struct, frozen=True):
    """The conversation as the engine can take it in, and how it ends where a picture is unsafe."""

    messages: tuple[Message, ...]
    unsafe: FinishDelta | None = None


async def seen(means: Means, messages: tuple[Message, ...]) -> Seen:
    """For an engine without eyes, what can be read stands in the place of each picture.

    It takes no more tokens than the picture itself costs: a character is a token at most, and
    nobody pays for more than the picture. What is written in a picture is moderated with the
    words around it; what it shows, nobody here can judge.
    """
    if means.station.engine.abilities.eyes:
        return Seen(messages)
    reader = means.reader
    assert reader is not None

    async def judge(message: Message) -> Verdict | None:
        written = [line for one in pictures_in([message]) for line in told[one].lines]
        if not written:
            return None
        verdict = await means.moderator.review("\n".join([message.content, *written]))
        if verdict is not None:
            notice("conversation", verdict)
        return verdict

    told: dict[Picture, Description] = {}
    # One after the other: the reader takes one at a time anyway, so that none of a request waits
    # for its others until its own time is over, and other requests get their turn between them.
    for picture in dict.fromkeys(pictures_in(messages)):
        most = max(LEAST_CHARACTERS, image_tokens(picture.width, picture.height))
        told[picture] = await reader.describe(picture, most)
    verdicts = await asyncio.gather(*map(judge, messages))
    return Seen(tuple(without_pictures(messages, told)), worst_of(verdicts, messages))
