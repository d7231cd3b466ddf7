"""The conversation: its message rules of section 4.1.2, and the freer ones of OpenAI at `/v1`."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from xinghe.api.chat.capabilities import forbid
from xinghe.api.chat.conversation import (
    ChatMessage,
    DocumentedMessage,
    OpenAIMessage,
    PastCall,
    PicturePart,
    RefusalPart,
    TextPart,
)
from xinghe.api.chat.schema import ChatBody, invalid
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, shown
from xinghe.catalog import Capability, ModelCard
from xinghe.core import Message, Picture, ToolCall

PAUSE = 1024
"""Messages after which others have their turn."""
PLAIN = frozenset({"system", "user", "assistant"})
END = Message("", "")
"""Stands behind the last message."""
BLANK = 1_000_000
"""Characters: whatever is longer is refused for its length, and not looked through for a letter."""


async def read_messages(
    body: ChatBody, model: str, card: ModelCard, dialect: Dialect, able: frozenset[Capability]
) -> tuple[Message, ...]:
    """The conversation, its pictures still as URLs (`unloaded`).

    `able` is what the model can do and its deployment delivers. Raises `ApiError` with the index
    and the rule that was broken.
    """
    read: list[Message] = []
    uses_tools = False
    for index, sent in enumerate(body.messages):
        if index % PAUSE == PAUSE - 1:
            await asyncio.sleep(0)
        role, content = sent.role, sent.content
        special = sent.tool_calls or sent.reasoning_content or sent.reasoning
        # Nearly all are such: no rule but that of their order can be broken.
        if isinstance(content, str) and content and role in PLAIN and not special:
            read.append(Message(role, content, sent.name))
        else:
            read.append(_read(index, sent, model, dialect, able))
            uses_tools = uses_tools or role == "tool" or bool(sent.tool_calls)
    messages = tuple(read)
    if dialect is Dialect.DOCUMENTED:
        _check_order(messages, card, uses_tools=uses_tools or bool(body.tools))
    if uses_tools:
        _check_results(messages)
    return messages


def check_able(messages: Any, model: str, dialect: Dialect, able: frozenset[Capability]) -> None:
    """Of messages that are malformed: raises `ApiError` (401) where the model takes none such.

    Tools and pictures that it does not support are refused as such, however they are written.
    What stands behind the first fault is not looked at.
    """
    kind = DocumentedMessage if dialect is Dialect.DOCUMENTED else OpenAIMessage
    with suppress(msgspec.ValidationError):
        for sent in messages if isinstance(messages, list) else ():
            message = sent if isinstance(sent, dict) else {}
            role = msgspec.convert({"role": message.get("role")}, kind).role
            if (role == "tool" or message.get("tool_calls")) and Capability.TOOLS not in able:
                raise forbid(dialect, model, "tools", Capability.TOOLS)
            content = message.get("content")
            for part in content if isinstance(content, list) else ():
                pictured = isinstance(part, dict) and part.get("type") == "image_url"
                if pictured and Capability.IMAGES not in able:
                    raise forbid(dialect, model, "image_url", Capability.IMAGES)
            msgspec.convert(message, kind)


def unloaded(url: str) -> Picture:
    """A picture that is still to be loaded from its URL."""
    return Picture(url.encode("utf-8", "surrogatepass"), "", 0, 0)


def _read(
    index: int, sent: ChatMessage, model: str, dialect: Dialect, able: frozenset[Capability]
) -> Message:
    # `developer` is what OpenAI calls `system` today; a chat template knows only the latter.
    role = "system" if sent.role == "developer" else sent.role
    where = f"messages[{index}]"
    if (role == "tool" or sent.tool_calls) and Capability.TOOLS not in able:
        raise forbid(dialect, model, "tools", Capability.TOOLS)
    forbidden = None
    if Capability.IMAGES not in able:
        forbidden = forbid(dialect, model, "image_url", Capability.IMAGES)
    may_lack = sent.tool_calls or (role == "assistant" and dialect is Dialect.OPENAI)
    if sent.content is None and not may_lack:
        raise invalid(f"{where}.content is null, allowed: a string or a list of parts")
    content, parts = sent.content or "", tuple[str | Picture, ...]()
    if not isinstance(content, str):
        content, parts = _read_parts(f"{where}.content", role, content, forbidden)
    if isinstance(sent, OpenAIMessage) and role == "assistant":
        content = content or sent.refusal or ""
    elif not content and not parts and not sent.tool_calls and dialect is Dialect.DOCUMENTED:
        raise invalid(f"{where}.content must not be empty")
    answered = sent.tool_call_id if role == "tool" else None
    if role == "tool" and not (answered and isinstance(answered, str)):
        raise invalid(
            f"{where}.tool_call_id is {shown(answered)}, allowed: the id of the tool call "
            "that this message answers"
        )
    return Message(
        role=role,
        content=content,
        name=sent.name,
        tool_calls=_read_calls(f"{where}.tool_calls", role, sent.tool_calls or ()),
        tool_call_id=answered,
        parts=parts,
        # Servers take null only beside calls.
        has_content=bool(content) or sent.content is not None or not sent.tool_calls,
        # Some models ask for it beside the calls that followed.
        thought=(sent.reasoning_content or sent.reasoning or "") if role == "assistant" else "",
    )


def _read_parts(
    where: str,
    role: str,
    sent: Sequence[TextPart | PicturePart | RefusalPart],
    forbidden: ApiError | None,
) -> tuple[str, tuple[str | Picture, ...]]:
    """All of the text, and the parts where pictures stand among them.

    `forbidden` is raised for a picture, if there is one.
    """
    parts: list[str | Picture] = []
    for part in sent:
        if isinstance(part, TextPart):
            parts.append(part.text)
            continue
        if isinstance(part, RefusalPart):
            if role != "assistant":
                raise invalid(f"{where} holds a refusal on a message of {role}, allowed: assistant")
            parts.append(part.refusal)
            continue
        if forbidden is not None:
            raise forbidden
        if role != "user":
            raise invalid(f"{where} holds an image_url on a message of {role}, allowed: user only")
        picture = part.image_url
        parts.append(unloaded(picture if isinstance(picture, str) else picture.url))
    texts = [part for part in parts if isinstance(part, str)]
    return "\n".join(texts), () if len(texts) == len(parts) else tuple(parts)


def _read_calls(where: str, role: str, sent: Sequence[PastCall]) -> tuple[ToolCall, ...]:
    if sent and role != "assistant":
        raise invalid(f"{where} stands on a message of {role}, allowed: assistant only")
    if len({call.id for call in sent}) < len(sent):
        raise invalid(f"{where} holds the same id twice, allowed: each id once")
    return tuple(ToolCall(call.id, call.function.name, call.function.arguments) for call in sent)


def _check_results(messages: tuple[Message, ...]) -> None:
    """Behind calls stands what their tools returned: one result for each, in any order."""
    calls, asked_at, answered = tuple[ToolCall, ...](), 0, set[str | None]()
    for index, message in enumerate((*messages, END)):
        if message.role != "tool":
            lacking = [call.id for call in calls if call.id not in answered]
            if lacking:
                end = "the end" if message is END else f"messages[{index}]"
                raise invalid(
                    f"messages[{asked_at}].tool_calls holds {shown(lacking[0])}, which has no "
                    f"result before {end}, allowed: calls that are each answered right behind "
                    "them by one message of tool with their id as its tool_call_id"
                )
            calls, asked_at, answered = message.tool_calls, index, set()
            continue
        known = {call.id for call in calls}
        if message.tool_call_id not in known - answered:
            told = ", ".join(sorted(known - answered))[:200] or "none is left"
            told = told if known else "none, as no assistant message with calls precedes"
            twice = ", which is answered already" if message.tool_call_id in answered else ""
            raise invalid(
                f"messages[{index}].tool_call_id is {shown(message.tool_call_id)}{twice}, allowed: "
                f"an id of the calls that it answers ({told})"
            )
        answered.add(message.tool_call_id)


def _check_order(messages: tuple[Message, ...], card: ModelCard, *, uses_tools: bool) -> None:
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
    last, at = messages[-1], len(messages) - 1
    if last.role not in card.last_role:
        allowed_last = " or ".join(sorted(card.last_role, reverse=True))
        raise invalid(
            f"messages[{at}].role is {shown(last.role)}, "
            f"but the last message must be of {allowed_last}"
        )
    if len(last.content) < BLANK and not last.content.strip() and not last.parts:
        raise invalid(f"messages[{at}].content, the last one, must not be blank")
