"""Pictures on their way to an engine: as they are, or read out to one without vision."""

from msgspec.structs import replace

from xinghe.core import FinishDelta, Message, Picture
from xinghe.generation.moderation import worst_of
from xinghe.generation.planning import GenerationContext, GenerationRequest
from xinghe.pictures import Description, image_tokens, pictures_in, without_pictures
from xinghe.safety import Place, notice

LEAST_CHARACTERS = 200
"""What may be told of a picture however small it is."""
_SEEN = {True: "请描述图片。", False: "Please describe what is shown."}
"""What is asked of an engine with eyes, by whether the conversation is in Chinese."""
_READ_OUT = {
    True: "(方括号里是你能知道的全部:你看不见画面。)请说出图片的尺寸、主要颜色和图中的文字,"
    "并说明看不见画面、请我补充。不要猜测。",
    False: "(All that you can know stands in the brackets: you cannot see the picture.) Say in "
    "English its size, its main colours and the text in it, and that you cannot see what it shows. "
    "Do not guess.",
}
"""The same of one without, which reads no more than size, colours and text."""


async def read_pictures(
    context: GenerationContext, request: GenerationRequest
) -> tuple[tuple[Message, ...], FinishDelta | None]:
    """The conversation as the engine can take it in, and how it ends where a picture is unsafe.

    Of pictures without a word, a platform's engine is told what is wanted; upstreams know, and get
    what was sent. For an engine without vision, what can be read stands in each picture's place.
    It takes no more tokens than the picture itself costs: a character is a token at most, and
    nobody pays for more than the picture. What is written in a picture is moderated with the
    words around it; what it shows, nobody here can judge.
    """
    messages, chinese = request.messages, _are_chinese(request.messages)
    if request.deployment.engine.abilities.vision:
        if request.keeps_to_grammars:
            messages = tuple(_with_wish(one, one, _SEEN[chinese]) for one in messages)
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
    read = without_pictures(messages, told)
    wish = _READ_OUT[chinese]
    return tuple(_with_wish(*pair, wish) for pair in zip(messages, read, strict=True)), unsafe


def _are_chinese(messages: tuple[Message, ...]) -> bool:
    """Whether a conversation is in Chinese, or has no words at all."""
    said = "".join(one.content for one in messages)
    return not said.strip() or any("\u4e00" <= char <= "\u9fff" for char in said)


def _with_wish(sent: Message, read: Message, wish: str) -> Message:
    """What an engine reads of a message, with a wish where pictures were `sent` without a word.

    In every such message of the conversation: what has been read is not read again.
    """
    if not sent.parts or sent.content.strip():
        return read
    if read.parts:
        return replace(read, content=wish, parts=(*pictures_in([read]), wish))
    return replace(read, content=f"{read.content}\n{wish}")
