"""Pictures on their way to an engine: as they are, or read out to one without vision."""

from xinghe.core import FinishDelta, Message, Picture
from xinghe.generation.moderation import worst_of
from xinghe.generation.planning import GenerationContext, GenerationRequest
from xinghe.pictures import Description, image_tokens, pictures_in, without_pictures
from xinghe.safety import Place, notice

LEAST_CHARACTERS = 200
"""What may be told of a picture however small it is."""


async def read_pictures(
    context: GenerationContext, request: GenerationRequest
) -> tuple[tuple[Message, ...], FinishDelta | None]:
    """The conversation as the engine can take it in, and how it ends where a picture is unsafe.

    For an engine without vision, what can be read stands in the place of each picture.
    It takes no more tokens than the picture itself costs: a character is a token at most, and
    nobody pays for more than the picture. What is written in a picture is moderated with the
    words around it; what it shows, nobody here can judge.
    """
    messages = request.messages
    if request.deployment.engine.abilities.vision:
        return messages, None
    told: dict[Picture, Description] = {}
    # One after the other: the reader takes one at a time anyway, so that none of a request waits
    # for its others until its own time is over, and other requests get their turn between them.
    for picture in dict.fromkeys(pictures_in(messages)):
        most = max(LEAST_CHARACTERS, image_tokens(picture.width, picture.height))
        told[picture] = await context.reader.describe(picture, most)
    texts: list[tuple[str, Place]] = []
    for message in messages:
        written = [line for one in pictures_in([message]) for line in told[one].lines]
        texts.append(("\n".join([message.content, *written]) if written else "", "conversation"))
    verdicts = await context.moderator.review(texts)
    for verdict in filter(None, verdicts):
        notice("conversation", verdict)
    unsafe = worst_of(verdicts, messages) if any(verdicts) else None
    return tuple(without_pictures(messages, told)), unsafe
