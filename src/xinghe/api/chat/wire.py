"""The shapes of chat answers (section 4.1.3): what is encoded, and what /openapi.json shows.

Fields that only one dialect has are `UNSET` in the other.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from xinghe.core import Meter


class PromptTokensDetails(msgspec.Struct):
    """`search_tokens` are the prompt tokens that came from web search."""

    cached_tokens: int
    search_tokens: int


class CompletionTokensDetails(msgspec.Struct):
    """`reasoning_tokens` are part of the completion tokens."""

    reasoning_tokens: int


class Usage(msgspec.Struct):
    """All figures are tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails

    @classmethod
    def of(cls, meter: Meter) -> Usage:
        return cls(
            prompt_tokens=meter.prompt_tokens,
            completion_tokens=meter.completion_tokens,
            total_tokens=meter.prompt_tokens + meter.completion_tokens,
            prompt_tokens_details=PromptTokensDetails(
                meter.cached_tokens,
                # An upstream may report fewer than we put into its prompt.
                min(meter.search_tokens, meter.prompt_tokens),
            ),
            completion_tokens_details=CompletionTokensDetails(meter.reasoning_tokens),
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


class Choice(msgspec.Struct):
    """`flag` and `ban_round` (safety) at the documented mounts, `logprobs` at `/v1`."""

    index: int
    message: AnswerMessage
    finish_reason: str
    flag: int | UnsetType = UNSET
    ban_round: int | UnsetType = UNSET
    logprobs: UnsetType | None = UNSET


class ChatCompletion(msgspec.Struct):
    """The whole answer; `id` is the request's own, as in `x-request-id`."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
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

    With the `delta_tag`, the content says that a search has begun and is no part of the answer.
    """

    index: int
    delta: AnswerDelta
    finish_reason: str | None
    flag: int | UnsetType = UNSET
    ban_round: int | UnsetType = UNSET
    logprobs: UnsetType | None = UNSET
    delta_tag: Literal["search_status"] | UnsetType = UNSET


class ChatCompletionChunk(msgspec.Struct):
    """One event of a stream; the encoder splices these bytes, no object is made of them."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | UnsetType | None = UNSET
    search_results: list[SearchResult] | UnsetType = UNSET
