"""The streams of text in an answer: the chain of thought, the reply, and each call's arguments."""

from __future__ import annotations

from typing import TypeAlias

from msgspec.structs import replace

from xinghe.core import Delta, ReasoningDelta, TextDelta, ToolCallDelta

Spoken: TypeAlias = TextDelta | ReasoningDelta | ToolCallDelta


def text_of(delta: Spoken) -> str:
    return delta.arguments if isinstance(delta, ToolCallDelta) else delta.text


def with_text(delta: Spoken, text: str) -> Spoken:
    """The same delta with other text."""
    if isinstance(delta, ToolCallDelta):
        return replace(delta, arguments=text)
    return replace(delta, text=text)


def rest_of(last: Spoken, text: str) -> Spoken:
    """The delta that brings what was held back of a stream whose tokens are all counted."""
    if isinstance(last, ToolCallDelta):
        return ToolCallDelta(last.index, arguments=text)
    return ReasoningDelta(text, 0) if isinstance(last, ReasoningDelta) else TextDelta(text, 0)


def same_stream(one: Delta, other: Delta) -> bool:
    """Whether the text of one goes on in the other."""
    if isinstance(one, ToolCallDelta) and isinstance(other, ToolCallDelta):
        return one.index == other.index
    return type(one) is type(other)
