"""Pictures in messages: their cost in tokens, and what engines without vision are told of them."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from xinghe.core import Message, Picture

PATCH = 28
"""Pixels: a token stands for a square with sides of this length."""
MAX_IMAGE_TOKENS = 1600
# The special tokens of the chat templates in use: <|im_start|>, <｜User｜>, </s>, <think>, [INST].
_TOKEN = re.compile(r"<([^<>\s]{1,64})>")
_BRACKETS = re.compile(
    r"\[(/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|gMASK|图片[^\]]*))\]?"
)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Description(msgspec.Struct, frozen=True):
    """A picture in words; sizes in pixels, `colours` by their Chinese names.

    `lines` is the text in it, `cut` whether there was more. Where `readable` is false the file
    could not be decoded in time, and all but the size is empty.
    """

    width: int
    height: int
    colours: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    cut: bool = False
    readable: bool = True


def image_tokens(width: int, height: int) -> int:
    """Input tokens of a picture of `width` × `height` pixels, from 1 to 1,600.

    ⌈w/28⌉ × ⌈h/28⌉. Where that is more than 1,600, the picture is first scaled down, its ratio
    kept, by as little as makes it 1,600 or fewer: a picture of 4000 × 3000 costs 1,564.
    """
    tokens = _patches(width, PATCH) * _patches(height, PATCH)
    if tokens <= MAX_IMAGE_TOKENS:
        return tokens
    # Growing from nothing, the count only rises where one side fills its patches exactly; so
    # the largest permitted scale is one of those, and whole numbers suffice to find it.
    return max(
        count
        for side, other in ((width, height), (height, width))
        for filled in range(1, MAX_IMAGE_TOKENS + 1)
        if (count := filled * _patches(filled * other, side)) <= MAX_IMAGE_TOKENS
    )


def pictures_in(messages: Sequence[Message]) -> list[Picture]:
    """All pictures of a conversation, in order."""
    return [part for one in messages for part in one.parts if isinstance(part, Picture)]


def prompt_parts(message: Message, descriptions: Sequence[Description], first: int = 1) -> str:
    """The text of a message, with a note in the place of each of its pictures.

    `descriptions` are those of its pictures, in order; `first` is the number of the first of
    them in the conversation. Text that was read stands between 「 and 」, which it cannot close,
    and holds no special token of a chat template.
    """
    notes = iter(
        _note(number, description) for number, description in enumerate(descriptions, first)
    )
    return "\n".join(part if isinstance(part, str) else next(notes) for part in message.parts)


def without_pictures(
    messages: Sequence[Message], descriptions: Mapping[Picture, Description]
) -> list[Message]:
    """The conversation for an engine without vision; pictures are numbered from its beginning."""
    told: list[Message] = []
    number = 1
    for message in messages:
        pictures = pictures_in([message])
        if pictures:
            text = prompt_parts(message, [descriptions[one] for one in pictures], number)
            told.append(msgspec.structs.replace(message, content=text, parts=()))
        else:
            told.append(message)
        number += len(pictures)
    return told


def harmless(text: str) -> str:
    """Text that was read from a picture, as data: it neither closes its quotes nor gives orders
    to a chat template."""
    text = _CONTROL.sub("", text).replace("「", "『").replace("」", "』")
    return _BRACKETS.sub(r"［\1］", _TOKEN.sub(r"‹\1›", text))


def _patches(length: int, size: int) -> int:
    return -(-length // size)


def _note(number: int, picture: Description) -> str:
    head = f"图片{number}:{picture.width}×{picture.height}像素"
    if not picture.readable:
        return f"[{head},内容无法识读]"
    if picture.colours:
        head += f",主要颜色:{'、'.join(picture.colours)}"
    if not picture.lines:
        return f"[{head},图中没有认出文字]"
    text = "\n".join(map(harmless, picture.lines))
    if picture.cut:
        return f"[{head}。图里写的文字开头是:「{text}」(其余略)]"
    # With 图中文字 in place of this sentence, small models tell what it is about, not what it says.
    return f"[{head}。图里写的全部文字是:「{text}」]"
