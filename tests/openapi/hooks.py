"""What schemathesis is told of this service, beside its document (`SCHEMATHESIS_HOOKS`)."""

from __future__ import annotations

import re
from typing import Any
from zlib import crc32

import schemathesis
from schemathesis import Case, CheckContext, GenerationMode, HookContext, Response

MODELS = ["scripted-chat", "ernie-x1-turbo-32k", "deepseek-v3", "ernie-4.5-turbo-vl-32k"]
"""One that can do nothing beyond text, and three that can by their cards."""

CONVERSATIONS = {"ResponseRequest", "MessagesRequest", "CountTokensRequest"}
CONVERSATIONS |= {"CompletionRequest", "TokenizeRequest"}
TEXT_REQUESTS = {"EmbeddingRequest", "EmbeddingRequestOpenai", "RerankRequest"}
TEXT_REQUESTS |= {"RerankRequestOpenai"}
TEXT_MODELS = ["embedding-v1", "bge-large-zh"]
IMAGE_MODELS = ["Stable-Diffusion-XL"]
OTHER_MODELS = ("num_inference_steps", "guidance_scale", "use_pe")
"""To that one, they are unknown fields: whatever they hold."""

LIKE_CHAT = {"top_p", "frequency_penalty", "presence_penalty", "user_id", "safety_identifier"}
LIKE_CHAT |= {"service_tier", "prompt_cache_key", "max_tool_calls", "parallel_tool_calls", "text"}
CAPABILITIES = ("tools", "functions", "web_search", "response_format")
MESSAGE_RULES = {"invalid_messages", "characters_too_long", "tokens_too_long"}
KEY_RULE = "idempotency_key_reused"
MODEL_LIMITS = {"max_tokens", "max_completion_tokens", "thinking_budget", "dimensions"}
NOT_HAD = {"background", "stream", "suffix", "logprobs", "best_of", "prompt", "input"}
PICTURE = re.compile(r"input\[\d+\]")
TOGETHER = {"stream_options", "stop", "tool_choice", "tool_choice.function.name"}
TOGETHER |= {"tool_choice.name", "tool_choice.type", "tool_choice.allowed_tools"}
TOGETHER |= {"previous_response_id", "n"}
TOGETHER |= {f"web_search.{name}" for name in ("search_num", "reference_num", "reference_number")}
ALLOWED_TOOL = re.compile(r"tool_choice\.(allowed_tools\.)?tools\[\d+\]\.(function\.)?name")
OF_MESSAGES = re.compile(
    "(model|messages|tools|tool_choice|stop_sequences|output_config|output_format)[ .[:]"
    "|the max input characters|Prompt tokens|the header Idempotency-Key"
)
"""How the refusals in Anthropic's form begin, which name the field in their message alone."""
SCHEMAS = {"tools", "response_format", "text"}
ASKED = {"from", "to", "zone", "after", "token", "by", "start_date", "end_date"}
ASKED |= {"group", "member", "model", "month", "request_id"}  # in which all is printable
"""What no schema can say: the order of roles, limits of a model, fields that need another, keys
that were used, JSON Schemas; which days, months, zones, pages and tokens there are."""


@schemathesis.hook
def before_load_schema(_: HookContext, raw_schema: dict[str, Any]) -> None:
    """Names models that the catalog holds: else nearly every case would end as a 404."""
    for name, schema in raw_schema["components"]["schemas"].items():
        if name.startswith("ChatRequest") or name in CONVERSATIONS:
            schema["properties"]["model"] = {"enum": MODELS}
        elif name in TEXT_REQUESTS:
            schema["properties"]["model"] = {"enum": [*TEXT_MODELS, None]}
        elif name.startswith("ImageRequest"):
            schema["properties"]["model"] = {"enum": IMAGE_MODELS}
            for field in OTHER_MODELS:
                del schema["properties"][field]
    size = raw_schema["components"]["schemas"]["ImageRequest"]["properties"]["size"]["anyOf"][0]
    size["enum"] = size["examples"]

    # Nearly all says the same as chat's, in more ways than there is time for.
    item = raw_schema["components"]["schemas"]["Item"]["properties"]
    for name in set(item) - {"type", "role", "content", "call_id"}:
        del item[name]
    item["content"] = {"type": "string"}
    asked = raw_schema["components"]["schemas"]["ResponseRequest"]["properties"]
    tools = {"type": "array", "items": {"$ref": "#/components/schemas/CustomTool"}}
    asked["tools"] = {"anyOf": [tools, {"type": "null"}]}
    for name in LIKE_CHAT & set(asked):
        del asked[name]
    completion = raw_schema["components"]["schemas"]["CompletionRequest"]["properties"]
    for name in set(completion) - {"model", "prompt", "max_tokens", "n", "best_of", "stream"}:
        del completion[name]
    # As many texts as may be take a minute, and have tests of their own.
    texts = raw_schema["components"]["schemas"]["EmbeddingRequestOpenai"]["properties"]["input"]
    for each in texts["anyOf"]:
        each.pop("maxItems", None)
    del raw_schema["components"]["schemas"]["TokenizeRequest"]["properties"]["messages"]
    del raw_schema["components"]["schemas"]["ModerationRequest"]["properties"]["user"]


@schemathesis.hook
def map_case(_: HookContext, case: Case[Any]) -> Case[Any]:
    """Lets more than a few right requests reach an engine: most would ask for a capability."""
    body: Any = case.body
    right = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if (
        right
        and isinstance(body, dict)
        and "messages" in body
        and crc32(repr(body).encode("utf-8", "replace")) % 4
    ):
        for name in CAPABILITIES:
            body.pop(name, None)
        body["messages"] = [{**body["messages"][0], "role": "user"}]
    if isinstance(body, dict) and case.path.endswith("/images/generations"):
        # Each try may end after a second, and the next may wait a minute: ten would take too long.
        backoff = body.get("backoff_factor")
        if isinstance(backoff, float | int) and 0 < backoff <= 60:
            body["backoff_factor"] = backoff / 600
    if right and case.headers and crc32(repr(body).encode("utf-8", "replace")) % 8:
        # The shortest keys come again and again, each time with another body.
        case.headers.pop("Idempotency-Key", None)
    return case


@schemathesis.check
def carries_its_id(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """Every answer has a request id, and the body of a refusal or an answer shows the same."""
    request_id = response.headers["x-request-id"][0]
    body = response.json() if response.content.startswith(b"{") else {}
    if body.get("type") == "error":
        assert body["request_id"] == request_id
    elif body.get("error") or body.get("object") == "chat.completion":
        assert body["id"] == request_id


@schemathesis.check
def takes_what_it_describes(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """A body that the document allows is refused only for what no schema can say."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if response.status_code == 400:
        error = response.json()["error"]
        if "code" not in error:
            assert OF_MESSAGES.match(error["message"]), error
            return
        assert (
            error["code"] in MESSAGE_RULES | {KEY_RULE}
            or error.get("param") in MODEL_LIMITS | NOT_HAD | TOGETHER | SCHEMAS | ASKED
            or ALLOWED_TOOL.fullmatch(error.get("param") or "")
            or PICTURE.fullmatch(error.get("param") or "")
        ), error
