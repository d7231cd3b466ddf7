"""Moderation of what was asked (contract, Safety): refused, or answered without an engine."""

from __future__ import annotations

from xinghe.api.chat.request import ChatRequest
from xinghe.api.errors import ApiError, Errors
from xinghe.core import FinishDelta, Message
from xinghe.generation.moderation import worst_of
from xinghe.safety import Moderator, Place, Verdict, notice


async def moderate(request: ChatRequest, moderator: Moderator) -> FinishDelta | None:
    """How an unsafe conversation is answered; `None` for a safe one.

    Looked at are the user's id, the functions, and each message. An unsafe system message, `user`
    or function raises `ApiError` (403).
    """
    texts: list[tuple[str, Place]] = [(request.user, "user"), (request.functions, "functions")]
    texts += [(_text(message), _place(message)) for message in request.messages]
    # All at once: it is their sum that takes long.
    found = iter(zip(await moderator.check_all(texts), texts, strict=True))

    async def judge() -> Verdict | None:
        verdict, (text, place) = next(found)
        return verdict or await moderator.ask(text, place)

    _refuse(await judge(), Errors.USER_UNSAFE, "user")
    _refuse(await judge(), Errors.FUNCTIONS_UNSAFE, "functions")
    verdicts: list[Verdict | None] = []
    for message in request.messages:
        verdict = await judge()
        if message.role == "system":
            _refuse(verdict, Errors.SYSTEM_UNSAFE, "system")
        elif verdict is not None:
            notice("conversation", verdict)
        verdicts.append(verdict)
    return worst_of(verdicts, request.messages)


def _text(message: Message) -> str:
    """All that a message says, its name and its calls included."""
    called = [text for call in message.tool_calls for text in (call.name, call.arguments)]
    return "\n".join(filter(None, [message.content, message.name, *called]))


def _place(message: Message) -> Place:
    if message.role == "system":
        return "system"
    # What a model or a function said is no request.
    return "answer" if message.role in {"assistant", "tool"} else "conversation"


def _refuse(verdict: Verdict | None, error: Errors, field: str) -> None:
    if verdict is not None:
        notice(field, verdict)
        raise ApiError(error, f"the content of {field} field is invalid", param=field)
