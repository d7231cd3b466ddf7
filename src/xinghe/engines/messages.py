"""Messages in the form that chat templates and OpenAI-compatible servers read."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from xinghe.core import Message, Picture


def wire_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The conversation as JSON has it; pictures travel as data URLs."""
    return [_wire(message) for message in messages]


def _wire(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {
        "role": message.role,
        "content": [_part(part) for part in message.parts] or message.content,
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
    return body


def _part(part: str | Picture) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    encoded = base64.b64encode(part.data).decode()
    return {
        "type": "image_url",
        "image_url": {"url": f"data:{part.media_type};base64,{encoded}"},
    }
