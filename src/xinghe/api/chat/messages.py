"""The message rules of section 4.1.2; the freer ones of OpenAI at `/v1`."""

from __future__ import annotations

from typing import Any

from xinghe.api.chat.permissions import forbid
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors
from xinghe.api.fields import shown
from xinghe.catalog.card import Capability, ModelCard
from xinghe.core import Message

ROLES = {
    Dialect.DOCUMENTED: ("system", "user", "assistant", "tool", "function"),
    Dialect.OPENAI: ("system", "developer", "user", "assistant", "tool", "function"),
}


def read_messages(
    body: dict[str, Any], model: str, card: ModelCard, dialect: Dialect
) -> tuple[Message, ...]:
    """The conversation. Raises `ApiError` with the index and the rule that was broken."""
    value = body.get("messages")
    if value is None or value == []:
        raise _invalid("messages must not be empty")
    if not isinstance(value, list):
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"messages is {shown(value)}, allowed: a list of messages",
            param="messages",
        )
    messages = tuple(_read(i, item, model, dialect) for i, item in enumerate(value))
    if dialect is Dialect.DOCUMENTED:
        _check_order(messages, card)
    return messages


def _invalid(rule: str) -> ApiError:
    return ApiError(Errors.INVALID_MESSAGES, rule, param="messages")


def _read(index: int, item: Any, model: str, dialect: Dialect) -> Message:
    if not isinstance(item, dict):
        raise _invalid(f"messages[{index}] is {shown(item)}, allowed: an object")
    role, roles = item.get("role"), ROLES[dialect]
    if role not in roles:
        raise _invalid(f"messages[{index}].role is {shown(role)}, allowed: {', '.join(roles)}")
    if role == "tool" or item.get("tool_calls"):
        raise forbid(model, "tools", Capability.TOOLS)
    name = item.get("name")
    if name is not None and not isinstance(name, str):
        raise _invalid(f"messages[{index}].name is {shown(name)}, allowed: a string")
    content = _read_content(index, item.get("content"), model)
    if not content and dialect is Dialect.DOCUMENTED:
        raise _invalid(f"messages[{index}].content must not be empty")
    # `developer` is what OpenAI calls `system` today; a chat template knows only the latter.
    return Message(role="system" if role == "developer" else role, content=content, name=name)


def _read_content(index: int, content: Any, model: str) -> str:
    where = f"messages[{index}].content"
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise _invalid(f"{where} is {shown(content)}, allowed: a string or a list of parts")
    texts: list[str] = []
    for at, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "image_url":
            raise forbid(model, "image_url", Capability.IMAGES)
        if kind != "text":
            raise _invalid(f"{where}[{at}].type is {shown(kind)}, allowed: text, image_url")
        text = part.get("text")
        if not isinstance(text, str):
            raise _invalid(f"{where}[{at}].text is {shown(text)}, allowed: a string")
        texts.append(text)
    return "\n".join(texts)


def _check_order(messages: tuple[Message, ...], card: ModelCard) -> None:
    """Rules (3) and (5): an optional system, then user (or function) and assistant by turns."""
    strict = card.last_role == {"user"}
    askers = ("user",) if strict else ("user", "function")
    first = messages[0].role
    if first not in ("user", "system"):
        raise _invalid(f"messages[0].role is {shown(first)}, allowed: user, system")
    offset = 1 if first == "system" else 0
    for index, message in enumerate(messages[offset:], start=offset):
        allowed = askers if (index - offset) % 2 == 0 else ("assistant",)
        if message.role not in allowed:
            raise _invalid(
                f"messages[{index}].role is {shown(message.role)}, allowed: "
                f"{' or '.join(allowed)}; after an optional system message the roles are "
                "user, assistant, user, … by turns"
            )
    last = messages[-1]
    if last.role not in card.last_role:
        allowed_last = " or ".join(sorted(card.last_role, reverse=True))
        raise _invalid(
            f"messages[{len(messages) - 1}].role is {shown(last.role)}, "
            f"but the last message must be of {allowed_last}"
        )
    if not last.content.strip():
        raise _invalid(f"messages[{len(messages) - 1}].content, the last one, must not be blank")
