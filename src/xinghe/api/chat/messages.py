"""The message rules of section 4.1.2; the freer ones of OpenAI at `/v1`."""

from __future__ import annotations

import asyncio
from typing import Any

from xinghe.api.chat.contents import read_content
from xinghe.api.chat.permissions import forbid
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors
from xinghe.api.fields import shown
from xinghe.catalog import Capability, ModelCard
from xinghe.core import Message, Picture, ToolCall

ROLES = {
    Dialect.DOCUMENTED: ("system", "user", "assistant", "tool", "function"),
    Dialect.OPENAI: ("system", "developer", "user", "assistant", "tool", "function"),
}

PAUSE = 1024
"""Messages after which others have their turn."""
BLANK = 1_000_000
"""Characters: whatever is longer is refused for its length, and not looked through for a letter."""


async def read_messages(
    body: dict[str, Any],
    model: str,
    card: ModelCard,
    dialect: Dialect,
    able: frozenset[Capability],
) -> tuple[Message, ...]:
    """The conversation, its pictures still as URLs (`contents.unloaded`).

    `able` is what the model can do and its deployment delivers. Raises `ApiError` with the index
    and the rule that was broken.
    """
    value = body.get("messages")
    if value is None or value == []:
        raise invalid("messages must not be empty")
    if not isinstance(value, list):
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"messages is {shown(value)}, allowed: a list of messages",
            param="messages",
        )
    read = list[Message]()
    for index, item in enumerate(value):
        if index % PAUSE == PAUSE - 1:
            await asyncio.sleep(0)
        read.append(_read(index, item, model, dialect, able))
    messages = tuple(read)
    uses_tools = bool(body.get("tools")) or any(message.tool_calls for message in messages)
    if dialect is Dialect.DOCUMENTED:
        _check_order(messages, card, uses_tools)
    _check_results(messages)
    return messages


def invalid(rule: str) -> ApiError:
    return ApiError(Errors.INVALID_MESSAGES, rule, param="messages")


def _read(
    index: int, item: Any, model: str, dialect: Dialect, able: frozenset[Capability]
) -> Message:
    if not isinstance(item, dict):
        raise invalid(f"messages[{index}] is {shown(item)}, allowed: an object")
    role, roles = item.get("role"), ROLES[dialect]
    if role not in roles:
        raise invalid(f"messages[{index}].role is {shown(role)}, allowed: {', '.join(roles)}")
    if (role == "tool" or item.get("tool_calls")) and Capability.TOOLS not in able:
        raise forbid(model, "tools", Capability.TOOLS)
    name = item.get("name")
    if name is not None and not isinstance(name, str):
        raise invalid(f"messages[{index}].name is {shown(name)}, allowed: a string")
    calls = _read_calls(index, role, item.get("tool_calls"))
    parts: tuple[str | Picture, ...] = ()
    if calls and item.get("content") in (None, ""):
        content = ""
    else:
        content, parts = read_content(index, role, item.get("content"), model, able)
        if not content and not parts and dialect is Dialect.DOCUMENTED:
            raise invalid(f"messages[{index}].content must not be empty")
    return Message(
        # `developer` is what OpenAI calls `system` today; a chat template knows only the latter.
        role="system" if role == "developer" else role,
        content=content,
        name=name,
        tool_calls=calls,
        tool_call_id=_read_call_id(index, role, item.get("tool_call_id")),
        parts=parts,
    )


def _read_calls(index: int, role: str, value: Any) -> tuple[ToolCall, ...]:
    where = f"messages[{index}].tool_calls"
    if value is None:
        return ()
    if not isinstance(value, list):
        raise invalid(f"{where} is {shown(value)}, allowed: a list of tool calls")
    if value and role != "assistant":
        raise invalid(f"{where} stands on a message of {role}, allowed: assistant only")
    calls = tuple(_read_call(f"{where}[{at}]", call) for at, call in enumerate(value))
    if len({call.id for call in calls}) < len(calls):
        raise invalid(f"{where} holds the same id twice, allowed: each id once")
    return calls


def _read_call(where: str, value: Any) -> ToolCall:
    if not isinstance(value, dict):
        raise invalid(f"{where} is {shown(value)}, allowed: an object")
    kind = value.get("type", "function")
    if kind != "function":
        raise invalid(f'{where}.type is {shown(kind)}, allowed: "function"')
    function = value.get("function")
    if not isinstance(function, dict):
        raise invalid(f"{where}.function is {shown(function)}, allowed: an object")
    texts = [
        (f"{where}.id", value.get("id")),
        (f"{where}.function.name", function.get("name")),
        (f"{where}.function.arguments", function.get("arguments")),
    ]
    for place, text in texts:
        free = place.endswith("arguments")
        if not isinstance(text, str) or not (text or free):
            rule = "a string, as it was given" if free else "a string that is not empty"
            raise invalid(f"{place} is {shown(text)}, allowed: {rule}")
    return ToolCall(*(str(text) for _, text in texts))


def _read_call_id(index: int, role: str, value: Any) -> str | None:
    if role != "tool":
        return None
    if not isinstance(value, str) or not value:
        raise invalid(
            f"messages[{index}].tool_call_id is {shown(value)}, allowed: the id of the tool call "
            "that this message answers"
        )
    return value


def _check_results(messages: tuple[Message, ...]) -> None:
    """What a tool returned stands behind the calls that it answers."""
    asked: set[str] = set()
    for index, message in enumerate(messages):
        if message.role != "tool":
            asked = {call.id for call in message.tool_calls}
        elif message.tool_call_id not in asked:
            known = ", ".join(sorted(asked)) or "none, as no assistant message with calls precedes"
            raise invalid(
                f"messages[{index}].tool_call_id is {shown(message.tool_call_id)}, allowed: an id "
                f"of the calls that it answers ({known[:200]})"
            )


def _check_order(messages: tuple[Message, ...], card: ModelCard, uses_tools: bool) -> None:
    """Rules (3) and (5): an optional system, then user (or function) and assistant by turns.

    With function call, what the tools returned stands between a call and the next turn.
    """
    strict = card.last_role == {"user"}
    askers = ("user",) if strict else ("user", "function")
    first = messages[0].role
    if first not in ("user", "system"):
        raise invalid(f"messages[0].role is {shown(first)}, allowed: user, system")
    offset = 1 if first == "system" else 0
    allowed: tuple[str, ...] = askers
    for index, message in enumerate(messages[offset:], start=offset):
        if message.role not in allowed:
            turns = "user, assistant, user, … by turns"
            if uses_tools:
                turns = "user, assistant with tool_calls, tool, …, then assistant or user"
            raise invalid(
                f"messages[{index}].role is {shown(message.role)}, allowed: "
                f"{' or '.join(allowed)}; after an optional system message the roles are {turns}"
            )
        if message.role == "tool":
            allowed = ("tool", "assistant", *askers)
        elif message.role != "assistant":
            allowed = ("assistant",)
        else:
            allowed = ("tool",) if message.tool_calls else askers
    _check_last(messages, card)


def _check_last(messages: tuple[Message, ...], card: ModelCard) -> None:
    last, at = messages[-1], len(messages) - 1
    if last.role not in card.last_role:
        allowed_last = " or ".join(sorted(card.last_role, reverse=True))
        raise invalid(
            f"messages[{at}].role is {shown(last.role)}, "
            f"but the last message must be of {allowed_last}"
        )
    if len(last.content) < BLANK and not last.content.strip() and not last.parts:
        raise invalid(f"messages[{at}].content, the last one, must not be blank")
