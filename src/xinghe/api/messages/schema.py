"""What a request for a message may hold, in Anthropic's form.

What depends on the model, and how the blocks go together, is looked at behind it: `reading`.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.api.chat.schema import (
    ANSWER,
    INT64,
    TEMPERATURE,
    TOP_P,
    Stream,
    ThinkingBudget,
    invalid,
)
from xinghe.api.errors import ApiError, shown
from xinghe.api.messages.blocks import Cacheable, MessageParam, SystemBlockParam
from xinghe.api.validation import AnyUser, Form, NotEmpty, OfModel

Schema = Annotated[dict[str, Any], Meta(extra={"allowed": "a JSON Schema"})]
Domains = Annotated[
    list[Any], Meta(max_length=0, description="不支持。 Not served.", extra={"allowed": "none"})
]


class ToolParam(Cacheable, kw_only=True):
    """A function that the model may call, or by its `type` the web search of this service."""

    type: str | None = None
    name: (
        Annotated[
            str,
            Meta(
                pattern=r"^[A-Za-z0-9_.\-]{1,128}$(?!\n)",
                description="工具名，1 到 128 个字母、数字或 . _ -。 "
                "The tool's name: 1 to 128 letters, digits and . _ -",
                extra={"allowed": "1 to 128 letters, digits, dots, underscores and hyphens"},
            ),
        ]
        | None
    ) = None
    description: str | None = None
    input_schema: Schema | None = None
    strict: bool | None = None
    allowed_domains: Domains | None = None
    blocked_domains: Domains | None = None


class ToolChoiceParam(msgspec.Struct):
    """Whether tools are used; `name` with `tool`, which demands one."""

    type: Literal["auto", "any", "tool", "none"]
    name: NotEmpty | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingParam(msgspec.Struct):
    """`adaptive` and `between_tools` leave it to the model."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: ThinkingBudget | None = None


class OutputFormat(msgspec.Struct):
    """The answer is JSON by a schema."""

    schema: Schema
    type: Literal["json_schema"] = "json_schema"


class OutputConfig(msgspec.Struct):
    """`effort` is the share of the chain of thought's bound."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class Metadata(msgspec.Struct):
    """The end user."""

    user_id: AnyUser | None = None


class CountTokensRequest(OfModel, kw_only=True):
    """All that the length of a prompt depends on, and how it may be answered."""

    system: (
        Annotated[str | list[SystemBlockParam], Meta(description="系统提示。 The system prompt.")]
        | None
    ) = None
    temperature: Annotated[float, Meta(ge=0, le=1, description=TEMPERATURE)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1, description=TOP_P)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=INT64, description="没有作用。 Without effect.")] | None = (
        None
    )
    stop_sequences: (
        Annotated[
            list[Annotated[str, Meta(min_length=1, max_length=1024)]],
            Meta(max_length=16, description="停止标识。 Strings that end the answer."),
        ]
        | None
    ) = None
    thinking: ThinkingParam | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    tools: (
        Annotated[
            list[ToolParam],
            Meta(max_length=256, description="模型可以使用的工具。 Tools that it may use."),
        ]
        | None
    ) = None
    tool_choice: ToolChoiceParam | None = None
    metadata: Metadata | None = None
    messages: Annotated[
        list[MessageParam],
        Meta(
            min_length=1,
            description="对话的消息，按时间顺序。 The conversation in order.",
        ),
    ]

    @classmethod
    def refusal(cls, path: str, value: Any, allowed: str) -> ApiError:
        if path == "messages" and value in (None, []):
            return invalid("messages must not be empty")
        if path.startswith("messages["):
            return invalid(f"{path} is {shown(value)}, allowed: {allowed}")
        return super().refusal(path, value, allowed)


class MessagesRequest(CountTokensRequest, kw_only=True):
    """The same, and how long the answer may be."""

    max_tokens: Annotated[int, Meta(ge=1, le=INT64, description=ANSWER)]
    stream: Stream | None = None


WITHIN = ("thinking", "output_config", "output_format", "tool_choice", "metadata")
MESSAGES = Form(MessagesRequest, within=WITHIN, as_sent="tools")
COUNT = Form(CountTokensRequest, within=WITHIN, as_sent="tools")
