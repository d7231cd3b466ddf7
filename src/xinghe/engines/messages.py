"""Messages, tools and formats as chat templates and OpenAI-compatible servers read them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from xinghe.core import Constraint, Message, Picture, ToolUse


def wire_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The conversation as JSON has it; pictures travel as data URLs."""
    return [_wire(message) for message in messages]


def wire_tools(use: ToolUse) -> dict[str, Any]:
    """The fields of a request that offer tools."""
    named = {"type": "function", "function": {"name": use.name}}
    return {
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in use.tools
        ],
        "tool_choice": named if use.name else use.choice,
        "parallel_tool_calls": use.parallel,
    }


def wire_format(constraint: Constraint) -> dict[str, Any]:
    """The `response_format` of a constraint that a schema can say; else any JSON."""
    if constraint.schema is None:
        return {"type": "json_object"}
    schema = {"name": "answer", "schema": constraint.schema, "strict": True}
    return {"type": "json_schema", "json_schema": schema}


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
