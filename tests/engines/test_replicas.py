"""A chat engine over several servers: what is tried elsewhere, and from when on nothing is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress

import pytest
from prometheus_client import REGISTRY

from tests.engines.tape import HANG, RESET, STREAM_HEAD, Step, Tape, chunk, event, playing, refusal
from tests.kit.server import free_port
from xinghe.catalog import UpstreamDeployment
from xinghe.catalog.replicas import Key
from xinghe.core import (
    Delta,
    EngineRequest,
    FinishDelta,
    FinishReason,
    Message,
    PrefillDelta,
    Sampling,
    TextDelta,
)
from xinghe.engines import EngineAway, EngineBusy, EngineFailed, EngineInterrupted, PromptTooLong
from xinghe.engines.heads import head_of
from xinghe.engines.upstream import UpstreamEngine

GOOD: list[Step] = [STREAM_HEAD, chunk("好", "stop"), b"data: [DONE]\n\n"]
ANSWER = [PrefillDelta(), TextDelta("好"), FinishDelta(FinishReason.NORMAL)]
TOO_LONG = b'{"error":{"code":"context_length_exceeded"}}'


@asynccontextmanager
async def engine_over(
    *answers: Sequence[Sequence[Step]], keys: tuple[Key, ...] = ()
) -> AsyncIterator[tuple[UpstreamEngine, list[Tape]]]:
    """An engine over a tape for each of these, which are asked in this order."""
    async with AsyncExitStack() as stack:
        tapes = [await stack.enter_async_context(playing(*each)) for each in answers]
        spec = UpstreamDeployment(urls=tuple(tape.url for tape in tapes), model="m", keys=keys)
        engine = UpstreamEngine("up", spec)
        stack.push_async_callback(engine.aclose)
        yield engine, tapes


async def ask(engine: UpstreamEngine, *said: Message, whole: bool = False) -> list[Delta]:
    prompt = await engine.prepare(said or (Message("user", "你好"),))
    request = EngineRequest("as-0123456789", prompt, Sampling(), 16, whole=whole)
    async with aclosing(engine.generate(request)) as batches:
        return [delta async for batch in batches for delta in batch.deltas]


def asked(tapes: Sequence[Tape]) -> int:
    return sum(len(tape.requests) for tape in tapes)


UNSEEN: dict[str, list[Step]] = {
    "refused": [refusal(500, b"")],
    "closed": [],
    "head alone": [STREAM_HEAD],
    "reset before a word": [STREAM_HEAD, 0.05, RESET],
    "no JSON": [STREAM_HEAD, b"data: {\n\n"],
    "a page": [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Type: text/html\r\n\r\n<html>"],
    "an error within": [STREAM_HEAD, event({"error": {"message": "CUDA out of memory"}})],
    "end without a word": [STREAM_HEAD, b"data: [DONE]\n\n"],
}


@pytest.mark.parametrize("fault", UNSEEN.values(), ids=UNSEEN)
async def test_what_nobody_has_seen_is_tried_elsewhere(fault: list[Step]) -> None:
    async with engine_over([fault], [fault], [GOOD]) as (engine, tapes):
        assert await ask(engine) == ANSWER
        assert len(tapes[2].requests) == 1
        assert max(len(tape.requests) for tape in tapes) == 1
    async with engine_over([fault], [fault]) as (engine, tapes):
        with pytest.raises((EngineFailed, EngineAway)):
            await ask(engine)
        assert [len(tape.requests) for tape in tapes] == [1, 1]


@pytest.mark.parametrize("then", [[], [0.05, RESET], [b"data: {\n\n"]], ids=repr)
async def test_what_somebody_may_have_seen_is_not(then: list[Step]) -> None:
    begun: list[Step] = [STREAM_HEAD, chunk("一"), *then]
    async with engine_over([begun], [begun]) as (engine, tapes):
        with pytest.raises(EngineFailed):
            await ask(engine)
        assert asked(tapes) == 1


BREAKS: dict[str, list[Step]] = {
    "truncated": [STREAM_HEAD, chunk("一")],
    "reset": [STREAM_HEAD, chunk("一"), 0.05, RESET],
    "no JSON": [STREAM_HEAD, chunk("一"), b"data: {\n\n"],
    "an error within": [STREAM_HEAD, chunk("一"), event({"error": {"message": "CUDA error"}})],
}


@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("number", [1, 2])
async def test_a_stream_that_breaks_off_is_a_failure_of_its_server(
    breaks: list[Step], number: int
) -> None:
    async with engine_over(*[[breaks]] * number) as (engine, tapes):

        def failures() -> float:
            return sum(
                sample.value
                for metric in REGISTRY.collect()
                for sample in metric.samples
                if sample.name == "xinghe_replica_failures_total"
                and any(sample.labels["replica"] in tape.url for tape in tapes)
            )

        before = failures()
        for at in range(3):
            with pytest.raises(EngineFailed):
                await ask(engine, Message("user", f"问题 {at}"))
        assert failures() == before + 3


async def test_one_that_breaks_everything_off_is_left_alone() -> None:
    async with engine_over([BREAKS["truncated"]], [GOOD]) as (engine, tapes):
        for number in range(30):
            with suppress(EngineFailed):
                await ask(engine, Message("user", f"问题 {number}"))
        assert 3 <= len(tapes[0].requests) <= 6, "but for a trial now and then"


@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
async def test_what_one_broke_off_another_makes(breaks: list[Step]) -> None:
    for order in (0, 1):
        answers = [[breaks], [GOOD]][:: 1 - 2 * order]
        async with engine_over(*answers) as (engine, tapes):
            for number in range(16):  # each of them is preferred for some
                said = Message("user", f"问题 {number}")
                with suppress(EngineInterrupted):
                    assert await ask(engine, said, whole=True) == ANSWER
                    continue
                assert await ask(engine, said, whole=True) == ANSWER
                assert await ask(engine, said, whole=True) == ANSWER, "and its next turn, too"
            assert tapes[order].requests


async def test_what_is_wrong_with_the_prompt_is_asked_once() -> None:
    async with engine_over([[refusal(400, TOO_LONG)]], [[refusal(400, TOO_LONG)]]) as (e, tapes):
        with pytest.raises(PromptTooLong):
            await ask(e)
        assert asked(tapes) == 1


async def test_full_ones_are_asked_once_each_and_the_client_told_when() -> None:
    full = [[refusal(429, b"", "Retry-After: 9")]]
    async with engine_over(full, full) as (engine, tapes):
        for _ in range(2):
            with pytest.raises(EngineBusy) as busy:
                await ask(engine)
            assert busy.value.retry_after == pytest.approx(9, abs=0.5)
        assert asked(tapes) == 2


async def test_refusals_within_a_stream_pass_to_the_next_key() -> None:
    owed: list[Step] = [STREAM_HEAD, event({"error": {"code": "insufficient_quota"}})]
    keys = Key(key="sk-one"), Key(key="sk-two")
    async with engine_over([owed, GOOD], keys=keys) as (engine, tapes):
        assert await ask(engine) == ANSWER
        sent = [head.split(b"Bearer ")[1].split(b"\r\n")[0] for head in tapes[0].heads]
        assert sent == [b"sk-one", b"sk-two"]


async def test_the_usage_counts_against_the_key() -> None:
    used = {"prompt_tokens": 10, "completion_tokens": 9}
    answer: list[Step] = [STREAM_HEAD, chunk("好", "stop"), chunk(usage=used), b"data: [DONE]\n\n"]
    async with engine_over([answer], keys=(Key(key="sk-one", tpm=60),)) as (engine, tapes):
        for _ in range(2):  # the third would come to more than is left
            assert (await ask(engine))[1] == TextDelta("好")
        with pytest.raises(EngineBusy) as busy:
            await ask(engine)
        assert busy.value.retry_after == pytest.approx(60, abs=3)
        assert asked(tapes) == 2


async def test_turns_of_a_conversation_go_to_one_server_and_it_is_sent_what_it_always_was() -> None:
    steady: list[Step] = [0.05, *GOOD]  # beside which it does not count what else is at work here
    async with engine_over(*[[steady]] * 4) as (engine, tapes):
        for number in range(8):
            said = [Message("user", f"问题 {number}")]
            for _ in range(3):
                await ask(engine, *said)
                said += [Message("assistant", "好"), Message("user", "然后呢")]
        for tape in tapes:
            firsts = [request["messages"][0]["content"] for request in tape.requests]
            assert all(firsts.count(first) == 3 for first in firsts)
        assert sum(bool(tape.requests) for tape in tapes) > 1


def test_a_head_is_what_does_not_change_from_turn_to_turn() -> None:
    system = {"role": "system", "content": "你是助手"}
    first = {"role": "user", "content": "一"}
    turns = [first, {"role": "assistant", "content": None}, {"role": "user", "content": "二"}]
    head = head_of({"messages": [system, first]})
    assert head == head_of({"messages": [system, *turns]})
    other = head_of({"messages": [system, {"role": "user", "content": "别的"}]})
    assert head.shared == other.shared
    assert head.conversation != other.conversation
    assert not head_of({"messages": [first]}).shared
    with_tools = head_of({"messages": [system, first], "tools": [{"type": "function"}]})
    assert with_tools.shared != head.shared


def test_heads_with_pictures_and_odd_contents() -> None:
    def of(content: object) -> bytes:
        return head_of({"messages": [{"role": "user", "content": content}]}).conversation

    def picture(url: str) -> object:
        return [{"type": "text", "text": "看"}, {"type": "image_url", "image_url": {"url": url}}]

    urls = "data:a", "data:b", "data:" + "a" * 10**6, "data:" + "a" * (10**6 + 4)
    assert len({of(picture(url)) for url in urls}) == 4
    assert of(None) == of([]) == of("")
    assert of("长" * 10**6) == of("长" * 10**6 + "短")
    assert of("\ud800")


async def test_the_prompt_of_a_whole_answer_is_owed_once_a_server_has_taken_it() -> None:
    """Not while nobody listens, and no second time where another takes it over."""
    async with playing([HANG]) as tape:
        urls = (f"http://127.0.0.1:{free_port()}/v1", tape.url)
        for way in (urls[:1], urls):
            engine = UpstreamEngine("up", UpstreamDeployment(urls=way, model="m", whole=True))
            prompt = await engine.prepare((Message("user", "a"),))
            request = EngineRequest("as-0", prompt, Sampling(), 16, whole=True, has_stand_in=True)
            async with aclosing(engine.generate(request)) as batches:
                if len(way) == 1:
                    with pytest.raises(EngineAway):
                        await anext(batches)
                else:
                    assert (await anext(batches)).deltas == [PrefillDelta()]
                    assert not tape.left.is_set()
            await engine.aclose()
        async with asyncio.timeout(5):
            await tape.left.wait()
        assert len(tape.requests) == 1
