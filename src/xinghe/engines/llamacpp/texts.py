"""Every text in a conversation that came from outside, and the conversation with each changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from xinghe.core import Message, ToolCall

Change = Callable[[str], str]

OPEN, CLOSE = "<think>", "</think>"
"""How a chain of thought begins and ends in the model's own notation."""


def suspicious(message: Message, suspects: Callable[[str], bool]) -> bool:
    """Whether one of its texts is; calls always, as their JSON may mean other texts than it is."""
    texts = [message.content, message.name or "", message.tool_call_id or ""]
    texts += [part for part in message.parts if isinstance(part, str)]
    return bool(message.tool_calls) or any(map(suspects, texts))


def with_texts(message: Message, change: Change) -> Message:
    """The message with each of its texts changed; its role is not one of them."""
    return replace(
        message,
        content=change(message.content),
        parts=tuple(change(part) if isinstance(part, str) else part for part in message.parts),
        name=message.name and change(message.name),
        tool_call_id=message.tool_call_id and change(message.tool_call_id),
        tool_calls=tuple(
            ToolCall(change(call.id), change(call.name), _arguments(call.arguments, change))
            for call in message.tool_calls
        ),
    )


def with_opening(opening: str, change: Change) -> str:
    """The beginning of an answer, changed but for the tags around its chain of thought."""
    begin = OPEN if opening.startswith(OPEN) else ""
    thought, tag, rest = opening[len(begin) :].rpartition(CLOSE)
    if not tag or rest.strip():
        return begin + change(opening[len(begin) :])
    return begin + change(thought) + tag + rest


def _arguments(text: str, change: Change) -> str:
    """JSON stays JSON, since templates may read it; what is none is a text like any other."""
    try:
        return json.dumps(_changed(json.loads(text), change), ensure_ascii=False)
    except (ValueError, RecursionError):
        return change(text)


def _changed(value: Any, change: Change) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_changed(each, change) for each in value]
    if isinstance(value, dict):
        return {change(name): _changed(each, change) for name, each in value.items()}
    return value
