"""What servers refuse, by status or within a stream: whose matter it is, and what is told of it."""

import json
from contextlib import aclosing
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.engines.tape import STREAM_HEAD, Step, playing, refusal
from tests.engines.test_upstream import ANSWER, ask, deltas_of, engine_at, request_for
from tests.kit.script import SECRET
from xinghe.core import CURRENT_ROUND, FinishDelta, FinishReason, PrefillDelta, TextDelta
from xinghe.engines import (
    EngineAway,
    EngineBusy,
    EngineFailed,
    EngineRefused,
    PromptTooLong,
    PromptUnsafe,
)
from xinghe.engines.upstream import UpstreamEngine
from xinghe.outbound.replicas import KeyRefused


def refused_with(engine: UpstreamEngine) -> list[int]:
    """What its server's operator owes."""
    (server,) = engine.servers
    assert all(each == KeyRefused(1, each.status) for each in server.refused)
    return [each.status for each in server.refused]


def error(message: str, **fields: Any) -> bytes:
    return json.dumps({"error": {"message": message, "type": "invalid_request_error", **fields}},
                      ensure_ascii=False).encode()  # fmt: skip


TOO_LONG = {
    "OpenAI": error("This model's maximum context length is 8192 tokens.",
                    code="context_length_exceeded"),
    "a code alone": error("no", code="context_length_exceeded"),
    "vLLM": b'{"object":"error","message":"This model\'s maximum context length is 4096 tokens. '
            b'However, you requested 5000 tokens","type":"BadRequestError","code":400}',
    "vLLM, prompt": error("The decoder prompt (length 5000) is longer than the maximum model "
                          "length of 4096."),
    "SGLang": b'{"object":"error","message":"The input (5000 tokens) is longer than the model\'s '
              b'context length (4096 tokens).","code":400}',
    "llama.cpp": error("the request exceeds the available context size, try increasing it",
                       code=400, type="exceed_context_size_error", n_prompt_tokens=5000),
    "Anthropic": error("prompt is too long: 200001 tokens > 200000 maximum"),
    "Gemini": b'[{"error":{"code":400,"message":"The input token count (9) exceeds the maximum '
              b'number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}]',
    "Moonshot": error("Invalid request: Your request exceeded model token limit: 8192"),
    "Zhipu": '{"error":{"code":"1261","message":"Prompt 超长"}}'.encode(),
    "MiniMax": error("invalid params, context window exceeds limit (2013)"),
    "MiniMax, its own": b'{"base_resp":{"status_code":2013,"status_msg":"invalid params, context '
                        b'window exceeds limit"}}',
    "Mistral": b'{"object":"error","message":"Prompt contains 40000 tokens, too large for model '
               b'with 32768 maximum context length","code":"3051"}',
    "DashScope": error("Range of input length should be [1, 129024]"),
    "Qianfan": error("Prompt tokens too long", code="tokens_too_long"),
    "Qianfan, old": b'{"error_code":336103,"error_msg":"Prompt tokens too long"}',
    "TGI": b'{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 9"}',
    "LiteLLM": error("litellm.ContextWindowExceededError: no", code="400"),
    "xAI": error("This model's maximum prompt length is 131072 but the request contains 200000"),
    "Bedrock": b'{"message":"Input is too long for requested model."}',
    "Chinese": error("输入长度超出最大限制"),
    "Chinese, tokens": error("token数量超过上限"),
    "StepFun": error("input tokens exceeds the limit: 8192", type="request_params_invalid"),
    "no JSON": b"context length exceeded",
}  # fmt: skip


@pytest.mark.parametrize("status", [400, 413, 422, 500])
@pytest.mark.parametrize("body", TOO_LONG.values(), ids=TOO_LONG)
async def test_too_long_a_prompt(body: bytes, status: int) -> None:
    head, text = refusal(status, body).split(b"\r\n\r\n", 1)
    cut = len(text) // 2
    with pytest.raises(PromptTooLong) as told:  # in three reads
        await deltas_of(head + b"\r\n\r\n", text[:cut], 0.01, text[cut:])
    assert set(str(told.value)) <= set(f"it answered {status} ()_, ") | set(
        "context_length_exceededinvalid_request_errortokens_too_longexceed_context_size_error1261"
        "336103"
    )


def event(body: bytes) -> bytes:
    return b"data: " + body.replace(b"\n", b" ") + b"\n\n"


@pytest.mark.parametrize("name", ["OpenAI", "vLLM", "llama.cpp", "Qianfan, old", "TGI", "Zhipu"])
async def test_too_long_a_prompt_told_within_the_stream(name: str) -> None:
    """With status 200, as an event or as the whole body; only before anything was said."""
    for body in (event(TOO_LONG[name]) + b"data: [DONE]\n\n", TOO_LONG[name]):
        with pytest.raises(PromptTooLong):
            await deltas_of(STREAM_HEAD, body)
    with pytest.raises(EngineFailed) as told:
        await deltas_of(STREAM_HEAD, event(SAID), event(TOO_LONG[name]))
    assert not isinstance(told.value, PromptTooLong)


SAID = b'{"choices":[{"delta":{"content":"a"}}]}'
UNSAFE = {
    "Azure": b'{"error":{"message":"The response was filtered due to the prompt triggering '
             b'Azure OpenAI\'s content management policy.","type":null,"param":"prompt","code":'
             b'"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation",'
             b'"content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}}}',
    "Azure, its inner code": b'{"error":{"message":"no","innererror":{"code":'
                             b'"ResponsibleAIPolicyViolation"}}}',
    "Zhipu": '{"error":{"code":"1301","message":"系统检测到可能不安全或敏感的内容"}}'.encode(),
    "DashScope": error("Input data may contain inappropriate content.",
                       code="data_inspection_failed"),
    "Moonshot": error("The request was rejected because it was considered high risk",
                      type="content_filter"),
    "DeepSeek": error("Content Exists Risk"),
    "LiteLLM": error("litellm.ContentPolicyViolationError: no", code="400"),
    "Qianfan": error("the content of user field is invalid", type="unsafe_request",
                     code="user_setting_unsafe"),
    "MiniMax": b'{"choices":null,"input_sensitive":true,"base_resp":{"status_code":1026,'
               b'"status_msg":"input new_sensitive"}}',
    "MiniMax, no choices": b'{"choices":[],"base_resp":{"status_code":1027,"status_msg":"output '
                           b'new_sensitive"}}',
    "Volcengine": error("no", code="InputTextSensitiveContentDetected"),
    "Volcengine, its words": error("the input text may contain sensitive information."),
    "New API": error("user sensitive words detected: x", code="sensitive_words_detected"),
    "OpenAI": error("Invalid prompt: your prompt was flagged as potentially violating our usage "
                    "policy", code="invalid_prompt"),
    "OpenAI, images": error("no", code="moderation_blocked"),
    "OpenRouter": error('m requires moderation. Your input was flagged for "violence".', code=403),
    "xAI": b'{"code":"permission-denied","error":"Content violates usage guidelines."}',
    "StepFun": error("blocked", type="censorship_blocked"),
    "a guardrail": error("Violated guardrail policy"),
    "OpenAI, its system": error("Your request was rejected as a result of our safety system."),
    "Anthropic": error("Output blocked by content filtering policy"),
    "in other words": error("The request contains some sensitive content"),
    "Chinese": error("输入文本可能包含敏感信息"),
    "Spark": error("输入内容审核不通过", code="10013"),
}  # fmt: skip


BY_CODE = ["Azure", "Zhipu", "DashScope", "Moonshot", "Qianfan", "Volcengine", "New API", "StepFun"]


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("name", BY_CODE)
async def test_a_code_of_moderation_is_one_at_any_status(name: str, status: int) -> None:
    with pytest.raises(PromptUnsafe):
        await deltas_of(refusal(status, UNSAFE[name]))


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (500, error("The stack trace is omitted as it may contain sensitive information"),
         EngineAway),
        (502, error("Content Exists Risk"), EngineAway),
        (429, error("Your request was flagged as exceeding burst limits"), EngineBusy),
        (503, error("The safety system is overloaded"), EngineBusy),
        (500, error("Failed to reach guardrail policy service"), EngineAway),
        (400, error("Failed to reach guardrail policy service"), EngineFailed),
        (400, error("The request body is omitted as it may contain sensitive information"),
         EngineFailed),
        (400, error("Your request was flagged as exceeding burst limits"), EngineFailed),
        (400, error("Only a case-sensitive content-type is detected"), EngineFailed),
        (400, error("A case-sensitive content was detected"), EngineFailed),
        (400, b"<html>The prompt contains sensitive content", EngineFailed),
        (404, error("The prompt contains sensitive content"), EngineFailed),
    ],
    ids=repr,
)  # fmt: skip
async def test_words_about_the_server_are_none_about_a_prompt(
    status: int, body: bytes, told: type[Exception]
) -> None:
    with pytest.raises(told) as caught:
        await deltas_of(refusal(status, body))
    assert type(caught.value) is told


@pytest.mark.parametrize("status", [400, 403, 422])
@pytest.mark.parametrize("body", UNSAFE.values(), ids=UNSAFE)
async def test_an_unsafe_prompt(body: bytes, status: int) -> None:
    with pytest.raises(PromptUnsafe):
        await deltas_of(refusal(status, body))
    with pytest.raises(PromptUnsafe):
        await deltas_of(STREAM_HEAD, event(body))
    *_, last = await deltas_of(STREAM_HEAD, event(SAID), event(body))
    assert last == FinishDelta(FinishReason.CONTENT_FILTER, 3, CURRENT_ROUND)


async def test_a_byte_order_mark_hides_no_error() -> None:
    with pytest.raises(PromptUnsafe):
        await deltas_of(refusal(400, b"\xef\xbb\xbf" + UNSAFE["DeepSeek"]))


@pytest.mark.parametrize("none", ["null", "0", '""', "{}"])
async def test_an_error_that_is_none(none: str) -> None:
    said = f'{{"error":{none},"error_code":{none},"object":"chat.completion.chunk",'.encode()
    deltas = await deltas_of(STREAM_HEAD, event(said + SAID[1:]), b"data: [DONE]\n\n")
    assert deltas[-1] == FinishDelta(FinishReason.NORMAL)


@pytest.mark.parametrize(
    "body",
    [
        error("max_tokens is too large: 100000. This model supports at most 16384 of completion"),
        error("Invalid value for 'temperature': must be at most 2"),
        error("'user' is too long"),
        error("max_tokens 超出范围"),
        error("Model names are case-sensitive; your account was flagged"),
        error("The model does not exist", code="model_not_found"),
        b"[]",
        b"",
        b"null",
    ],
)
async def test_other_refusals_are_none_of_length(body: bytes) -> None:
    with pytest.raises(EngineFailed) as caught:
        await deltas_of(refusal(400, body))
    assert type(caught.value) is EngineFailed


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((status, SECRET.encode()) for status in (401, 402, 403)),
        (429, error("no", code="insufficient_quota")),
        (429, error("no", type="exceeded_current_quota_error")),
        (400, error("no", code="Arrearage")),
        (400, error("API key not valid. Please pass a valid API key.", status="INVALID_ARGUMENT")),
        (429, error("no", type="insufficient_balance_error")),
        (500, error("用户余额不足", code="do_request_failed")),
    ],
)
async def test_what_the_operator_owes_is_told_to_the_operator(status: int, body: bytes) -> None:
    refused = [refusal(status, body)]
    async with (
        playing(refused, refused, [STREAM_HEAD, ANSWER]) as tape,
        engine_at(tape.url) as engine,
    ):
        with capture_logs() as logs:
            for _ in range(2):
                with pytest.raises(EngineRefused):
                    await ask(engine)
                assert refused_with(engine) == [status]
        await ask(engine)
        assert refused_with(engine) == []
    (line,) = logs  # once a minute
    assert (line["event"], line["deployment"]) == ("deployment_refused", "up")
    assert str(status) in line["error"]
    assert SECRET not in str(line)


OWED = {
    "MiniMax": b'{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}',
    "a gateway": error("Incorrect API key provided: sk-x", code="invalid_api_key"),
    "in words of another matter": error("violates our usage policy", code="insufficient_quota"),
}


@pytest.mark.parametrize("body", OWED.values(), ids=OWED)
async def test_what_the_operator_owes_may_be_told_within_the_stream(body: bytes) -> None:
    """With status 200, before anything was said."""
    steps: list[Step] = [STREAM_HEAD, event(body), b"data: [DONE]\n\n"]
    answers = playing(steps, steps, [STREAM_HEAD, event(SAID)])
    async with answers as tape, engine_at(tape.url) as engine:
        with capture_logs() as logs:
            with pytest.raises(EngineRefused):
                await ask(engine)
            assert refused_with(engine) == [200]
            async with aclosing(engine.generate(await request_for(engine))) as batches:
                assert (await anext(batches)).deltas == [PrefillDelta()]
                assert refused_with(engine) == [200]  # so far there is but the head of an answer
                with pytest.raises(EngineRefused):
                    await anext(batches)
            assert refused_with(engine) == [200]
            async with aclosing(engine.generate(await request_for(engine))) as batches:
                await anext(batches)
                assert (await anext(batches)).deltas == [TextDelta("a")]
                assert refused_with(engine) == []  # whoever listens may leave behind the first word
    assert [line["event"] for line in logs] == ["deployment_refused"]
    assert "sk-x" not in str(logs)
    with pytest.raises(EngineFailed) as told:
        await deltas_of(STREAM_HEAD, event(SAID), event(body))
    assert not isinstance(told.value, EngineRefused)


async def test_a_full_server_is_still_busy() -> None:
    with pytest.raises(EngineBusy):
        await deltas_of(refusal(429, error("Too many tokens per minute, context window")))


@pytest.mark.parametrize(
    ("status", "body", "headers", "told"),
    [
        (429, error("Insufficient quota: 60 requests per minute"), ["Retry-After: 7"], EngineBusy),
        (429, error("Insufficient quota: 60 requests per minute"), [], EngineBusy),
        (429, error("Insufficient balance of tokens"), ["Retry-After: 7"], EngineBusy),
        (400, error("Invalid value: 'insufficient balance'"), [], EngineFailed),
        (400, error("[{'type': 'missing', 'input': 'my invalid api key'}]"), [], EngineFailed),
        (400, error("'invalid api key' is not one of ['a', 'b']"), [], EngineFailed),
        (422, b'{"detail":"unexpected: incorrect api key provided"}', [], EngineFailed),
        (502, b"<html>insufficient balance", [], EngineAway),
    ],
    ids=repr,
)
async def test_what_a_client_said_is_no_debt(
    status: int, body: bytes, headers: list[str], told: type[Exception]
) -> None:
    """Nor what a full server calls its limits."""
    async with playing([refusal(status, body, *headers)]) as tape, engine_at(tape.url) as engine:
        with pytest.raises(told) as caught:
            await ask(engine)
        assert type(caught.value) is told
        assert refused_with(engine) == []


async def test_of_what_an_error_is_called_only_the_beginning_is_looked_at() -> None:
    # All of 64 KB would hold the gateway for seconds.
    with pytest.raises(EngineFailed) as caught:
        await deltas_of(refusal(400, error("no", code="x" * 300 + "content_policy_violation")))
    assert type(caught.value) is EngineFailed
