"""Moderation of what was asked (contract, Safety): refused, or answered without an engine."""

from __future__ import annotations

import structlog

from xinghe.api.chat.request import ChatRequest
from xinghe.api.errors import ApiError, Errors
from xinghe.core import CURRENT_ROUND, FinishDelta, FinishReason, Message
from xinghe.observe import metrics
from xinghe.safety import Moderator, Place, Verdict

log = structlog.get_logger(__name__)

WITHHELD = "抱歉,这个话题我不能讨论,我们换一个话题吧。"
"""What stands in place of an answer."""


async def moderate(request: ChatRequest, moderator: Moderator) -> FinishDelta | None:
    """How an unsafe conversation is answered; `None` for a safe one.

    An unsafe system message, `user` or function raises `ApiError` (403).
    """
    _refuse(await moderator.review(request.user, "user"), Errors.USER_UNSAFE, "user")
    functions = await moderator.review(request.functions, "functions")
    _refuse(functions, Errors.FUNCTIONS_UNSAFE, "functions")
    rounds = _rounds(request)
    worst: FinishDelta | None = None
    for message, round_ in zip(request.messages, rounds, strict=True):
        verdict = await moderator.review(_text(message), _place(message))
        if message.role == "system":
            _refuse(verdict, Errors.SYSTEM_UNSAFE, "system")
        elif verdict is not None and (worst is None or verdict.flag > worst.flag):
            _note("conversation", verdict)
            worst = FinishDelta(FinishReason.CONTENT_FILTER, verdict.flag, round_)
    return worst


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
        _note(field, verdict)
        raise ApiError(error, f"the content of {field} field is invalid", param=field)


def _note(place: str, verdict: Verdict) -> None:
    """For the operator: where and of what kind, never the text."""
    log.info("unsafe", place=place, category=verdict.category, flag=verdict.flag)
    metrics.UNSAFE.labels(place, verdict.category).inc()


def _rounds(request: ChatRequest) -> list[int]:
    """The 1-based round of each message; the last question and what follows it are current."""
    rounds: list[int] = []
    asked = 0
    for message in request.messages:
        asked += message.role in ("user", "function")
        rounds.append(max(1, asked))
    return [CURRENT_ROUND if round_ == asked else round_ for round_ in rounds]
