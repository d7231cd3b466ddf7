"""Moderation of what was asked (contract, Safety): refused, or answered without an engine."""

from xinghe.api.chat.request import ChatRequest
from xinghe.api.errors import ApiError, Errors
from xinghe.core import FinishDelta, Message
from xinghe.generation.moderation import worst_of
from xinghe.safety import Moderator, Place, notice

REFUSED = {
    "user": Errors.USER_UNSAFE,
    "functions": Errors.FUNCTIONS_UNSAFE,
    "system": Errors.SYSTEM_UNSAFE,
}
"""Where what is unsafe is no matter of the conversation."""


async def screen(request: ChatRequest, moderator: Moderator) -> FinishDelta | None:
    """How an unsafe conversation is answered; `None` for a safe one.

    Looked at are the user's id, the functions, and each message. An unsafe system message, `user`
    or function raises `ApiError` (403).
    """
    texts: list[tuple[str, Place]] = [(request.user, "user"), (request.functions, "functions")]
    texts += map(_said, request.messages)
    # All at once: it is their sum that takes long.
    verdicts = await moderator.review(texts)
    for verdict, (_, place) in zip(verdicts, texts, strict=True):
        if verdict is not None:
            field = place if place in REFUSED else "conversation"
            notice(field, verdict)
            if field in REFUSED:
                name = request.fields.called.get(field, field)
                raise ApiError(
                    REFUSED[field], f"the content of {name} field is invalid", param=name
                )
    said = verdicts[2:]
    return worst_of(said, request.messages) if any(said) else None


def _said(message: Message) -> tuple[str, Place]:
    """All that a message says, its name, thought and calls included, and what it is."""
    called = [text for call in message.tool_calls for text in (call.name, call.arguments)]
    text = "\n".join(filter(None, [message.content, message.name, message.thought, *called]))
    if message.role == "system":
        return text, "system"
    # What a model or a function said is no request.
    return text, "answer" if message.role in {"assistant", "tool"} else "conversation"
