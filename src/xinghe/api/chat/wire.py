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
            prompt_tokens_details=PromptTokensDetails(meter.cached_tokens, 0),
            completion_tokens_details=CompletionTokensDetails(0),
        )


class AnswerMessage(msgspec.Struct):
    """The answer; `refusal` stands at `/v1` only."""

    role: Literal["assistant"]
    content: str
    refusal: UnsetType | None = UNSET


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


class AnswerDelta(msgspec.Struct):
    """What a chunk adds to the message; `role` on the first one only."""

    content: str
    role: Literal["assistant"] | UnsetType = UNSET


class ChunkChoice(msgspec.Struct):
    """`flag` and `ban_round` (documented mounts) only where safety was triggered."""

    index: int
    delta: AnswerDelta
    finish_reason: str | None
    flag: int | UnsetType = UNSET
    ban_round: int | UnsetType = UNSET
    logprobs: UnsetType | None = UNSET


class ChatCompletionChunk(msgspec.Struct):
    """One event of a stream; the encoder splices these bytes, no object is made of them."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | UnsetType | None = UNSET
