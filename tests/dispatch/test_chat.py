"""Retries, and what a spec without room or without an engine says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from tests.engines.tape import HANG, RESET, STREAM_HEAD, Step, Tape, chunk, playing, refusal
from tests.kit.server import free_port
from xinghe.catalog import LlamaCppDeployment, UpstreamDeployment
from xinghe.core import (
    Busy,
    Delta,
    EngineRequest,
    FinishDelta,
    FinishReason,
    Message,
    PrefillDelta,
    Prompt,
    Sampling,
    TextDelta,
)
from xinghe.dispatch import Away, ChatDeployment, DispatchFailed, TooLong
from xinghe.engines import Batch, EngineAway
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.upstream import UpstreamEngine
from xinghe.outbound import PAUSES

HELLO = (Message("user", "你好"),)
GOOD: list[Step] = [STREAM_HEAD, chunk("好", "stop"), b"data: [DONE]\n\n"]
ANSWER = [PrefillDelta(), TextDelta("好"), FinishDelta(FinishReason.NORMAL)]


@asynccontextmanager
async def deployment_at(url: str, **fields: Any) -> AsyncIterator[ChatDeployment]:
    spec = UpstreamDeployment(url=url, model="m", **fields)
    deployment = ChatDeployment("up", spec, UpstreamEngine("up", spec))
    try:
        yield deployment
    finally:
        await deployment.engine.aclose()


async def ask(deployment: ChatDeployment, *, has_stand_in: bool = False) -> list[Delta]:
    prompt = await deployment.prepare(HELLO)
    request = EngineRequest("as-0123456789", prompt, Sampling(), 16, has_stand_in=has_stand_in)
    async with aclosing(deployment.run(request)) as batches:
        return [delta async for batch in batches for delta in batch.deltas]


async def answer_of(*answers: Sequence[Step]) -> tuple[Tape, list[Delta]]:
    async with playing(*answers) as tape, deployment_at(tape.url) as deployment:
        return tape, await ask(deployment)


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
    async with playing(broken, GOOD) as tape, deployment_at(tape.url) as deployment:
        with pytest.raises(DispatchFailed):
            await ask(deployment)
        assert len(tape.requests) == 1
        assert await ask(deployment) == ANSWER  # the slot is free again


async def test_retries_come_to_an_end() -> None:
    async with (
        playing([refusal(500, b"")]) as tape,
        deployment_at(tape.url, slots=1, queue=0) as deployment,
    ):
        with pytest.raises(Away) as away:
            await ask(deployment)
        assert away.value.retry_after >= 1
        # On a busy machine, two that failed over a second say already that it is away.
        assert len(tape.requests) in (len(PAUSES), 1 + len(PAUSES))


async def test_one_whose_work_another_would_do_is_tried_once() -> None:
    async with playing([refusal(500, b"")]) as tape, deployment_at(tape.url) as deployment:
        with pytest.raises(Away):
            await ask(deployment, has_stand_in=True)
        assert len(tape.requests) == 1


async def test_one_that_is_known_to_fail_is_tried_once_and_serves_again_at_once() -> None:
    async with (
        playing(*[[refusal(500, b"")]] * 6, GOOD) as tape,
        deployment_at(tape.url) as deployment,
    ):
        for _ in range(2):
            with pytest.raises(Away):
                await ask(deployment)
        known = len(tape.requests)
        assert known < 6
        while len(tape.requests) < 6:
            with pytest.raises(Away) as away:
                await ask(deployment)
            known += 1
            assert len(tape.requests) == known, "one try each, and nobody is sent away untried"
            assert away.value.retry_after >= 1
        assert await ask(deployment) == ANSWER


class NowhereToTry(UpstreamEngine):
    """No server of its deployment is to be tried now."""

    tries = 0

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Batch]:
        self.tries += 1
        raise EngineAway("all servers are away", retry_after=17.0)
        yield


async def test_engine_that_is_known_to_be_away_is_not_waited_for() -> None:
    spec = UpstreamDeployment(url="http://127.0.0.1:9/v1", model="m")
    engine = NowhereToTry("up", spec)
    deployment = ChatDeployment("up", spec, engine)
    began = time.monotonic()
    with pytest.raises(Away) as away:
        await ask(deployment)
    assert away.value.retry_after == 17
    assert engine.tries == 1
    assert time.monotonic() - began < PAUSES[0]


async def test_engine_that_comes_back_in_time_serves() -> None:
    port = free_port()
    async with deployment_at(f"http://127.0.0.1:{port}/v1") as deployment:
        asking = asyncio.create_task(ask(deployment))
        await asyncio.sleep(0.5)
        assert not asking.done()
        server = await asyncio.start_server(Tape(GOOD).play, "127.0.0.1", port)
        async with server:
            assert await asking == ANSWER


async def test_embedded_engine_that_never_comes_back() -> None:
    spec = LlamaCppDeployment(slots=1, context=2048)
    deployment = ChatDeployment("e", spec, LlamaCppEngine("e/m", spec))
    with pytest.raises(DispatchFailed):
        await deployment.prepare(HELLO)


@pytest.mark.parametrize(("headers", "advice"), [(["Retry-After: 7"], 7.0), ([], 1.0)])
async def test_busy_engine_is_passed_on(headers: list[str], advice: float) -> None:
    with pytest.raises(Busy) as full:
        await answer_of([refusal(429, b"", *headers)])
    assert full.value.retry_after == advice


async def test_full_lane_is_told_at_once_and_empties() -> None:
    hang: list[Step] = [STREAM_HEAD, chunk("一"), HANG]
    async with (
        playing(hang, GOOD) as tape,
        deployment_at(tape.url, slots=1, queue=1) as deployment,
    ):
        first = asyncio.create_task(ask(deployment))
        await asyncio.wait_for(tape.asked.wait(), 60)
        second = asyncio.create_task(ask(deployment))
        await asyncio.sleep(0.05)
        with pytest.raises(Busy) as full:
            await ask(deployment)
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
        deployment_at(tape.url, slots=1, queue=0) as deployment,
    ):
        asking = asyncio.create_task(ask(deployment))
        await asyncio.wait_for(tape.asked.wait(), 60)
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await ask(deployment) == ANSWER


async def test_ready_says_which() -> None:
    async with playing([]) as tape, deployment_at(tape.url) as down:
        tape.probed = refusal(500, b"")
        spec = LlamaCppDeployment(slots=1, context=2048)
        nowhere = ChatDeployment("e", spec, LlamaCppEngine("e/m", spec))
        closed = UpstreamDeployment(url=f"http://127.0.0.1:{free_port()}/v1", model="m")
        away = ChatDeployment("a", closed, UpstreamEngine("a", closed))
        assert [await each.ready() for each in (nowhere, away, down)] == [False, False, False]
        await nowhere.aclose()
        await away.aclose()


class Listening(LlamaCppEngine):
    """Hears what it is asked, and says nothing."""

    heard: EngineRequest | None = None

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Batch]:
        self.heard = request
        for nothing in list[Batch]():
            yield nothing


async def test_an_answer_has_what_the_context_leaves() -> None:
    """What is read out of small pictures is longer than they count."""
    spec = LlamaCppDeployment(slots=1, context=1024)
    engine = Listening("embedded/small", spec)
    deployment = ChatDeployment("embedded", spec, engine)

    async def given(prompt: Prompt) -> int:
        request = EngineRequest("as-0123456789", prompt, Sampling(), 500)
        async with aclosing(deployment.run(request)) as batches:
            assert [batch async for batch in batches] == []
        assert engine.heard is not None
        return engine.heard.max_tokens

    assert await given(Prompt(300, 300, exact=True)) == 500
    assert await given(Prompt(900, 900, exact=True, ours=100)) == 24
    with pytest.raises(TooLong):
        await given(Prompt(900, 900, exact=True, ours=124))
