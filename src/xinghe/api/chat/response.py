"""The shapes of chat answers (section 4.1.3), and an answer in one piece, when all is done.

They are what is encoded, and what /openapi.json shows. Fields that only one dialect has are `UNSET`
in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from xinghe.api.chat.request import ChatRequest
from xinghe.api.dialect import Dialect
from xinghe.api.exchange import Exchange
from xinghe.catalog import Capability
from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    NothingFoundDelta,
    ReasoningDelta,
    RefusalDelta,
    SearchingDelta,
    Source,
    SourcesDelta,
    TextDelta,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from xinghe.engines import Batch
from xinghe.text_run import TextRun

_SAID = {reason: reason.value for reason in FinishReason}
FINISH_REASONS = {
    # The document knows of no refusal by the model.
    Dialect.DOCUMENTED: _SAID | {FinishReason.REFUSAL: "content_filter"},
    Dialect.OPENAI: _SAID
    | {
        FinishReason.NORMAL: "stop",
        FinishReason.FUNCTION_CALL: "tool_calls",
        FinishReason.REFUSAL: "stop",
    },
}

LOOKED_UP = (SearchingDelta, SourcesDelta, NothingFoundDelta)
"""What an answer rests on."""


class PromptTokensDetails(msgspec.Struct):
    """`search_tokens` are the prompt tokens that came from web search."""

    cached_tokens: int
    search_tokens: int


class CompletionTokensDetails(msgspec.Struct):
    """`reasoning_tokens` are part of the completion tokens."""

    reasoning_tokens: int


class CompletionUsage(msgspec.Struct):
    """All figures are tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails

    @classmethod
    def of(cls, usage: Usage) -> CompletionUsage:
        return cls(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
            prompt_tokens_details=PromptTokensDetails(
                usage.cached_tokens,
                # An upstream may report fewer than we put into its prompt.
                min(usage.search_tokens, usage.prompt_tokens),
            ),
            completion_tokens_details=CompletionTokensDetails(usage.reasoning_tokens),
        )


class CalledFunction(msgspec.Struct):
    """`arguments` is the JSON text of an object."""

    name: str
    arguments: str


class CalledTool(msgspec.Struct):
    """A call that the model asks for."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class SearchResult(msgspec.Struct):
    """A document that the answer rests on; the citation `^[1]^` means index 1."""

    index: int
    url: str
    title: str


class AnswerMessage(msgspec.Struct):
    """The answer; `refusal`, the model's own, stands at `/v1` only, where it is no content.

    There, `content` is null beside calls or a refusal alone.
    """

    role: Literal["assistant"]
    content: str | None
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[CalledTool] | UnsetType = UNSET
    refusal: str | UnsetType | None = UNSET


class LikelyToken(msgspec.Struct):
    """A token and the natural logarithm of its probability; `bytes` may end within a character."""

    token: str
    logprob: float
    bytes: list[int]


class AnswerToken(LikelyToken):
    """A token of the answer; `top_logprobs` are the likeliest in its place, as many as asked."""

    top_logprobs: list[LikelyToken]


class ChoiceLogprobs(msgspec.Struct):
    """How likely the tokens of `content` were; null where not asked for."""

    content: list[AnswerToken]
    refusal: None = None

    @classmethod
    def of(cls, tokens: Sequence[TokenLogprob]) -> ChoiceLogprobs:
        return cls([
            AnswerToken(
                each.token,
                each.logprob,
                list(each.bytes),
                [LikelyToken(one.token, one.logprob, list(one.bytes)) for one in each.top],
            )
            for each in tokens
        ])  # fmt: skip


class Choice(msgspec.Struct):
    """`flag` and `ban_round` (safety) at the documented mounts, `logprobs` at `/v1`."""

    index: int
    message: AnswerMessage
    finish_reason: str
    flag: int | UnsetType = UNSET
    ban_round: int | UnsetType = UNSET
    logprobs: ChoiceLogprobs | UnsetType | None = UNSET


class ChatCompletion(msgspec.Struct):
    """The whole answer; `id` is the request's own, as in `x-request-id`."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: CompletionUsage
    search_results: list[SearchResult] | UnsetType = UNSET


class FunctionFragment(msgspec.Struct):
    """The name comes first, then the arguments piece by piece."""

    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class ToolFragment(msgspec.Struct):
    """`id` and `type` stand on the first fragment of a call."""

    index: int
    function: FunctionFragment
    id: str | UnsetType = UNSET
    type: Literal["function"] | UnsetType = UNSET


class AnswerDelta(msgspec.Struct):
    """What a chunk adds to the message; `role` on the first one only, `refusal` at `/v1` only."""

    content: str
    role: Literal["assistant"] | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolFragment] | UnsetType = UNSET
    refusal: str | UnsetType = UNSET


class ChunkChoice(msgspec.Struct):
    """`flag` and `ban_round` (documented mounts) only where safety was triggered.

    With the `delta_tag`, the content says how a search goes and is no part of the answer.
    """

    index: int
    delta: AnswerDelta
    finish_reason: str | None
    flag: int | UnsetType = UNSET
    ban_round: int | UnsetType = UNSET
    logprobs: ChoiceLogprobs | UnsetType | None = UNSET
    delta_tag: Literal["search_status"] | UnsetType = UNSET


class ChatCompletionChunk(msgspec.Struct):
    """One event of a stream; the encoder splices these bytes, no object is made of them."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: CompletionUsage | UnsetType | None = UNSET
    search_results: list[SearchResult] | UnsetType = UNSET


def completion(
    exchange: Exchange, request: ChatRequest, accumulated: Sequence[Accumulator], usage: Usage
) -> ChatCompletion:
    """Section 4.1.3's shape at the documented mounts, OpenAI's at `/v1`."""
    # Section 5.7's sample reads the thoughts of a model that reasons unguarded.
    reasons = Capability.REASONING in request.card.capabilities
    choices = [
        _choice(number, each, request, exchange.dialect, reasons=reasons)
        for number, each in enumerate(accumulated)
    ]
    sources = next((each.sources for each in accumulated if each.sources is not None), None)
    return ChatCompletion(
        id=exchange.request_id,
        object="chat.completion",
        created=exchange.created,
        model=request.model,
        choices=choices,
        usage=CompletionUsage.of(usage),
        search_results=(
            UNSET
            if sources is None
            else [SearchResult(source.index, source.url, source.title) for source in sources]
        ),
    )


def _choice(
    number: int, answer: Accumulator, request: ChatRequest, dialect: Dialect, *, reasons: bool
) -> Choice:
    openai = dialect is Dialect.OPENAI
    text, thought, refusal = answer.text, answer.thought, answer.refusal
    if not openai:
        text += refusal
    calls = [
        CalledTool(call.id, "function", CalledFunction(call.name, call.arguments))
        for call in answer.calls
    ]
    message = AnswerMessage(
        "assistant",
        None if openai and (calls or refusal) and not text else text,
        reasoning_content=thought if thought or (reasons and not openai) else UNSET,
        tool_calls=calls or UNSET,
        refusal=(refusal or None) if openai else UNSET,
    )
    finish = answer.finish
    told = ChoiceLogprobs.of(answer.logprobs) if request.logprobs is not None else None
    return Choice(
        index=number,
        message=message,
        finish_reason=FINISH_REASONS[dialect][finish.reason],
        flag=UNSET if openai else finish.flag,
        ban_round=UNSET if openai or not finish.flag else finish.ban_round,
        logprobs=told if openai else UNSET,
    )


class Accumulator(msgspec.Struct):
    """A whole answer, put together from its batches; the texts and `calls` at its end."""

    finish: FinishDelta = FinishDelta(FinishReason.NORMAL)
    sources: tuple[Source, ...] | None = None
    thought: str = ""
    text: str = ""
    refusal: str = ""
    calls: list[ToolCall] = []
    deltas: list[Delta] = []
    """All of it, in the order in which it was made."""
    _thoughts: list[str] = []
    _texts: list[str] = []
    _refusals: list[str] = []
    _calls: dict[int, tuple[str, str, list[str]]] = {}

    @property
    def logprobs(self) -> list[TokenLogprob]:
        """What is told of the tokens of the text."""
        texts = (each for each in self.deltas if isinstance(each, TextDelta))
        return [token for text in texts for token in text.logprobs]

    def forget(self) -> None:
        """Forget the answer, which is made anew; what it rests on stays."""
        self.deltas = [each for each in self.deltas if isinstance(each, LOOKED_UP)]
        for each in (self._thoughts, self._texts, self._refusals, self._calls):
            each.clear()

    def take(self, batch: Batch) -> None:
        for delta in batch.deltas:
            self.deltas.append(TextDelta(delta.text) if isinstance(delta, TextRun) else delta)
            match delta:
                case TextDelta(text, _) | TextRun(text):
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
