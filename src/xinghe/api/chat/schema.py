"""What a chat request may hold (section 4.1.2), in the two dialects.

What depends on the model, and the order of the messages, is looked at behind it: `request` and
`messages`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.api.chat.conversation import ChatMessage, DocumentedMessage, OpenAIMessage
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors, shown
from xinghe.api.validation import AnyUser, Form, ModelName, NotEmpty, OnlyFalse, Request
from xinghe.generation.search import SearchOptions
from xinghe.generation.search.augment import LEAST, MOST

INT32, INT64 = 2**31 - 1, 2**63 - 1
NOT_SERVED = "不支持。 Not served."
TEMPERATURE = "采样温度，0 为贪心解码。 Sampling temperature; 0 is greedy."
TOP_P = "核采样的累积概率。 Nucleus sampling."
SEED = "尽力而为的可复现采样。 Best-effort reproducible sampling."
ANSWER = (
    "回答的最大 token 数，上限见模型的 output_max。 "
    "The most tokens of the answer; the upper end is the model's own."
)
STOP = "停止标识。 Stop strings."
MESSAGES = (
    "对话的消息，按时间顺序，最后一条是这次的问题。 "
    "The conversation in order; the last message is what is asked."
)
FOUND = SearchOptions().search_number
DEFAULTS = {"temperature": 0.95, "top_p": 0.7}
"""What the documented service takes where nothing is sent, if the model can do it."""


def _about(text: str, **schema: Any) -> Meta:
    return Meta(description=text, extra_json_schema=schema)


def _between(low: float, high: float, text: str, **schema: Any) -> Meta:
    return Meta(ge=low, le=high, description=text, extra_json_schema=schema)


PenaltyScore = Annotated[
    float,
    _between(
        1,
        2,
        "对已生成 token 的惩罚，乘以部署自身的重复惩罚。 "
        "Repeat penalty, times the deployment's own.",
    ),
]
FrequencyPenalty = Annotated[float, _between(-2, 2, "按已出现的频率惩罚。 Penalises by frequency.")]
PresencePenalty = Annotated[float, _between(-2, 2, "按是否出现过惩罚。 Penalises by presence.")]
ThinkingBudget = Annotated[
    int,
    _between(
        1,
        INT32,
        "思维链的最大 token 数，上限见模型的 reasoning_max；没有思维链的模型忽略它。 "
        "The most tokens of the chain of thought; the upper end is the model's own; models without "
        "one ignore it.",
    ),
]
ReasoningEffort = Annotated[
    Literal["none", "minimal", "low", "medium", "high", "xhigh"],
    _about("思维链占其上限的份额。 The share of the chain of thought's bound."),
]
EnableThinking = Annotated[
    bool, _about("是否先思考，同 thinking.type。 Whether it thinks first, as thinking.type says.")
]
N = Annotated[int, _between(1, 1, "只支持一个回答。 One answer a request.")]
UpTo8 = Annotated[int, _between(1, 8, "几个回答，默认 1。 How many answers; 1 by default.")]
UpTo20 = Annotated[
    int,
    _between(
        0,
        20,
        "每个位置给出几个最可能的 token，只能与 logprobs: true 一起。 "
        "How many of the likeliest tokens are told of at each place; only with logprobs: true.",
    ),
]
Likely = Annotated[
    bool,
    _about("给出回答里每个 token 的对数概率。 Tell how likely the answer's tokens were."),
]
TopLogprobs = Annotated[int, _between(0, 0, NOT_SERVED)]
Logprobs = Annotated[OnlyFalse, Meta(description=NOT_SERVED)]
Stream = Annotated[bool, _about("以 SSE 流式返回。 Answer as server-sent events.")]
StreamOptions = Annotated[
    dict[str, Any],
    _about(
        "只能与 stream: true 一起。 Only together with stream: true.",
        properties={"include_usage": {"type": ["boolean", "null"]}},
    ),
]
Parallel = Annotated[bool, _about("是否允许并行调用。 Whether calls may be parallel.")]
LogitBias = Annotated[dict[str, Any], Meta(max_length=0, description=NOT_SERVED)]
Functions = Annotated[list[Any], _about("Use tools.", maxItems=0)]
FunctionCall = Annotated[Literal["none", "auto"], _about("Use tool_choice.")]
Found = Annotated[int, _between(LEAST, MOST, "检索几篇。 How many are searched.", default=FOUND)]
Read = Annotated[
    int,
    _between(LEAST, MOST, "给模型几篇。 How many of them the model is given.", default=FOUND),
]
ShortStop = Annotated[str, Meta(min_length=1, max_length=20)]
LongStop = Annotated[str, Meta(min_length=1, max_length=65536)]
UP_TO_4 = Meta(max_length=4)


class Function(msgspec.Struct, omit_defaults=True):
    """`parameters` is the JSON Schema of its arguments."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.\-]{1,64}$(?!\n)",
            description="函数名，1 到 64 个字母、数字或 . _ -。 "
            "The function's name: 1 to 64 letters, digits and . _ -",
            extra={"allowed": "1 to 64 letters, digits, dots, underscores and hyphens"},
        ),
    ]
    description: (
        Annotated[str, _about("函数做什么，供模型判断。 What it does, for the model.")] | None
    ) = None
    parameters: (
        Annotated[dict[str, Any], _about("参数的 JSON Schema。 JSON Schema of its arguments.")]
        | None
    ) = None
    strict: bool | None = None


class FunctionTool(msgspec.Struct):
    """A function that the model may call (section 5.6)."""

    function: Function
    type: Literal["function"] = "function"


class FunctionName(msgspec.Struct):
    """Of one of the tools."""

    name: NotEmpty


class NamedTool(msgspec.Struct):
    """One of the tools; its name stands alone where OpenAI's `/responses` has it so."""

    type: Literal["function"] = "function"
    function: FunctionName | None = None
    name: NotEmpty | None = None


AllowedMode = Literal["auto", "required"]
AllowedList = Annotated[list[NamedTool], Meta(min_length=1, max_length=128)]


class AllowedTools(msgspec.Struct):
    """The tools that may be called, of all that are there."""

    mode: AllowedMode
    tools: AllowedList


class ToolChoice(msgspec.Struct):
    """Demands one of the tools, or allows some, or says for all of them what the bare word says.

    What stands in `function` or in `allowed_tools` may also stand beside `type`.
    """

    type: Literal["function", "allowed_tools", "none", "auto", "required", "any"]
    function: FunctionName | None = None
    name: NotEmpty | None = None
    allowed_tools: AllowedTools | None = None
    mode: AllowedMode | None = None
    tools: AllowedList | None = None


class ResponseFormat(msgspec.Struct):
    """`json_schema` is a JSON Schema, or OpenAI's `{name, schema, strict}` (section 5.5).

    `schema` stands beside `json_object` alone: llama.cpp, Together and others take it there.
    """

    type: Literal["text", "json_object", "json_schema"]
    json_schema: (
        Annotated[dict[str, Any], Meta(extra={"allowed": "a JSON Schema, or {name, schema}"})]
        | None
    ) = None
    schema: Annotated[dict[str, Any], Meta(extra={"allowed": "a JSON Schema"})] | None = None


class WebSearch(msgspec.Struct):
    """Section 5.4; `search_number` and `reference_number` are aliases of the shorter names."""

    enable: Annotated[bool, _about("开启搜索。 Search.")] | None = None
    enable_citation: (
        Annotated[bool, _about("在回答里加角标 `^[1]^`。 Citations `^[1]^` in the answer.")] | None
    ) = None
    enable_trace: (
        Annotated[bool, _about("返回依据的网页 search_results。 Give search_results back.")] | None
    ) = None
    enable_status: (
        Annotated[bool, _about("流式回答先告知开始搜索。 A stream tells that it searches.")] | None
    ) = None
    search_num: Found | None = None
    search_number: Found | None = None
    reference_num: Read | None = None
    reference_number: Read | None = None


class ThinkingSwitch(msgspec.Struct):
    """Of DeepSeek, Zhipu, Volcengine and Anthropic; `auto` and `adaptive` say nothing."""

    type: Literal["enabled", "disabled", "auto", "adaptive"]
    budget_tokens: ThinkingBudget | None = None


class ChatBody(Request, kw_only=True):
    """What both dialects have in common. Of several faults the first in this order is told."""

    model: ModelName
    temperature: float | None = None
    top_p: float | None = None
    penalty_score: PenaltyScore | None = None
    frequency_penalty: FrequencyPenalty | None = None
    presence_penalty: PresencePenalty | None = None
    seed: int | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    enable_thinking: EnableThinking | None = None
    thinking: (
        Annotated[
            ThinkingSwitch,
            _about(
                "是否先思考，最多多少 token。 Whether it thinks first, and of how many tokens at "
                "most."
            ),
        ]
        | None
    ) = None
    thinking_budget: ThinkingBudget | None = None
    reasoning_effort: ReasoningEffort | None = None
    n: N | None = None
    top_logprobs: TopLogprobs | None = None
    logprobs: Logprobs | None = None
    stream: Stream | None = None
    stream_options: StreamOptions | None = None
    logit_bias: LogitBias | None = None
    functions: Functions | None = None
    function_call: FunctionCall | None = None
    tools: (
        Annotated[
            list[FunctionTool],
            Meta(max_length=128, description="模型可以调用的函数。 Functions that it may call."),
        ]
        | None
    ) = None
    tool_choice: (
        Annotated[
            Literal["none", "auto", "required", "any"] | ToolChoice,
            _about(
                "是否、以及调用哪个函数：none 不调用，auto 由模型决定，required（any）必须调用，"
                "或指定一个。 Whether functions are called, and which: none, auto (the model "
                "decides), required (or any), or one of them."
            ),
        ]
        | None
    ) = None
    parallel_tool_calls: Parallel | None = None
    response_format: (
        Annotated[
            Literal["text", "json_object"] | ResponseFormat,
            _about(
                "回答的格式：文本、JSON，或符合给定 JSON Schema 的 JSON。 "
                "The answer's form: text, JSON, or JSON by a schema."
            ),
        ]
        | None
    ) = None
    web_search: (
        Annotated[WebSearch, _about("联网搜索，默认关闭。 Web search; off by default.")] | None
    ) = None
    stop: str | list[str] | None = None
    messages: Sequence[ChatMessage]

    @classmethod
    def refusal(cls, path: str, value: Any, allowed: str) -> ApiError:
        """`param` names no more than the field where that holds a list or a schema."""
        field = path.partition("[")[0].partition(".")[0]
        if path == "messages" and value in (None, []):
            return invalid("messages must not be empty")
        if field == "messages" and path != field:
            return invalid(f"{path} is {shown(value)}, allowed: {allowed}")
        error = super().refusal(path, value, allowed)
        if field in {"tools", "response_format"}:
            error.param = field
        return error


class ChatRequestDocumented(ChatBody, kw_only=True):
    """The ranges of section 4.1.2."""

    temperature: Annotated[float, _between(0, 1, TEMPERATURE, default=0.95)] | None = None
    top_p: Annotated[float, _between(0, 1, TOP_P, default=0.7)] | None = None
    seed: Annotated[int, _between(1, INT32 - 1, SEED)] | None = None
    max_completion_tokens: Annotated[int, _between(2, INT32, ANSWER)] | None = None
    max_tokens: Annotated[int, _between(2, INT32, ANSWER)] | None = None
    stop: Annotated[ShortStop | Annotated[list[ShortStop], UP_TO_4], _about(STOP)] | None = None
    messages: Annotated[list[DocumentedMessage], Meta(min_length=1, description=MESSAGES)]


class ChatRequestOpenai(ChatBody, kw_only=True):
    """OpenAI's ranges."""

    temperature: Annotated[float, _between(0, 2, TEMPERATURE)] | None = None
    top_p: Annotated[float, _between(0, 1, TOP_P)] | None = None
    seed: Annotated[int, _between(-INT64 - 1, INT64, SEED)] | None = None
    max_completion_tokens: Annotated[int, _between(1, INT64, ANSWER)] | None = None
    max_tokens: Annotated[int, _between(1, INT64, ANSWER)] | None = None
    stop: Annotated[LongStop | Annotated[list[LongStop], UP_TO_4], _about(STOP)] | None = None
    n: UpTo8 | None = None
    logprobs: Likely | None = None
    top_logprobs: UpTo20 | None = None
    user: AnyUser | None = None
    user_id: AnyUser | None = None
    messages: Annotated[list[OpenAIMessage], Meta(min_length=1, description=MESSAGES)]


def invalid(rule: str) -> ApiError:
    """The refusal of a conversation that breaks a rule of its own."""
    return ApiError(Errors.INVALID_MESSAGES, rule, param="messages")


CHAT: dict[Dialect, Form[ChatBody]] = {
    Dialect.DOCUMENTED: Form(ChatRequestDocumented, within=["web_search"], as_sent="tools"),
    Dialect.OPENAI: Form(ChatRequestOpenai, within=["web_search"], as_sent="tools"),
}
