"""Plans on the small embedded model: every choice, every argument right in form, any warmth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from tests.engines.conftest import engine  # noqa: F401
from tests.generation.tools.functions import ALL, CLOCK, EVENT, WEATHER
from tests.generation.vetted import check_call, plan
from xinghe.core import (
    Constraint,
    Delta,
    EngineRequest,
    FinishDelta,
    FinishReason,
    Message,
    Sampling,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolUse,
    UsageDelta,
)
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.generation.tool_parser import ToolCallParser
from xinghe.generation.tools import ToolPlan, flatten

pytestmark = [pytest.mark.embedded, pytest.mark.asyncio(loop_scope="module")]

SENSIBLE = (WEATHER, EVENT, CLOCK)
"""Without the one whose description gives orders: the small model may well follow them."""
HOT = Sampling(temperature=1.8, top_p=1.0)
ASK = [Message("user", "上海今天天气怎么样?")]


async def decide(
    engine: LlamaCppEngine,  # noqa: F811
    planned: ToolPlan,
    sampling: Sampling | None = None,
    limit: int = 200,
) -> tuple[list[ToolCall], FinishReason]:
    """Run the first pass; the calls it made, and why it ended."""
    prompt = await engine.prepare(planned.messages)
    request = EngineRequest(
        "as-0",
        prompt,
        sampling or planned.sampling,
        limit,
        constraint=planned.constraint,
        account=1,
    )
    parser, calls = ToolCallParser(planned.names), list[ToolCall]()
    async with aclosing(engine.generate(request)) as batches:
        async for batch in batches:
            for part in parser(batch.deltas):
                if isinstance(part, FinishDelta):
                    reason = part.reason
                elif isinstance(part, ToolCallDelta) and part.name is not None:
                    assert part.id is not None
                    calls.append(ToolCall(part.id, part.name, ""))
                elif isinstance(part, ToolCallDelta):
                    last = calls[-1]
                    calls[-1] = ToolCall(last.id, last.name, last.arguments + part.arguments)
    return calls, reason


async def write(
    engine: LlamaCppEngine,  # noqa: F811
    messages: Sequence[Message],
    constraint: Constraint | None,
) -> str:
    prompt = await engine.prepare(messages)
    request = EngineRequest("as-0", prompt, Sampling(temperature=0.0), 32, constraint=constraint)
    deltas = await _deltas(engine, request)
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


async def test_auto_calls_where_a_call_is_needed(engine: LlamaCppEngine) -> None:  # noqa: F811
    calls, reason = await decide(engine, plan(ASK, ToolUse(SENSIBLE), max_tokens=200))
    assert reason is FinishReason.FUNCTION_CALL
    (call,) = calls
    assert call.name == "get_weather"
    assert json.loads(call.arguments)["city"] == "上海"


async def test_auto_replies_where_none_is(engine: LlamaCppEngine) -> None:  # noqa: F811
    planned = plan([Message("user", "你好,你是谁?")], ToolUse(SENSIBLE), max_tokens=200)
    calls, reason = await decide(engine, planned)
    assert (calls, reason) == ([], FinishReason.NORMAL)
    answer = await write(engine, planned.plain, planned.reply)
    assert len(answer) > 3
    assert not any(answer.startswith(tool.name + " ") for tool in ALL)


@pytest.mark.parametrize("name", [None, "get", "plant"])
@pytest.mark.parametrize("parallel", [False, True])
async def test_demanded_calls_are_made_even_where_they_make_no_sense(
    engine: LlamaCppEngine,  # noqa: F811
    name: str | None,
    parallel: bool,
) -> None:
    use = ToolUse(ALL, "required", frozenset({name}) if name else None, parallel)
    calls, _ = await decide(engine, plan([Message("user", "你好")], use, max_tokens=200))
    assert calls
    assert parallel or len(calls) == 1
    for call in calls:
        assert await check_call(use, call.name, call.arguments) is None


async def test_arguments_are_right_in_form_however_hot(engine: LlamaCppEngine) -> None:  # noqa: F811
    use = ToolUse(SENSIBLE, "required", parallel=False)
    planned = plan([Message("user", "Surprise me.")], use, max_tokens=40)
    ids, complete = [], 0
    for seed in range(8):
        sampling = Sampling(temperature=HOT.temperature, top_p=HOT.top_p, seed=seed)
        calls, reason = await decide(engine, planned, sampling, limit=40)
        ids += [call.id for call in calls]
        if reason is FinishReason.FUNCTION_CALL:
            (call,) = calls
            complete += 1
            assert await check_call(use, call.name, call.arguments) is None, call
    assert complete >= 4
    assert len(set(ids)) == len(ids)


async def test_a_result_is_read(engine: LlamaCppEngine) -> None:  # noqa: F811
    call = ToolCall("call_1", "get_weather", '{"city": "上海"}')
    history = [
        *ASK,
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", "雷阵雨,31 度", tool_call_id="call_1"),
        Message("user", "多少度?"),
    ]
    planned = plan(history, ToolUse((WEATHER,)), max_tokens=200)
    calls, _ = await decide(engine, planned)
    for call in calls:
        assert await check_call(ToolUse((WEATHER,)), call.name, call.arguments) is None
    assert "31" in await write(engine, flatten(history), None)


async def test_the_next_question_finds_both_prompts_in_the_cache(
    engine: LlamaCppEngine,  # noqa: F811
) -> None:
    """The reply is laid out in its own way: each of the two has a slot where it goes on."""
    asked = Message("user", "什么是光合作用?")
    history = [asked, Message("assistant", "植物把光变成糖。"), Message("user", "在哪里?")]
    for messages in ([asked], history):
        planned = plan(messages, ToolUse(ALL), max_tokens=200)
        read = [
            await _usage(engine, planned.messages, planned.constraint),
            await _usage(engine, planned.plain, planned.reply),
        ]
    for usage in read:
        assert usage.prompt_tokens - usage.cached_tokens < 40


async def _usage(
    engine: LlamaCppEngine,  # noqa: F811
    messages: Sequence[Message],
    constraint: Constraint | None,
) -> UsageDelta:
    prompt = await engine.prepare(messages)
    request = EngineRequest("as-0", prompt, HOT, 2, constraint=constraint, account=1)
    (usage,) = [each for each in await _deltas(engine, request) if isinstance(each, UsageDelta)]
    return usage


async def _deltas(engine: LlamaCppEngine, request: EngineRequest) -> list[Delta]:  # noqa: F811
    async with aclosing(engine.generate(request)) as batches:
        return [delta async for batch in batches for delta in batch.deltas]
