"""Words of the platform to the model, at the end of a conversation."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from xinghe.core import Message


def with_note(messages: Sequence[Message], note: str) -> tuple[Message, ...]:
    """The conversation with a note after the last question.

    At the end, so that what comes before is the same with and without it, and the engine's
    prefix cache serves both.
    """
    last = messages[-1]
    if last.role != "user":
        return (*messages, Message("user", note))
    content = f"{last.content}\n\n{note}"
    parts = (*last.parts, f"\n\n{note}") if last.parts else ()
    return (*messages[:-1], replace(last, content=content, parts=parts))


def is_chinese(messages: Sequence[Message]) -> bool:
    """Whether the last question is in Chinese: in what language the model is spoken to."""
    return any("\u4e00" <= char <= "\u9fff" for char in messages[-1].content)
