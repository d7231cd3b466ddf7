"""The shapes of `/responses`: they are what is encoded, and what /openapi.json shows."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from xinghe.api.chat.response import AnswerToken
from xinghe.api.responses.schema import JsonObjectFormat, JsonSchemaFormat, TextFormat
from xinghe.api.responses.tools import AnyTool, ToolChoice
from xinghe.core import Usage

Status = Literal["in_progress", "completed", "incomplete"]


class UrlCitation(msgspec.Struct, tag="url_citation"):
    """A mark such as `^[1]^` in the text, from its first character to behind its last."""

    start_index: int
    end_index: int
    url: str
    title: str


class TextSaid(msgspec.Struct, tag="output_text"):
    """Text of the answer."""

    text: str
    annotations: list[UrlCitation] = []
    logprobs: list[AnswerToken] = []


class RefusalSaid(msgspec.Struct, tag="refusal"):
    """What the model says in the answer's place, as it will not answer."""

    refusal: str


class SummaryShown(msgspec.Struct, tag="summary_text"):
    """The chain of thought, where a summary was asked for."""

    text: str


class ThoughtShown(msgspec.Struct, tag="reasoning_text"):
    """The chain of thought."""

    text: str


class SourceShown(msgspec.Struct, tag="url"):
    """A page that a search found."""

    url: str


class SearchAction(msgspec.Struct, tag="search"):
    """What was searched for; `sources` where the request includes them."""

    query: str
    queries: list[str]
    sources: list[SourceShown] | UnsetType = UNSET


class MessageItem(msgspec.Struct, tag="message"):
    """What the assistant says."""

    id: str
    status: Status
    content: list[TextSaid | RefusalSaid]
    role: Literal["assistant"] = "assistant"


class ReasoningItem(msgspec.Struct, tag="reasoning"):
    """The chain of thought; it may be sent back."""

    id: str
    status: Status
    summary: list[SummaryShown]
    content: list[ThoughtShown] | UnsetType = UNSET
    encrypted_content: str | UnsetType = UNSET
    """The thought once more, where the request includes it; see `carried`."""


class SearchItem(msgspec.Struct, tag="web_search_call"):
    """A search that the platform made."""

    id: str
    status: Literal["in_progress", "searching", "completed", "failed"]
    action: SearchAction


class FunctionItem(msgspec.Struct, tag="function_call"):
    """A call of a function; `arguments` is the JSON text of an object."""

    id: str
    status: Status
    call_id: str
    name: str
    arguments: str
    namespace: str | UnsetType = UNSET


class CustomItem(msgspec.Struct, tag="custom_tool_call"):
    """A call of a custom tool."""

    id: str
    status: Status
    call_id: str
    name: str
    input: str
    namespace: str | UnsetType = UNSET


OutputItem = MessageItem | ReasoningItem | SearchItem | FunctionItem | CustomItem


class InputTokensDetails(msgspec.Struct):
    """`cached_tokens` are part of the input's."""

    cached_tokens: int
    cache_write_tokens: int = 0


class OutputTokensDetails(msgspec.Struct):
    """`reasoning_tokens` are part of the output's."""

    reasoning_tokens: int


class ResponseUsage(msgspec.Struct):
    """All figures are tokens."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int

    @classmethod
    def of(cls, usage: Usage) -> ResponseUsage:
        return cls(
            usage.prompt_tokens,
            InputTokensDetails(usage.cached_tokens),
            usage.completion_tokens,
            OutputTokensDetails(usage.reasoning_tokens),
            usage.prompt_tokens + usage.completion_tokens,
        )


class ReasoningShown(msgspec.Struct):
    """As it was asked."""

    effort: str | None
    summary: str | None


class TextShown(msgspec.Struct):
    """As it was asked."""

    format: TextFormat | JsonObjectFormat | JsonSchemaFormat
    verbosity: str


class Incomplete(msgspec.Struct):
    """Why an answer was broken off."""

    reason: Literal["max_output_tokens", "content_filter"]


class Failure(msgspec.Struct):
    """What an answer failed for."""

    code: str
    message: str


class Response(msgspec.Struct):
    """One answer; `id` is `resp_` and the characters of the request's own."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed", "cancelled"]
    model: str
    tools: list[AnyTool]
    tool_choice: str | ToolChoice
    text: TextShown
    reasoning: ReasoningShown
    output: list[OutputItem] = []
    completed_at: int | None = None
    error: Failure | None = None
    incomplete_details: Incomplete | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    metadata: dict[str, Any] = {}
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    service_tier: str = "default"
    store: bool = False
    temperature: float = 1.0
    top_p: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    top_logprobs: int = 0
    truncation: str = "disabled"
    background: bool = False
    usage: ResponseUsage | None = None
    user: str | None = None


class ResponseEvent(msgspec.Struct):
    """One event of a stream; which fields it has depends on its `type`."""

    type: str
    sequence_number: int
    response: Response | UnsetType = UNSET
    output_index: int | UnsetType = UNSET
    item_id: str | UnsetType = UNSET
    item: OutputItem | UnsetType = UNSET
    content_index: int | UnsetType = UNSET
    summary_index: int | UnsetType = UNSET
    part: TextSaid | RefusalSaid | SummaryShown | ThoughtShown | UnsetType = UNSET
    delta: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    refusal: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET
    input: str | UnsetType = UNSET
    logprobs: list[AnswerToken] | UnsetType = UNSET
    annotation_index: int | UnsetType = UNSET
    annotation: UrlCitation | UnsetType = UNSET
    code: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    param: str | UnsetType | None = UNSET


class InputItemList(msgspec.Struct):
    """Items of a conversation, as they would be sent; an `id` may be the next page's `after`."""

    object: Literal["list"]
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Deleted(msgspec.Struct):
    """That a response is kept no more."""

    id: str
    object: Literal["response"] = "response"
    deleted: bool = True
