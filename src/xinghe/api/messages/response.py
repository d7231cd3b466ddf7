"""The shapes of answers in Anthropic's form; what is encoded, and what /openapi.json shows."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from xinghe.api.exchange import named_as
from xinghe.core import FinishDelta, FinishReason, Usage

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]
STOP_REASONS: dict[FinishReason, StopReason] = {
    FinishReason.NORMAL: "end_turn",
    FinishReason.STOP: "stop_sequence",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.CONTENT_FILTER: "refusal",
    FinishReason.FUNCTION_CALL: "tool_use",
    FinishReason.REFUSAL: "refusal",
}
SIGNATURE = "xinghe"
"""Of each thought: clients insist on one. Nobody looks at it when it comes back."""
WEB_SEARCH = "web_search"


class Citation(msgspec.Struct, tag="web_search_result_location"):
    """A page that the text of its block rests on."""

    url: str
    title: str
    encrypted_index: str = ""
    cited_text: str = ""


class TextBlock(msgspec.Struct, tag="text"):
    """What is said; `citations` are the sources that it names."""

    text: str
    # Anthropic's schema requires the list, and Vercel's client refuses the whole answer at a null.
    citations: list[Citation] = []


class ThinkingBlock(msgspec.Struct, tag="thinking"):
    """The chain of thought."""

    thinking: str
    signature: str


class Caller(msgspec.Struct, frozen=True):
    """Who calls: the model itself."""

    type: Literal["direct"] = "direct"


class ToolUseBlock(msgspec.Struct, tag="tool_use"):
    """A call that the model asks for."""

    id: str
    name: str
    input: dict[str, Any]
    caller: Caller = Caller()


class ServerToolUseBlock(msgspec.Struct, tag="server_tool_use"):
    """A search that the service has made."""

    id: str
    name: str
    input: dict[str, Any]
    caller: Caller = Caller()


class WebSearchResult(msgspec.Struct, tag="web_search_result"):
    """A page that was found."""

    url: str
    title: str
    encrypted_content: str = ""
    page_age: None = None


class WebSearchToolResultError(msgspec.Struct, tag="web_search_tool_result_error"):
    """What stands for the results of a search that failed."""

    error_code: Literal["unavailable"] = "unavailable"


class WebSearchToolResultBlock(msgspec.Struct, tag="web_search_tool_result"):
    """What the search has found."""

    tool_use_id: str
    content: list[WebSearchResult] | WebSearchToolResultError
    caller: Caller = Caller()


AnswerBlock = (
    TextBlock | ThinkingBlock | ToolUseBlock | ServerToolUseBlock | WebSearchToolResultBlock
)


class ServerToolUsage(msgspec.Struct):
    """Searches that were made."""

    web_search_requests: int
    web_fetch_requests: int = 0


class OutputTokensDetails(msgspec.Struct):
    """Part of the output tokens."""

    thinking_tokens: int


class MessageUsage(msgspec.Struct):
    """All figures are tokens; `input_tokens` are those that were not read from the cache."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    output_tokens_details: OutputTokensDetails | None
    server_tool_use: ServerToolUsage | None
    cache_creation: None = None
    inference_geo: None = None
    service_tier: Literal["standard"] = "standard"

    @classmethod
    def of(cls, usage: Usage) -> "MessageUsage":
        thought, searches = usage.reasoning_tokens, usage.searches
        return cls(
            input_tokens=usage.prompt_tokens - usage.cached_tokens,
            cache_creation_input_tokens=0,
            cache_read_input_tokens=usage.cached_tokens,
            output_tokens=usage.completion_tokens,
            output_tokens_details=OutputTokensDetails(thought) if thought else None,
            server_tool_use=ServerToolUsage(searches) if searches else None,
        )


class RefusalDetails(msgspec.Struct):
    """Of an answer that was refused; clients insist on the names, of which nothing is said."""

    type: Literal["refusal"] = "refusal"
    category: None = None
    explanation: None = None


class MessageEnd(msgspec.Struct):
    """Why an answer ended, and which of the request's strings has ended it."""

    stop_reason: StopReason | None = None
    stop_sequence: str | None = None
    stop_details: RefusalDetails | None = None

    @classmethod
    def by(cls, finish: FinishDelta) -> "MessageEnd":
        reason = STOP_REASONS[finish.reason]
        details = RefusalDetails() if reason == "refusal" else None
        return cls(reason, finish.stop or None, details)


class AnsweredMessage(msgspec.Struct, tag_field="type", tag="message"):
    """The whole answer; `id` is that of `x-request-id` behind `msg_`."""

    id: str
    role: Literal["assistant"]
    model: str
    content: list[AnswerBlock]
    stop_reason: StopReason | None
    stop_sequence: str | None
    stop_details: RefusalDetails | None
    usage: MessageUsage
    container: None = None

    @classmethod
    def of(
        cls, request_id: str, model: str, content: list[AnswerBlock], end: MessageEnd, usage: Usage
    ) -> "AnsweredMessage":
        return cls(
            message_id(request_id), "assistant", model, content,
            end.stop_reason, end.stop_sequence, end.stop_details, MessageUsage.of(usage),
        )  # fmt: skip


class MessageStreamEvent(msgspec.Struct):
    """One event of a stream, `event:` its type; the encoder splices these bytes."""

    type: Literal[
        "message_start", "content_block_start", "content_block_delta", "content_block_stop",
        "message_delta", "message_stop", "ping",
    ]  # fmt: skip
    message: AnsweredMessage | UnsetType = UNSET
    index: int | UnsetType = UNSET
    content_block: AnswerBlock | UnsetType = UNSET
    delta: dict[str, Any] | UnsetType = UNSET
    usage: MessageUsage | UnsetType = UNSET


class CountedTokens(msgspec.Struct):
    """How many tokens the prompt has."""

    input_tokens: int


def message_id(request_id: str) -> str:
    return named_as("msg_", request_id)


def search_id(request_id: str) -> str:
    """There is one search at most."""
    return named_as("srvtoolu_", request_id)
