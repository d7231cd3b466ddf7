"""The whole answer of a request without `stream`, in the two dialects."""

from __future__ import annotations

from msgspec import UNSET

from xinghe.api.chat.collected import Collected
from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.wire import (
    AnswerMessage,
    CalledFunction,
    CalledTool,
    ChatCompletion,
    Choice,
    SearchResult,
    Usage,
)
from xinghe.api.dialect import Dialect
from xinghe.api.exchange import Exchange
from xinghe.catalog import Capability
from xinghe.core import Meter


def completion(
    exchange: Exchange, request: ChatRequest, collected: Collected, meter: Meter
) -> ChatCompletion:
    """Section 4.1.3's shape at the documented mounts, OpenAI's at `/v1`."""
    openai = exchange.dialect is Dialect.OPENAI
    finish, sources = collected.finish, collected.sources
    return ChatCompletion(
        id=exchange.request_id,
        object="chat.completion",
        created=exchange.created,
        model=request.model,
        choices=[
            Choice(
                index=0,
                message=_message(
                    collected,
                    openai=openai,
                    reasons=Capability.REASONING in request.card.capabilities,
                ),
                finish_reason=exchange.dialect.finish_reason(finish.reason),
                flag=UNSET if openai else finish.flag,
                ban_round=UNSET if openai or not finish.flag else finish.ban_round,
                logprobs=None if openai else UNSET,
            )
        ],
        usage=Usage.of(meter),
        search_results=(
            UNSET
            if sources is None
            else [SearchResult(source.index, source.url, source.title) for source in sources]
        ),
    )


def _message(collected: Collected, *, openai: bool, reasons: bool) -> AnswerMessage:
    """`reasons`: section 5.7's sample reads the thoughts of such a model unguarded."""
    calls = [
        CalledTool(call.id, "function", CalledFunction(call.name, call.arguments))
        for call in collected.calls
    ]
    text, thought = collected.text, collected.thought
    return AnswerMessage(
        "assistant",
        None if openai and calls and not text else text,
        reasoning_content=thought if thought or (reasons and not openai) else UNSET,
        tool_calls=calls or UNSET,
        refusal=None if openai else UNSET,
    )
