"""Retries, and what a deployment without room or without an engine says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from tests.engines.tape import HANG, RESET, STREAM_HEAD, Step, Tape, chunk, playing, refusal
from tests.kit.server import free_port
from xinghe.catalog import LlamaCppDeployment, UpstreamDeployment
from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    GenerationJob,
    Message,
    PrefillDelta,
    Sampling,
    TextDelta,
)
from xinghe.dispatch.dispatcher import (
    RETRY_DELAYS,
    ClusterFull,
    Dispatcher,
    DispatchFailed,
    Station,
)
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.upstream import UpstreamEngine

HELLO = (Message("user", "你好"),)
GOOD: list[Step] = [STREAM_HEAD, chunk("好", "stop"), b"data: [DONE]\n\n"]
ANSWER = [PrefillDelta(), TextDelta("好"), FinishDelta(FinishReason.NORMAL)]


@asynccontextmanager
async def station_at(url: str, **fields: Any) -> AsyncIterator[tuple[Dispatcher, Station]]:
    deployment = UpstreamDeployment(url=url, model="m", **fields)
    station = Station("up", deployment, UpstreamEngine("up", deployment))
    dispatcher = Dispatcher({"up": station})
    try:
        yield dispatcher, station
    finally:
        await dispatcher.aclose()


async def ask(dispatcher: Dispatcher, station: Station) -> list[Delta]:
    prompt = await dispatcher.prepare(station, HELLO)
    job = GenerationJob("as-0123456789", prompt, Sampling(), 16)
    async with aclosing(dispatcher.run(station, job)) as batches:
        return [delta async for batch in batches for delta in batch.deltas]


async def answer_of(*answers: Sequence[Step]) -> tuple[Tape, list[Delta]]:
    async with playing(*answers) as tape, station_at(tape.url) as (dispatcher, station):
        return tape, await ask(dispatcher, station)


@pytest.mark.parametrize("first", [[refusal(500, b"")], [refusal(502, b"")], []])
async def test_engine_that_has_not_begun_is_tried_again(first: list[Step]) -> None:
    tape, deltas = await answer_of(first, GOOD)
    assert deltas == ANSWER
    assert len(tape.requests) == 2
    assert tape.requests[0] == tape.requests[1]


@pytest.mark.parametrize(
    "broken",
    [
        [STREAM_HEAD],
        [STREAM_HEAD, chunk("一"), 0.05, RESET],
        [STREAM_HEAD, b"data: {\n\n"],
        [refusal(400, b"")],
    ],
    ids=["began and ended", "reset after a delta", "garbage", "refused"],
)
async def test_engine_that_began_or_refused_is_not_tried_again(broken: list[Step]) -> None:
    async with playing(broken, GOOD) as tape, station_at(tape.url) as (dispatcher, station):
        with pytest.raises(DispatchFailed):
            await ask(dispatcher, station)
        assert len(tape.requests) == 1
        assert await ask(dispatcher, station) == ANSWER  # the slot is free again


async def test_retries_come_to_an_end() -> None:
    async with (
        playing([refusal(500, b"")]) as tape,
        station_at(tape.url, slots=1, queue=0) as (dispatcher, station),
    ):
        began = time.monotonic()
        with pytest.raises(DispatchFailed):
            await ask(dispatcher, station)
        assert time.monotonic() - began >= sum(RETRY_DELAYS)
        assert len(tape.requests) == 1 + len(RETRY_DELAYS)


async def test_engine_that_comes_back_in_time_serves() -> None:
    port = free_port()
    async with station_at(f"http://127.0.0.1:{port}/v1") as (dispatcher, station):
        asking = asyncio.create_task(ask(dispatcher, station))
        await asyncio.sleep(0.5)
        assert not asking.done()
        server = await asyncio.start_server(Tape(GOOD).play, "127.0.0.1", port)
        async with server:
            assert await asking == ANSWER


async def test_embedded_engine_that_never_comes_back() -> None:
    deployment = LlamaCppDeployment(slots=1, context=2048)
    station = Station("e", deployment, LlamaCppEngine("e/m", deployment))
    with pytest.raises(DispatchFailed):
        await Dispatcher({"e": station}).prepare(station, HELLO)


@pytest.mark.parametrize(("headers", "advice"), [(["Retry-After: 7"], 7.0), ([], 1.0)])
async def test_busy_engine_is_passed_on(headers: list[str], advice: float) -> None:
    with pytest.raises(ClusterFull) as full:
        await answer_of([refusal(429, b"", *headers)])
    assert full.value.retry_after == advice


async def test_full_lane_is_told_at_once_and_empties() -> None:
    hang: list[Step] = [STREAM_HEAD, chunk("一"), HANG]
    async with (
        playing(hang, GOOD) as tape,
        station_at(tape.url, slots=1, queue=1) as (dispatcher, station),
    ):
        first = asyncio.create_task(ask(dispatcher, station))
        await asyncio.wait_for(tape.asked.wait(), 60)
        second = asyncio.create_task(ask(dispatcher, station))
        await asyncio.sleep(0.05)
        with pytest.raises(ClusterFull) as full:
            await ask(dispatcher, station)
        assert full.value.retry_after > 0
        assert len(tape.requests) == 1
        first.cancel()
        await asyncio.wait_for(tape.left.wait(), 60)  # cancelled as far as the engine
        assert await second == ANSWER
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_cancelled_while_it_waits_to_try_again() -> None:
    async with (
        playing([refusal(500, b"")], GOOD) as tape,
        station_at(tape.url, slots=1, queue=0) as (dispatcher, station),
    ):
        asking = asyncio.create_task(ask(dispatcher, station))
        await asyncio.wait_for(tape.asked.wait(), 60)
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await ask(dispatcher, station) == ANSWER


async def test_ready_says_which() -> None:
    async with playing([refusal(500, b"")]) as tape, station_at(tape.url) as (_, down):
        deployment = LlamaCppDeployment(slots=1, context=2048)
        nowhere = Station("e", deployment, LlamaCppEngine("e/m", deployment))
        closed = UpstreamDeployment(url=f"http://127.0.0.1:{free_port()}/v1", model="m")
        away = Station("a", closed, UpstreamEngine("a", closed))
        dispatcher = Dispatcher({"e": nowhere, "a": away})
        assert await dispatcher.ready() == {"e": False, "a": False}
        await dispatcher.aclose()
        assert down.name == "up"
