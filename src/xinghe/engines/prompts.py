"""Messages, tools and formats as chat templates and OpenAI-compatible servers read them.

And how many tokens their texts are, where no tokenizer is at hand.
"""

import asyncio
import base64
import codecs
import unicodedata
from collections.abc import Container, Iterator, Sequence
from typing import Any

from xinghe.core import Constraint, Message, Picture, Thinking, Tool, ToolUse
from xinghe.engines.llamacpp.switch import variables

PIECE = 3 << 18
"""Bytes of a picture that are encoded at a time, in a millisecond: threes, so that they join."""
COUNTED_AT_ONCE = 1 << 17
"""Characters whose tokens are estimated at a time, in some 5 ms at most."""
_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
_UNSPACED = (
    *((0x3000, 0x30FF), (0x31F0, 0x31FF), (0xFF65, 0xFF9F), (0x1AFF0, 0x1B16F)),  # kana
    *((0x0E00, 0x0EFF), (0x1780, 0x17FF)),  # Thai and Lao, Khmer
    *((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),  # Burmese
)
"""Blocks of scripts without spaces: each letter, digit and mark of theirs counts."""
_EMOJI = (
    *((0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F7E0, 0x1F7FF), (0x1F90C, 0x1FAFF)),
    *((0x1F004, 0x1F004), (0x1F0CF, 0x1F0CF), (0x1F18E, 0x1F19A), (0x1F201, 0x1F265)),
    *((0x231A, 0x231B), (0x23E9, 0x23EC), (0x23F0, 0x23F0), (0x23F3, 0x23F3), (0x25FD, 0x25FE)),
    *((0x2614, 0x2615), (0x2648, 0x2653), (0x267F, 0x267F), (0x2693, 0x2693), (0x26A1, 0x26A1)),
    *((0x26AA, 0x26AB), (0x26BD, 0x26BE), (0x26C4, 0x26C5), (0x26CE, 0x26CE), (0x26D4, 0x26D4)),
    *((0x26EA, 0x26EA), (0x26F2, 0x26F3), (0x26F5, 0x26F5), (0x26FA, 0x26FA), (0x26FD, 0x26FD)),
    *((0x2705, 0x2705), (0x270A, 0x270B), (0x2728, 0x2728), (0x274C, 0x274C), (0x274E, 0x274E)),
    *((0x2753, 0x2755), (0x2757, 0x2757), (0x2795, 0x2797), (0x27B0, 0x27B0), (0x27BF, 0x27BF)),
    *((0x2B1B, 0x2B1C), (0x2B50, 0x2B50), (0x2B55, 0x2B55)),
)
"""What is shown as one by itself; any other sign is one before U+FE0F."""
_LAST = 0x323B0
"""Whatever is behind it says nothing by itself: tags, and selectors of a variant."""


def _kinds() -> bytes:
    """For each code point what it counts as.

    `c`haracter, letter of a `w`ord, `e`moji, `f`lag's letter, s`k`in; `j`oiner, `v`ariant,
    `m`ark that changes nothing; `s`ign, or space. Those behind the last one say nothing.
    """
    # Above are ideographs alone, which are set below.
    categories = "".join(map(unicodedata.category, map(chr, range(_HAN[-1][0]))))[::2].encode()
    kinds = bytearray(categories.translate(_CATEGORIES)).ljust(_LAST, b"s")
    kinds[:0x21] = b" " * 0x21
    for code in (0x00AD, 0x200C, 0x2060, 0xFEFF):
        kinds[code] = ord("m")
    for low, high in _UNSPACED:
        kinds[low : high + 1] = kinds[low : high + 1].translate(_UNSPACED_KINDS)
    others = {
        "c": _HAN, "e": _EMOJI, "f": [(0x1F1E6, 0x1F1FF)], "k": [(0x1F3FB, 0x1F3FF)],
        "j": [(0x200D, 0x200D)], "v": [(0xFE0F, 0xFE0F)], "w": [(ord("_"), ord("_"))],
    }  # fmt: skip
    for kind, ranges in others.items():
        for low, high in ranges:
            kinds[low : high + 1] = kind.encode() * (high + 1 - low)
    return bytes(kinds)


_CATEGORIES = bytes(
    {"L": b"w", "N": b"w", "M": b"m"}.get(chr(code), b"s")[0] for code in range(256)
)
"""Letters and numbers are of words."""
_UNSPACED_KINDS = bytes(code if code == ord("s") else ord("c") for code in range(256))
_KINDS = _kinds()
_SPACED = bytes(code if code == ord("w") else ord(" ") for code in range(256))


async def wire_messages(
    messages: Sequence[Message], thought_field: str = "none"
) -> list[dict[str, Any]]:
    """As JSON has them; pictures travel as data URLs, a thought in the field of this name."""
    pictures = [part for each in messages for part in each.parts if isinstance(part, Picture)]
    urls = [f"data:{each.media_type};base64,{await base64_of(each.data)}" for each in pictures]
    in_order = iter(urls)
    return [_wire_message(each, thought_field, in_order) for each in messages]


async def base64_of(data: bytes) -> str:
    """Made in pieces, between which others have their turn."""
    pieces = list[bytes]()
    for at in range(0, len(data), PIECE):
        pieces.append(base64.b64encode(data[at : at + PIECE]))
        await asyncio.sleep(0)
    return b"".join(pieces).decode()


def _wire_message(message: Message, thought_field: str, urls: Iterator[str]) -> dict[str, Any]:
    content = message.content if message.has_content else None
    body: dict[str, Any] = {
        "role": message.role,
        "content": [_part(part, urls) for part in message.parts] or content,
    }
    if message.name is not None:
        body["name"] = message.name
    if message.tool_calls:
        body["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    if message.thought and thought_field != "none":
        body[thought_field] = message.thought
    return body


def wire_tools(use: ToolUse) -> dict[str, Any]:
    """The fields of a request that offer tools.

    Where one is demanded, all are told with it. Few servers know `allowed_tools`: where only some
    may be called, no others are told.
    """
    choice: Any = use.choice
    tools = use.tools
    if use.choice == "required" and use.only and len(use.only) == 1:
        choice = {"type": "function", "function": {"name": next(iter(use.only))}}
    else:
        tools = tuple(tool for tool in tools if use.allows(tool.name))
    fields = {
        "tools": [{"type": "function", "function": _function(tool)} for tool in tools],
        "tool_choice": choice,
    }
    return fields if use.parallel is None else fields | {"parallel_tool_calls": use.parallel}


def wire_format(constraint: Constraint) -> dict[str, Any]:
    """The `response_format` of a constraint that a schema can say; else any JSON."""
    if constraint.schema is None:
        return {"type": "json_object"}
    schema = {"name": "answer", **constraint.about, "schema": constraint.schema}
    return {"type": "json_schema", "json_schema": schema}


def wire_thinking(asked: Thinking, fields: Container[str]) -> dict[str, Any]:
    """What a request says of the chain of thought, in those of the fields that a server knows.

    Chat templates call their switch by one of two names, and pass over the other.
    """
    on, budget = asked.on, asked.budget
    said: dict[str, Any] = {}
    if on is not None:
        said["enable_thinking"] = on
        said |= variables(on)
        said["thinking"] = {"type": "enabled" if on else "disabled"}
    if on and budget is not None:
        said["thinking"]["budget_tokens"] = said["thinking_budget"] = budget
    if asked.effort is not None or on is False:
        said["reasoning_effort"] = asked.effort or "none"
    return {name: value for name, value in said.items() if name in fields}


def _function(tool: Tool) -> dict[str, Any]:
    """What was not said stays unsaid; but that parameters are an object's, some insist on."""
    said = {"description": tool.description or None, "strict": tool.strict}
    return {
        "name": tool.name,
        "parameters": {"type": "object", "properties": {}, **tool.parameters},
        **{name: value for name, value in said.items() if value is not None},
    }


def _part(part: str | Picture, urls: Iterator[str]) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": next(urls)}}


def estimated_tokens(text: str) -> int:
    """The source's own estimate (section 4.3.3): Chinese characters + words × 1.3, rounded up.

    A word is one of any script. Scripts without spaces count by character, an emoji is a word,
    however many code points it is joined of. Half a million take 1 ms in ASCII, else some 15.
    """
    return _estimate(*_counted(text))


async def estimated_in_turns(text: str) -> int:
    """The same of a text of any length, between whose pieces others have their turn."""
    characters = words = at = 0
    while at < len(text):
        piece = text[at : at + COUNTED_AT_ONCE]
        if at + len(piece) < len(text):
            # Behind a line, if there is one near, so that no word is cut.
            piece = piece[: piece.rfind("\n", len(piece) // 2) + 1] or piece
        counted = _counted(piece)
        characters, words, at = characters + counted[0], words + counted[1], at + len(piece)
        if at < len(text):
            await asyncio.sleep(0)
    return _estimate(characters, words)


def _estimate(characters: int, words: int) -> int:
    return characters + -(-13 * words // 10)


def _counted(text: str) -> tuple[int, int]:
    """How many characters count by themselves, and how many words there are."""
    if text.isascii():
        kinds = text.encode().translate(_KINDS[:256])
    else:
        kinds = codecs.charmap_encode(text, "ignore", _KINDS)[0].translate(None, b"m")
    letters = b" " + kinds.translate(_SPACED, b"jv")
    words = letters.count(b" w")
    if not text.isascii():
        words += sum(map(kinds.count, (b"e", b"k", b"f", b"sv")))
        words -= sum(map(kinds.count, (b"ek", b"ff", b"je", b"jsv")))
    return kinds.count(b"c"), words


def bounded_tokens(text: str) -> int:
    """The most tokens that a text can take: no tokenizer in use splits a byte."""
    return len(text.encode("utf-8", "surrogatepass"))
