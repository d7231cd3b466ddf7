"""The upstream engine against every mood of a peer: which deltas, and which error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from tests.engines.tape import HANG, RESET, STREAM_HEAD, Step, chunk, event, playing, refusal
from tests.kit.script import SECRET
from tests.kit.server import free_port
from xinghe.catalog import UpstreamDeployment
from xinghe.core import (
    Delta,
    EngineRequest,
    FinishDelta,
    FinishReason,
    Message,
    PrefillDelta,
    Sampling,
    TextDelta,
    UsageDelta,
)
from xinghe.engines import EngineAway, EngineBusy, EngineFailed
from xinghe.engines.fields import UNSAFE
from xinghe.engines.upstream import UpstreamEngine

HELLO = (Message("user", "你好 world"),)
DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 7, "completion_tokens": 2}
TEXT = [chunk("你"), chunk("好")]
NORMAL = FinishDelta(FinishReason.NORMAL)
USED = UsageDelta(7, 2, 0)


@asynccontextmanager
async def engine_at(url: str, **fields: Any) -> AsyncIterator[UpstreamEngine]:
    engine = UpstreamEngine("up", UpstreamDeployment(url=url, model="m", **fields))
    try:
        yield engine
    finally:
        await engine.aclose()


async def request_for(
    engine: UpstreamEngine, sampling: Sampling | None = None, messages: Sequence[Message] = HELLO
) -> EngineRequest:
    prompt = await engine.prepare(messages)
    return EngineRequest("as-0123456789", prompt, sampling or Sampling(), max_tokens=16)


async def ask(
    engine: UpstreamEngine, sampling: Sampling | None = None, messages: Sequence[Message] = HELLO
) -> list[Delta]:
    request = await request_for(engine, sampling, messages)
    async with aclosing(engine.generate(request)) as batches:
        return [delta async for batch in batches for delta in batch.deltas]


async def deltas_of(*steps: Step, **fields: Any) -> list[Delta]:
    """What the engine makes of one answer, but for the delta that says that it began."""
    async with playing(steps) as tape, engine_at(tape.url, **fields) as engine:
        first, *rest = await ask(engine)
        assert first == PrefillDelta()
        return rest


ANSWER = b"".join([*TEXT, chunk(None, "stop"), event({"choices": [], "usage": USAGE}), DONE])
EXPECTED: list[Delta] = [TextDelta("你"), TextDelta("好"), USED, NORMAL]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, len(ANSWER)])
async def test_cuts_split_neither_characters_nor_events(size: int) -> None:
    edges = [*range(0, len(ANSWER), size), len(ANSWER)]
    reads = [ANSWER[a:b] for a, b in pairwise(edges)]
    assert await deltas_of(STREAM_HEAD, *reads) == EXPECTED


async def test_what_is_to_be_looked_through_comes_in_small_batches() -> None:
    """1,500 characters, of which each costs the safety check some microseconds."""
    read = b"".join([*[chunk("星" * 100)] * 60, chunk(None, "stop"), DONE])
    async with playing([STREAM_HEAD, read]) as tape, engine_at(tape.url) as engine:
        request = EngineRequest("as-0", await engine.prepare(HELLO), Sampling(), 1024)
        batches = [
            "".join(delta.text for delta in batch.deltas if isinstance(delta, TextDelta))
            async for batch in engine.generate(request)
        ]
    assert "".join(batches) == "星" * 6_000
    assert max(map(len, batches)) <= 1_600


async def test_events_of_one_read_come_in_one_batch() -> None:
    async with playing([STREAM_HEAD, 0.1, ANSWER]) as tape, engine_at(tape.url) as engine:
        request = EngineRequest("as-0", await engine.prepare(HELLO), Sampling(), 16)
        batches = [batch.deltas async for batch in engine.generate(request)]
    assert batches == [[PrefillDelta()], EXPECTED]


MOODS: dict[str, tuple[list[bytes], list[Delta]]] = {
    "role only first": (
        [event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]}), *TEXT, DONE],
        [*EXPECTED[:2], NORMAL],
    ),
    "null content": ([chunk(None), *TEXT, chunk(None, "stop"), DONE], [*EXPECTED[:2], NORMAL]),
    "empty choices": ([event({"choices": []}), *TEXT, DONE], [*EXPECTED[:2], NORMAL]),
    "no choices": ([event({"id": "x"}), *TEXT, DONE], [*EXPECTED[:2], NORMAL]),
    "no usage": ([*TEXT, chunk(None, "stop"), DONE], [*EXPECTED[:2], NORMAL]),
    "usage after the finish": (
        [*TEXT, chunk(None, "stop"), event({"choices": [], "usage": USAGE}), DONE],
        EXPECTED,
    ),
    "usage before the finish": (
        [*TEXT, event({"choices": [], "usage": USAGE}), chunk(None, "stop"), DONE],
        EXPECTED,
    ),
    "usage beside the finish": ([*TEXT, chunk(None, "stop", USAGE), DONE], EXPECTED),
    "no [DONE]": ([*TEXT, chunk(None, "stop", USAGE)], EXPECTED),
    "no space after data:": (
        [ANSWER.replace(b"data: ", b"data:")],
        EXPECTED,
    ),
    "length": (
        [*TEXT, chunk(None, "length"), DONE],
        [*EXPECTED[:2], FinishDelta(FinishReason.LENGTH)],
    ),
    "content filter": (
        [*TEXT, chunk(None, "content_filter"), DONE],
        [*EXPECTED[:2], UNSAFE],
    ),
    "finish reason that nobody knows": (
        [*TEXT, chunk(None, "eos"), DONE],
        [*EXPECTED[:2], NORMAL],
    ),
    "text beside the finish": ([chunk("你"), chunk("好", "stop"), DONE], [*EXPECTED[:2], NORMAL]),
    "cached tokens": (
        [
            chunk("你", "stop", USAGE | {"prompt_tokens_details": {"cached_tokens": 5}}),
            DONE,
        ],
        [TextDelta("你"), UsageDelta(7, 2, 5), NORMAL],
    ),
    "more cached than read": (
        [
            chunk("你", "stop", USAGE | {"prompt_tokens_details": {"cached_tokens": 9}}),
            DONE,
        ],
        [TextDelta("你"), UsageDelta(7, 2, 7), NORMAL],
    ),
    "null cached tokens": (
        [
            chunk("你", "stop", USAGE | {"prompt_tokens_details": {"cached_tokens": None}}),
            DONE,
        ],
        [TextDelta("你"), USED, NORMAL],
    ),
    "fields that nobody asked for": (
        [event({"choices": [{"delta": {"content": "你", "x": [1]}, "y": {}}], "z": 1}), DONE],
        [TextDelta("你"), NORMAL],
    ),
}


@pytest.mark.parametrize(("events", "expected"), MOODS.values(), ids=MOODS)
async def test_moods(events: list[bytes], expected: list[Delta]) -> None:
    assert await deltas_of(STREAM_HEAD, *events) == expected


BROKEN: dict[str, list[Step]] = {
    "ends before its finish reason": [STREAM_HEAD, *TEXT],
    "ends at once": [STREAM_HEAD],
    "reset midstream": [STREAM_HEAD, *TEXT, 0.1, RESET],
    "garbage": [STREAM_HEAD, *TEXT, b"data: {" + SECRET.encode() + b"\n\n"],
    "not UTF-8": [STREAM_HEAD, b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n', DONE],
    "wrong types": [STREAM_HEAD, event({"choices": 3})],
    "error event": [STREAM_HEAD, *TEXT, event({"error": {"message": SECRET}}), DONE],
    "400": [refusal(400, SECRET.encode())],
    "401": [refusal(401, SECRET.encode())],
    "404": [refusal(404, SECRET.encode())],
    "redirect to nowhere": [refusal(302, b"")],
}


@pytest.mark.parametrize("steps", BROKEN.values(), ids=BROKEN)
async def test_broken_answer_is_a_failure(steps: list[Step]) -> None:
    with pytest.raises(EngineFailed):
        await deltas_of(*steps)


@pytest.mark.parametrize("status", [201, 203])
async def test_some_answer_with_another_status(status: int) -> None:
    """Some frameworks call whatever a POST brings "created"."""
    head = STREAM_HEAD.replace(b"200 OK", b"%d Yes" % status)
    assert await deltas_of(head, ANSWER) == EXPECTED


@pytest.mark.parametrize("status", [202, 204, 206])
async def test_any_other_status_is_no_answer(status: int) -> None:
    """The log then tells the status, not that a stream ended before its time."""
    with pytest.raises(EngineFailed, match=f"^it answered {status}$"):
        await deltas_of(refusal(status, b"" if status == 204 else ANSWER))


@pytest.mark.parametrize("status", [408, 500, 502, 504])
async def test_server_error_before_the_start_may_be_tried_again(status: int) -> None:
    with pytest.raises(EngineAway, match=str(status)):
        await deltas_of(refusal(status, SECRET.encode()))


@pytest.mark.parametrize(
    ("header", "advice"),
    [("Retry-After: 7", 7.0), ("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", None), ("X: y", None)],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_full_upstream_gives_its_own_advice(
    status: int, header: str, advice: float | None
) -> None:
    with pytest.raises(EngineBusy) as busy:
        await deltas_of(refusal(status, b"", header))
    assert busy.value.retry_after == advice


@pytest.mark.parametrize("advice", ["nan", "inf", "-3", "1e400"])
async def test_absurd_advice_is_none(advice: str) -> None:
    with pytest.raises(EngineBusy) as busy:
        await deltas_of(refusal(429, b"", f"Retry-After: {advice}"))
    assert busy.value.retry_after in (None, 0.0)


async def test_endless_refusal_is_not_read_to_its_end() -> None:
    head = b"HTTP/1.1 400 No\r\nConnection: close\r\n\r\n"
    async with playing([head, SECRET.encode() * 100, HANG]) as tape:
        async with engine_at(tape.url) as engine:
            with pytest.raises(EngineFailed):
                await asyncio.wait_for(ask(engine), 60)
        await asyncio.wait_for(tape.left.wait(), 60)


async def test_silence_is_a_failure() -> None:
    with pytest.raises(EngineFailed):
        await deltas_of(STREAM_HEAD, *TEXT, HANG, silence_timeout=0.3)


async def test_port_that_nobody_holds_may_be_tried_again() -> None:
    async with engine_at(f"http://127.0.0.1:{free_port()}/v1") as engine:
        with pytest.raises(EngineAway):
            await ask(engine)
        assert not await engine.ready()


@pytest.mark.parametrize("steps", [[], [0.05, RESET]], ids=["closed", "reset"])
async def test_connection_that_ends_before_the_answer_may_be_tried_again(
    steps: list[Step],
) -> None:
    """An idle connection that the upstream closes just then looks like this."""
    with pytest.raises(EngineAway):
        await deltas_of(*steps)


async def test_closing_the_stream_cancels_the_work() -> None:
    async with playing([STREAM_HEAD, *TEXT, HANG]) as tape, engine_at(tape.url) as engine:
        request = EngineRequest("as-0", await engine.prepare(HELLO), Sampling(), 16)
        async with aclosing(engine.generate(request)) as batches:
            async for batch in batches:
                if TextDelta("好") in batch.deltas:
                    break
        await asyncio.wait_for(tape.left.wait(), 60)


async def test_request_says_what_was_asked() -> None:
    async with (
        playing([STREAM_HEAD, ANSWER]) as tape,
        engine_at(tape.url + "/", key="sk-1", repeat_penalty=1.5) as engine,
    ):
        await ask(engine, Sampling(temperature=0.0, top_p=0.5, penalty_score=1.2, seed=3))
    assert tape.requests == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "你好 world"}],
            "max_tokens": 16,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.0,
            "top_p": 0.5,
            "seed": 3,
            "repetition_penalty": pytest.approx(1.8),
        }
    ]
    assert tape.heads[0].startswith(b"POST /v1/chat/completions ")
    assert b"Authorization: Bearer sk-1\r\n" in tape.heads[0]


async def test_key_comes_from_the_named_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "sk-2")
    async with playing([STREAM_HEAD, ANSWER]) as tape:
        async with engine_at(tape.url, key_env="UPSTREAM_KEY") as engine:
            await ask(engine)
        async with engine_at(tape.url) as engine:
            await ask(engine)
    assert b"Authorization: Bearer sk-2\r\n" in tape.heads[0]
    assert b"Authorization" not in tape.heads[1]


async def test_prompt_is_estimated_and_bounded() -> None:
    async with engine_at("http://h") as engine:
        prompt = await engine.prepare(HELLO)
        named = await engine.prepare([Message("user", "你好 world", name="n" * 100)])
    assert not prompt.exact
    # 2 characters + 1.3 words, and the template's part for one message and the answer.
    assert prompt.tokens == 4 + 16
    assert prompt.bound == len("你好 world".encode()) + 16
    # A name is read by the model as well.
    assert named.bound == prompt.bound + 100


async def test_an_answer_without_its_end_mark_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinghe.engines.upstream.USAGE_TIMEOUT", 0.2)
    deltas = await deltas_of(STREAM_HEAD, *TEXT, chunk(finish="stop"), HANG, silence_timeout=30)
    assert deltas[-1] == FinishDelta(FinishReason.NORMAL)


async def test_a_pause_behind_a_reason_beside_a_text_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some gateways say "stop" on every chunk."""
    monkeypatch.setattr("xinghe.engines.upstream.USAGE_TIMEOUT", 0.1)
    deltas = await deltas_of(STREAM_HEAD, chunk("你", "stop"), 0.5, chunk("好", "stop"), DONE)
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["你", "好"]


async def test_an_error_behind_the_end_destroys_nothing() -> None:
    told = event({"error": {"message": "usage is not available"}})
    deltas = await deltas_of(STREAM_HEAD, *TEXT, chunk(finish="stop"), told, DONE)
    assert deltas[-1] == FinishDelta(FinishReason.NORMAL)


@pytest.mark.parametrize("reason", [1, 0, True, {"reason": "stop"}, ["stop"]])
async def test_a_finish_reason_that_is_no_text_is_no_end_of_its_own(reason: object) -> None:
    end = event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    with pytest.raises(EngineFailed, match="finish reason"):
        await deltas_of(STREAM_HEAD, *TEXT, end, DONE)


@pytest.mark.parametrize(
    "fields",
    [
        '"logprobs":{"content":[{"token":"NaN","logprob":NaN,"top":[-Infinity,Infinity]}]}',
        '"note":"\\\\ud83d is no half, \\ud83d\\ude00 is whole, \\" NaN","x":NaN',
    ],
)
async def test_nan_in_one_field_costs_no_other(fields: str) -> None:
    """Python's servers write it."""
    said = f'data: {{"choices":[{{"delta":{{"content":"好"}},{fields}}}]}}\n\n'.encode()
    deltas = await deltas_of(STREAM_HEAD, said, chunk(finish="stop"), DONE)
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["好"]


async def test_thoughts_inside_of_thoughts_cost_little() -> None:
    nested: object = "深"
    for _ in range(100):
        nested = [{"type": "thinking", "thinking": nested, "text": "x" * 2500}]
    body = event({"choices": [{"index": 0, "delta": {"content": nested}}]})
    async with asyncio.timeout(5):
        deltas = await deltas_of(STREAM_HEAD, body, chunk("答", "stop"), DONE)
    assert deltas[-1] == FinishDelta(FinishReason.NORMAL)


@pytest.mark.parametrize("usage", [{}, {"total_tokens": 50}, {"prompt_tokens": 0}])
async def test_partial_usage_is_none(usage: dict[str, int]) -> None:
    """Our own count stands: the answer is not free."""
    end = event({"choices": [], "usage": usage})
    deltas = await deltas_of(STREAM_HEAD, *TEXT, chunk(finish="stop"), end, b"data: [DONE]\n\n")
    assert not any(isinstance(delta, UsageDelta) for delta in deltas)
