"""What a hostile or broken upstream may send: an honest end, sound counts, and no standstill."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.engines.tape import HANG, STREAM_HEAD, Step, chunk, event, playing, refusal
from tests.engines.test_upstream import ask, deltas_of, engine_at
from tests.kit.script import SECRET
from xinghe.catalog import UpstreamDeployment
from xinghe.core import (
    Delta,
    EngineRequest,
    FinishDelta,
    FinishReason,
    Message,
    Prompt,
    ReasoningDelta,
    Sampling,
    TextDelta,
    ToolCallDelta,
    UsageDelta,
)
from xinghe.engines import EngineFailed, EngineUnavailable
from xinghe.outbound.response import MAX_EVENT_BYTES, ROOM

DONE = b"data: [DONE]\n\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
STANDSTILL = 0.1
"""Seconds: the bar of the whole service, on a machine that others keep busy."""


def in_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@asynccontextmanager
async def standstill() -> AsyncIterator[list[float]]:
    """The longest time, in CPU seconds of this thread, for which the loop came to nothing else."""
    worst = [0.0]

    async def watch() -> None:
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0)
            worst[0] = max(worst[0], time.thread_time() - begun)

    gc.freeze()  # what earlier tests left is not what is measured
    watching = asyncio.create_task(watch())
    try:
        yield worst
    finally:
        watching.cancel()
        gc.unfreeze()


FRAMING: dict[str, list[Step]] = {
    "size": [CHUNKED, 0.05, in_chunk(chunk("你")), 0.05, b"zzz\r\n", HANG],
    "size at once": [CHUNKED + b"zzz\r\n", HANG],
    "negative size": [CHUNKED, 0.05, b"-5\r\nhello\r\n", HANG],
    "huge size": [CHUNKED, 0.05, b"f" * 40 + b"\r\n", HANG],
    "no end of a chunk": [CHUNKED, 0.05, b"3\r\nabcdef\r\n", HANG],
    "trailer": [CHUNKED, 0.05, b"0\r\n\x00bad trailer\r\n\r\n", HANG],
    "size without end": [CHUNKED, 0.05, b"0" * 100_000, HANG],
    "silence": [CHUNKED, in_chunk(chunk("你")), HANG],
    "half a chunk": [CHUNKED, b"ffff\r\n" + chunk("你"), HANG],
}


@pytest.mark.parametrize("steps", FRAMING.values(), ids=FRAMING)
async def test_broken_framing_ends_within_the_silence(steps: list[Step]) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(EngineFailed):
            await deltas_of(*steps, silence_timeout=0.5)


HEADS: dict[str, list[Step]] = {
    "silence": [HANG],
    "half a head": [b"HTTP/1.1 200 OK\r\nContent-Type: ", HANG],
    "no HTTP": [b"hello, this is no HTTP\r\n\r\n", HANG],
    "a field of 1 MB": [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", HANG],
    "many fields": [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n", HANG],
    "a status line of 1 MB": [b"HTTP/1.1 200 " + b"O" * 1_000_000 + b"\r\n\r\n", HANG],
    "hints without end": [b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.2] * 40,
    "gzip": [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n",
        b"\x1f\x8b" + b"no gzip at all" * 100,
        HANG,
    ],
}


@pytest.mark.parametrize("steps", HEADS.values(), ids=HEADS)
async def test_a_hostile_head_is_refused(steps: list[Step]) -> None:
    async with asyncio.timeout(20):
        with pytest.raises((EngineFailed, EngineUnavailable)):
            await deltas_of(*steps, silence_timeout=0.5, connect_timeout=1.0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with (
        playing([STREAM_HEAD, chunk("你", "stop"), DONE]) as other,
        playing([refusal(status, b"", f"Location: {other.url}/chat/completions")]) as first,
        engine_at(first.url) as engine,
    ):
        with pytest.raises(EngineFailed, match=str(status)):
            await ask(engine)
        assert other.heads == []


def calls(*said: object) -> bytes:
    return event({"choices": [{"delta": {"tool_calls": said}}]})


def nested(depth: int, field: str) -> bytes:
    return b'data: {"%s": %s%s}\n\n' % (field.encode(), b"[" * depth, b"]" * depth)


EVENTS: dict[str, list[bytes]] = {
    "5 MB": [chunk("字" * 1_700_000, "stop"), DONE],
    "5 MB in lines": [b"data: " + b"x" * 60_000 + b"\n"] * 90,
    "a comment of 5 MB": [b":" + b"x" * 5_000_000],
    "deep": [nested(100_000, "x")],
    "deep error": [nested(100_000, "error")],
    "deep usage": [nested(100_000, "usage")],
    "wide error": [b'data: {"error": [' + b"[]," * 150_000 + b"0]}\n\n"],
    "lone surrogate": [b'data: {"choices":[{"delta":{"content":"\\ud800"}}]}\n\n'],
    "wrong types": [event({"choices": {"delta": 3}})],
    "calls without end": [calls(*[{}] * 100_000)],
    "an index of 30 digits": [calls({"index": 10**30, "function": {"name": "f"}})],
    "an index below 0": [calls({"index": -1, "function": {"name": "f"}})],
    "arguments without end": [calls({"function": {"arguments": "x" * 20_000}})] * 20,
    "empty events without end": [b"data: {}\n\n" * 100_000],
    "comments without end": [b": still here\n\n" * 100_000],
}
TOOLS = {"tools": [{"type": "function", "function": {"name": "f"}}]}


async def read(answer: Sequence[Step], max_tokens: int = 10, **fields: Any) -> list[Delta]:
    """What the engine makes of an answer to a request with tools."""
    async with playing(answer) as tape, engine_at(tape.url, **fields) as engine:
        said = {"messages": [{"role": "user", "content": "hi"}], **TOOLS}
        prompt = Prompt(10, 20, exact=False, payload=said)
        request = EngineRequest("as-0", prompt, Sampling(), max_tokens)
        return [delta async for batch in engine.generate(request) for delta in batch.deltas]


@pytest.mark.parametrize("events", EVENTS.values(), ids=EVENTS)
async def test_a_hostile_event_is_a_failure_and_no_standstill(events: list[bytes]) -> None:
    async with standstill() as worst:
        with pytest.raises(EngineFailed) as failure:
            await read([STREAM_HEAD, *events, HANG], silence_timeout=2)
    assert len(str(failure.value)) < 200
    assert worst[0] < STANDSTILL


ENDLESS: dict[str, bytes] = {"comments": b": x\n\n", "empty events": b"data: {}\n\n"}


@pytest.mark.parametrize("piece", ENDLESS.values(), ids=ENDLESS)
async def test_a_peer_that_says_nothing_often_is_silent(piece: bytes) -> None:
    steps: list[Step] = [STREAM_HEAD, chunk("你")]
    for _ in range(200):
        steps += [piece, 0.05]
    async with asyncio.timeout(20):
        with pytest.raises(EngineFailed, match="silent"):
            await read(steps, silence_timeout=0.2)


async def test_a_slow_reader_is_no_silence_of_the_server() -> None:
    talk: list[Step] = [b": x\n\n", 0.1]
    steps: list[Step] = [STREAM_HEAD, chunk("你"), *talk * 18, chunk("好", "stop"), DONE]
    async with playing(steps) as tape, engine_at(tape.url, silence_timeout=0.35) as engine:
        prompt = await engine.prepare([Message("user", "hi")])
        texts = []
        async with aclosing(
            engine.generate(EngineRequest("as-0", prompt, Sampling(), 16))
        ) as batches:
            async for batch in batches:
                found = [delta.text for delta in batch.deltas if isinstance(delta, TextDelta)]
                texts += found
                if found == ["你"]:
                    await asyncio.sleep(1.5)  # more than all its patience
    assert texts == ["你", "好"]


@pytest.mark.parametrize(
    ("end", "which"),
    [([chunk("你", "stop")], "MORE"), ([chunk("你"), chunk(None, "stop")], "USAGE")],
)
async def test_an_answer_that_ended_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch, end: list[Step], which: str
) -> None:
    monkeypatch.setattr(f"xinghe.engines.upstream.{which}_TIMEOUT", 0.3)
    steps: list[Step] = [STREAM_HEAD, *end]
    for _ in range(200):
        steps += [b"data: {}\n\n", 0.05]
    async with asyncio.timeout(8):
        deltas = await read(steps, silence_timeout=30)
    assert deltas[1:] == [TextDelta("你"), FinishDelta(FinishReason.NORMAL)]


async def test_much_in_one_read_is_served_in_portions() -> None:
    """Nothing is lost of it, and others run in between."""
    events = b"".join([*[chunk("字")] * 5_000, chunk("长" * 100_000), chunk(None, "stop"), DONE])
    async with standstill() as worst:
        deltas = await read([STREAM_HEAD, events], max_tokens=8192)
    texts = [delta for delta in deltas if isinstance(delta, TextDelta)]
    assert "".join(delta.text for delta in texts) == "字" * 5_000 + "长" * 100_000
    assert sum(delta.tokens for delta in texts) == 5_001
    assert max(len(delta.text) for delta in texts) < 10_000
    assert worst[0] < STANDSTILL


async def test_empty_lines_without_end_hold_nobody_up() -> None:
    steps: list[Step] = [STREAM_HEAD, *[b"\n" * 400_000] * 10, chunk("你", "stop"), DONE]
    async with standstill() as worst:
        answers = await asyncio.gather(*(read(steps, max_tokens=512) for _ in range(8)))
    for deltas in answers:
        assert deltas[1:] == [TextDelta("你"), FinishDelta(FinishReason.NORMAL)]
    assert worst[0] < STANDSTILL


async def test_a_whole_answer_in_one_event_passes() -> None:
    """As some servers send it: the text, the thought and the calls at once."""
    arguments = json.dumps({"text": "长" * 40_000}, ensure_ascii=False)
    said = {
        "reasoning_content": "想" * 50_000,
        "content": "说" * 50_000,
        "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": arguments}}],
    }
    whole = event({"choices": [{"delta": said, "finish_reason": "tool_calls"}]})
    assert ROOM < len(whole) < MAX_EVENT_BYTES
    deltas = await read([STREAM_HEAD, whole, DONE], max_tokens=8192)
    thought = "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    called = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert (thought, text) == ("想" * 50_000, "说" * 50_000)
    assert (called[0].id, called[0].name) == ("a", "f")
    assert "".join(delta.arguments for delta in called) == arguments
    assert sum(delta.tokens for delta in called) == 1
    assert deltas[-1] == FinishDelta(FinishReason.FUNCTION_CALL)


async def test_choices_that_nobody_asked_for_are_skipped() -> None:
    choices = [{"delta": {"content": "一"}}, *[{"delta": {"content": "二"}}] * 10_000]
    async with standstill() as worst:
        steps = [STREAM_HEAD, event({"choices": choices}), chunk(None, "stop"), DONE]
        deltas = await read(steps, max_tokens=100)
    assert deltas[1:] == [TextDelta("一"), FinishDelta(FinishReason.NORMAL)]
    assert worst[0] < STANDSTILL


@pytest.mark.parametrize("words", ["exceed", "exceed max", "prompt ", "tokens", "上下文", "input "])
async def test_an_error_that_says_nearly_the_same_again_and_again(words: str) -> None:
    fields = dict.fromkeys(("message", "msg", "detail", "error_msg", "status_msg"), words * 400)
    body = json.dumps({"error": fields, **fields}).encode()
    async with standstill() as worst:
        with pytest.raises(EngineFailed):
            await deltas_of(refusal(400, body))
    assert worst[0] < STANDSTILL


UNSOUND: dict[str, Any] = {
    "30 digits": {"prompt_tokens": 10**30, "completion_tokens": 1},
    "5000 digits": {"prompt_tokens": 10**4299, "completion_tokens": 1},
    "more than 64 bits": {"prompt_tokens": 7, "completion_tokens": 2**63},
    "more than was asked for": {"prompt_tokens": 7, "completion_tokens": 17},
    "more than can have been read": {"prompt_tokens": 1_000_000, "completion_tokens": 1},
    "below 0": {"prompt_tokens": -1, "completion_tokens": -5},
    "fractions": {"prompt_tokens": 7.5, "completion_tokens": 1.5},
    "text": {"prompt_tokens": "seven", "completion_tokens": "1"},
    "true": {"prompt_tokens": True, "completion_tokens": True},
    "a list": [7, 1],
    "cached below 0": {
        "prompt_tokens": 7,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": -1},
    },
    "cached of 30 digits": {
        "prompt_tokens": 7,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 10**30},
    },
}


@pytest.mark.parametrize("usage", UNSOUND.values(), ids=UNSOUND)
async def test_an_unsound_count_is_replaced_by_ours(usage: Any) -> None:
    # More than the bound of what `ask` sends, and `max_tokens` 16.
    with capture_logs() as logs:
        deltas = await deltas_of(STREAM_HEAD, chunk("你"), chunk(None, "stop", usage), DONE)
    counts = [delta for delta in deltas if isinstance(delta, UsageDelta)]
    for count in counts:  # a part may be sound
        assert (count.prompt_tokens, count.completion_tokens) == (7, 1)
        assert 0 <= count.cached_tokens <= 7
    told = [entry for entry in logs if entry["event"] == "usage_not_believed"]
    assert len(told) + len(counts) == 1
    assert deltas[0] == TextDelta("你")
    assert deltas[-1] == FinishDelta(FinishReason.NORMAL)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999"])
async def test_a_count_that_is_no_number_costs_at_most_the_answer(text: str) -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":%s,"completion_tokens":1}}\n\n'
    answer = [STREAM_HEAD, chunk("你", "stop"), usage % text.encode(), DONE]
    try:
        deltas = await deltas_of(*answer)
    except EngineFailed:
        return  # such an event is no JSON
    assert not any(isinstance(delta, UsageDelta) for delta in deltas)


@pytest.mark.parametrize("reasoning", [9, 10**30])
async def test_no_more_is_reasoning_than_was_counted(reasoning: int) -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": reasoning}}
    usage = {"prompt_tokens": 7, "completion_tokens": 2, **details}
    deltas = await deltas_of(STREAM_HEAD, chunk("你", "stop", usage), DONE)
    (count,) = [delta for delta in deltas if isinstance(delta, UsageDelta)]
    assert count.reasoning_tokens == 2


LOUD = [
    refusal(401, json.dumps({"error": {"code": SECRET, "type": "sk-secret"}}).encode()),
    refusal(400, json.dumps({"error": {"code": "sk-secret", "type": "hello"}}).encode()),
    refusal(400, b"[" * 60_000),
    refusal(418, b'{"error": {"code": ["sk-secret"], "type": {"sk-secret": 1}}}'),
]


@pytest.mark.parametrize("answer", LOUD)
async def test_the_words_of_a_refusal_stay_outside(answer: bytes) -> None:
    with pytest.raises(EngineFailed) as failure:
        await deltas_of(answer)
    assert SECRET not in str(failure.value)
    assert "sk-secret" not in str(failure.value)


async def test_known_words_of_a_refusal_are_told() -> None:
    body = {"error": {"code": "invalid_api_key", "type": "invalid_request_error"}}
    with pytest.raises(EngineFailed, match=r"401 \(invalid_api_key, invalid_request_error\)"):
        await deltas_of(refusal(401, json.dumps(body).encode()))


def test_a_key_that_no_header_can_hold_is_not_told() -> None:
    with pytest.raises(ValueError, match="no header can hold") as refused:
        UpstreamDeployment(url="http://127.0.0.1:1", model="m", key="sk-\nsecret")
    assert "secret" not in str(refused.value)
