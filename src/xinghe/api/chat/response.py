"""The answer of a request without `stream`: one JSON body in the two dialects, when all is done."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

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
from xinghe.core import (
    FinishDelta,
    FinishReason,
    Meter,
    ReasoningDelta,
    RefusalDelta,
    Source,
    SourcesDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from xinghe.engines import Batch


def completion(
    exchange: Exchange, request: ChatRequest, collected: Collected, meter: Meter
) -> ChatCompletion:
    """Section 4.1.3's shape at the documented mounts, OpenAI's at `/v1`."""
    openai = exchange.dialect is Dialect.OPENAI
    text, thought, refusal = collected.text, collected.thought, collected.refusal
    if not openai:
        text += refusal
    finish, sources = collected.finish, collected.sources
    calls = [
        CalledTool(call.id, "function", CalledFunction(call.name, call.arguments))
        for call in collected.calls
    ]
    # Section 5.7's sample reads the thoughts of a model that reasons unguarded.
    reasons = Capability.REASONING in request.card.capabilities and not openai
    message = AnswerMessage(
        "assistant",
        None if openai and (calls or refusal) and not text else text,
        reasoning_content=thought if thought or reasons else UNSET,
        tool_calls=calls or UNSET,
        refusal=(refusal or None) if openai else UNSET,
    )
    choice = Choice(
        index=0,
        message=message,
        finish_reason=exchange.dialect.finish_reason(finish.reason),
        flag=UNSET if openai else finish.flag,
        ban_round=UNSET if openai or not finish.flag else finish.ban_round,
        logprobs=None if openai else UNSET,
    )
    return ChatCompletion(
        id=exchange.request_id,
        object="chat.completion",
        created=exchange.created,
        model=request.model,
        choices=[choice],
        usage=Usage.of(meter),
        search_results=(
            UNSET
            if sources is None
            else [SearchResult(source.index, source.url, source.title) for source in sources]
        ),
    )


class Collected(msgspec.Struct):
    """A whole answer, put together from its batches; the texts and `calls` at its end."""

    finish: FinishDelta = FinishDelta(FinishReason.NORMAL)
    sources: tuple[Source, ...] | None = None
    thought: str = ""
    text: str = ""
    refusal: str = ""
    calls: list[ToolCall] = []
    _thoughts: list[str] = []
    _texts: list[str] = []
    _refusals: list[str] = []
    _calls: dict[int, tuple[str, str, list[str]]] = {}

    def take(self, batch: Batch) -> None:
        for delta in batch.deltas:
            match delta:
                case TextDelta(text, _):
                    self._texts.append(text)
                case ReasoningDelta(text, _):
                    self._thoughts.append(text)
                case RefusalDelta(text, _):
                    self._refusals.append(text)
                case ToolCallDelta(index, id_, name, arguments):
                    call = self._calls.setdefault(index, (id_ or "", name or "", []))
                    call[2].append(arguments)
                case SourcesDelta(sources):
                    self.sources = sources
                case FinishDelta():
                    self.finish = delta
                    self.thought, self.text = "".join(self._thoughts), "".join(self._texts)
                    self.refusal = "".join(self._refusals)
                    self.calls = [
                        ToolCall(id_, name, "".join(arguments))
                        for _, (id_, name, arguments) in sorted(self._calls.items())
                    ]
