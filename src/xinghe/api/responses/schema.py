"""What a request to `/responses` may hold: OpenAI's fields, in its ranges."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.api.chat.schema import (
    ANSWER,
    INT64,
    NOT_SERVED,
    TEMPERATURE,
    TOP_P,
    FrequencyPenalty,
    Parallel,
    PresencePenalty,
    Stream,
)
from xinghe.api.errors import ApiError, Errors, shown, unsupported
from xinghe.api.responses.items import Item
from xinghe.api.responses.tools import BUILT_IN, AnyTool, ToolChoice
from xinghe.api.validation import AnyUser, Form, ModelName, NotEmpty, OnlyFalse, Request


def _about(text: str, **schema: Any) -> Meta:
    return Meta(description=text, extra_json_schema=schema)


class TextFormat(msgspec.Struct, tag="text"):
    """Text of any kind."""


class JsonObjectFormat(msgspec.Struct, tag="json_object"):
    """Any JSON object."""


class JsonSchemaFormat(msgspec.Struct, tag="json_schema"):
    """JSON by a schema."""

    schema: Annotated[dict[str, Any], Meta(extra={"allowed": "a JSON Schema"})]
    name: Annotated[str, Meta(max_length=64)] | None = None
    description: Annotated[str, Meta(max_length=65536)] | None = None
    strict: bool | None = None


class TextOptions(msgspec.Struct):
    """The answer's form; `verbosity` changes nothing."""

    format: TextFormat | JsonObjectFormat | JsonSchemaFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class Reasoning(msgspec.Struct):
    """The chain of thought: its share of the model's bound, and in which form it is shown.

    With a `summary` it is shown as one, as a whole; without, as reasoning text.
    """

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


PAIRS = "up to 16 pairs of strings: keys of up to 64 characters, values of up to 512"
Metadata = Annotated[
    dict[str, Any],
    Meta(
        max_length=16,
        description="原样返回。 Returned as it was sent.",
        extra={"allowed": PAIRS},
        extra_json_schema={
            "propertyNames": {"maxLength": 64},
            "additionalProperties": {"type": "string", "maxLength": 512},
        },
    ),
]
"""msgspec would not say which of the values is wrong: the reader does."""
Unserved = Annotated[
    dict[str, Any],
    Meta(max_length=0, description=NOT_SERVED, extra={"allowed": "nothing: it is not served here"}),
]
Input = Annotated[
    str | Annotated[list[Item], Meta(min_length=1)],
    _about("文字，或按时间顺序的各项。 A text, or items in order."),
]


class ResponseRequest(Request, kw_only=True):
    """OpenAI's ranges. Of several faults the first in this order is told."""

    model: ModelName
    temperature: Annotated[float, Meta(ge=0, le=2, description=TEMPERATURE)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1, description=TOP_P)] | None = None
    frequency_penalty: FrequencyPenalty | None = None
    presence_penalty: PresencePenalty | None = None
    max_output_tokens: Annotated[int, Meta(ge=1, le=INT64, description=ANSWER)] | None = None
    top_logprobs: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=20,
                description="每个位置给出几个最可能的 token，要在 include 里写 "
                "message.output_text.logprobs。 How many of the likeliest tokens are told of at "
                "each place, where include names message.output_text.logprobs.",
            ),
        ]
        | None
    ) = None
    stream: Stream | None = None
    background: Annotated[OnlyFalse, Meta(description=NOT_SERVED)] | None = None
    store: (
        Annotated[
            bool,
            _about(
                "保存这个回答；只有运营者开启了 responses.keep 才会保存。 "
                "Keep the answer; it is kept where the operator has responses.keep on."
            ),
        ]
        | None
    ) = None
    previous_response_id: (
        Annotated[
            NotEmpty,
            _about("接着哪个保存的回答。 The kept response that this one goes on from."),
        ]
        | None
    ) = None
    metadata: Metadata | None = None
    reasoning: Reasoning | None = None
    text: TextOptions | None = None
    tools: (
        Annotated[
            list[AnyTool],
            Meta(
                max_length=128,
                description="函数、自定义工具、命名空间和 web_search。 "
                "Functions, custom tools, namespaces, and web_search.",
            ),
        ]
        | None
    ) = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: Parallel | None = None
    max_tool_calls: int | None = None
    truncation: Literal["auto", "disabled"] | None = None
    include: list[str] | None = None
    prompt_cache_key: Annotated[str, Meta(max_length=1024)] | None = None
    service_tier: Annotated[str, Meta(max_length=64)] | None = None
    conversation: Unserved | None = None
    prompt: Unserved | None = None
    user: AnyUser | None = None
    user_id: AnyUser | None = None
    safety_identifier: AnyUser | None = None
    instructions: (
        Annotated[
            str,
            _about("系统消息，不随 previous_response_id 延续。 The system message of this one."),
        ]
        | None
    ) = None
    input: Input

    @property
    def end_user(self) -> str:
        return " ".join(filter(None, (self.user, self.user_id, self.safety_identifier)))

    @classmethod
    def refusal(cls, path: str, value: Any, allowed: str) -> ApiError:
        """`param` names no more than the field where that holds a list or a schema."""
        field = path.partition("[")[0].partition(".")[0]
        of_tool = path.startswith("tools[") and path.endswith(".type")
        if of_tool and isinstance(value, str) and value in BUILT_IN:
            return unsupported(
                "tools",
                f"{path} is {shown(value)}, a built-in tool that is not served here, "
                f"allowed: {allowed}",
            )
        if field == "input":
            return invalid(f"{path} is {shown(value)}, allowed: {allowed}")
        error = super().refusal(path, value, allowed)
        if field in {"tools", "metadata"}:
            error.param = field
        return error


def invalid(rule: str) -> ApiError:
    """The refusal of an input that breaks a rule of its own."""
    return ApiError(Errors.INVALID_MESSAGES, rule, param="input")


RESPONSES: Form[ResponseRequest] = Form(ResponseRequest, within=["reasoning", "text"])
