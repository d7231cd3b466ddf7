"""Pictures on their way to an engine: as they are, or read out to one without vision."""

from collections.abc import Mapping, Sequence

import msgspec

from xinghe.core import FinishDelta, Message, Picture
from xinghe.generation.moderation import worst_of
from xinghe.generation.planning import GenerationContext, GenerationRequest
from xinghe.pictures import Description, image_tokens, pictures_in, without_pictures
from xinghe.safety import Moderator, Place, Verdict, notice

LEAST_CHARACTERS = 200
"""What may be told of a picture however small it is."""


class Seen(msgspec.Struct, frozen=True):
    """The conversation as the engine can take it in, and how it ends where a picture is unsafe."""

    messages: tuple[Message, ...]
    unsafe: FinishDelta | None = None


async def read_pictures(context: GenerationContext, request: GenerationRequest) -> Seen:
    """For an engine without vision, what can be read stands in the place of each picture.

    It takes no more tokens than the picture itself costs: a character is a token at most, and
    nobody pays for more than the picture. What is written in a picture is moderated with the
    words around it; what it shows, nobody here can judge.
    """
    messages = request.messages
    if request.deployment.engine.abilities.vision:
        return Seen(messages)
    told: dict[Picture, Description] = {}
    # One after the other: the reader takes one at a time anyway, so that none of a request waits
    # for its others until its own time is over, and other requests get their turn between them.
    for picture in dict.fromkeys(pictures_in(messages)):
        most = max(LEAST_CHARACTERS, image_tokens(picture.width, picture.height))
        told[picture] = await context.reader.describe(picture, most)
    verdicts = await _verdicts(context.moderator, messages, told)
    unsafe = worst_of(verdicts, messages) if any(verdicts) else None
    return Seen(tuple(without_pictures(messages, told)), unsafe)


async def _verdicts(
    moderator: Moderator, messages: Sequence[Message], told: Mapping[Picture, Description]
) -> list[Verdict | None]:
    """Of the messages in whose pictures something is written."""
    texts: list[tuple[str, Place]] = []
    places: list[int] = []
    for at, message in enumerate(messages):
        written = [line for one in pictures_in([message]) for line in told[one].lines]
        if written:
            texts.append(("\n".join([message.content, *written]), "conversation"))
            places.append(at)

    by_place = dict(zip(places, await moderator.review(texts), strict=True))
    for verdict in filter(None, by_place.values()):
        notice("conversation", verdict)
    return [by_place.get(at) for at in range(len(messages))]
