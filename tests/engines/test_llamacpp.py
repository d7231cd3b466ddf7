"""The embedded engine on real weights: deltas, counts, limits, and slots that come free."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest

from tests.engines.conftest import SLOTS
from tests.kit.models import LONG_STORY
from tests.kit.pace import allowed
from xinghe.catalog import LlamaCppDeployment
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
from xinghe.engines import EngineAway
from xinghe.engines.llamacpp.engine import LlamaCppEngine

pytestmark = [pytest.mark.embedded, pytest.mark.asyncio(loop_scope="module")]

GREEDY = Sampling(temperature=0.0)
COUNT = LONG_STORY.format(number=1)


async def job_of(
    engine: LlamaCppEngine, text: str, limit: int, sampling: Sampling = GREEDY
) -> EngineRequest:
    prompt = await engine.prepare([Message("user", text)])
    return EngineRequest("as-0123456789", prompt, sampling, limit, account=1)


async def ask(
    engine: LlamaCppEngine, text: str, limit: int, sampling: Sampling = GREEDY
) -> list[Delta]:
    request = await job_of(engine, text, limit, sampling)
    async with aclosing(engine.generate(request)) as batches:
        return [delta async for batch in batches for delta in batch.deltas]


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def usage_of(deltas: list[Delta]) -> UsageDelta:
    (usage,) = [delta for delta in deltas if isinstance(delta, UsageDelta)]
    return usage


async def served_promptly(engine: LlamaCppEngine, seconds: float = 4.0) -> None:
    """All slots at once answer in time; a slot that still worked would hold one up for long."""
    async with asyncio.timeout(allowed(seconds)):
        await asyncio.gather(*(ask(engine, f"{i}?", 2) for i in range(SLOTS)))


async def test_answer_and_its_counts(engine: LlamaCppEngine) -> None:
    prompt = await engine.prepare([Message("system", "简短。"), Message("user", COUNT)])
    assert prompt.exact
    assert prompt.tokens == prompt.bound > 10
    deltas = await ask(engine, COUNT, 12)
    request = await job_of(engine, COUNT, 12)
    assert deltas[0] == PrefillDelta()
    assert deltas[-1] == FinishDelta(FinishReason.LENGTH)
    usage = usage_of(deltas)
    assert usage.prompt_tokens == request.prompt.tokens
    assert usage.completion_tokens == 12
    assert sum(delta.tokens for delta in deltas if isinstance(delta, TextDelta)) == 12


async def test_its_own_end(engine: LlamaCppEngine) -> None:
    deltas = await ask(engine, "只回答一个字:好", 64)
    assert deltas[-1] == FinishDelta(FinishReason.NORMAL)
    assert usage_of(deltas).completion_tokens < 64


async def test_greedy_and_seeded_answers_repeat(engine: LlamaCppEngine) -> None:
    assert text_of(await ask(engine, COUNT, 10)) == text_of(await ask(engine, COUNT, 10))
    seeded = Sampling(temperature=1.0, top_p=0.9, seed=7, frequency_penalty=0.5)
    # A prompt that is read anew is read in other batches, and rounds otherwise in the last digit.
    _, *again = [text_of(await ask(engine, "写一句诗。", 10, seeded)) for _ in range(3)]
    assert again[0] == again[1]


async def test_characters_of_several_bytes_are_never_split(engine: LlamaCppEngine) -> None:
    deltas = await ask(engine, "请原样重复三遍:🦄🧬𠮷龘齉🇨🇳", 80)
    text = text_of(deltas)
    assert any(ord(character) > 0x7F for character in text)
    assert "\ufffd" not in text
    assert usage_of(deltas).completion_tokens == sum(
        delta.tokens for delta in deltas if isinstance(delta, TextDelta)
    )


async def test_prompt_read_before_is_reported_as_cached(engine: LlamaCppEngine) -> None:
    text = "请记住:" + "星河大模型服务。" * 40
    first, second = await ask(engine, text, 2), await ask(engine, text, 2)
    assert usage_of(first).cached_tokens < usage_of(second).cached_tokens
    assert usage_of(second).cached_tokens < usage_of(second).prompt_tokens
    assert usage_of(second).cached_tokens > usage_of(second).prompt_tokens // 2


async def test_cancelled_while_it_generates(engine: LlamaCppEngine) -> None:
    for _ in range(SLOTS + 1):
        request = await job_of(engine, COUNT, 2000)
        async with aclosing(engine.generate(request)) as batches:
            async for batch in batches:
                if any(isinstance(delta, TextDelta) for delta in batch.deltas):
                    break
    await served_promptly(engine)


async def test_cancelled_while_it_reads_a_long_prompt(engine: LlamaCppEngine) -> None:
    for number in range(SLOTS):
        words = f"{number} " + " ".join(f"w{number}x{i}" for i in range(500))
        request = await job_of(engine, words, 8)
        assert request.prompt.tokens > 2000
        reading = asyncio.create_task(ask(engine, words, 8))
        await asyncio.sleep(0.3)
        assert not reading.done()
        reading.cancel()
        await asyncio.wait({reading})
    # The batch that is being read when the client leaves is read to its end.
    await served_promptly(engine, seconds=6)


async def test_more_streams_than_slots_all_end(engine: LlamaCppEngine) -> None:
    began = time.monotonic()
    answers = await asyncio.gather(*(ask(engine, f"{COUNT}({i})", 8) for i in range(3 * SLOTS)))
    assert all(usage_of(deltas).completion_tokens == 8 for deltas in answers)
    assert time.monotonic() - began < allowed(60)


async def test_ready_follows_the_child(
    engine: LlamaCppEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await engine.ready()
    away = LlamaCppEngine("embedded/away", LlamaCppDeployment())
    assert not await away.ready()
    monkeypatch.setattr("xinghe.engines.llamacpp.engine.START_TIMEOUT", 0.1)
    with pytest.raises(EngineAway, match="not running"):
        await away.prepare([Message("user", "x")])
    monkeypatch.setattr("xinghe.engines.llamacpp.engine.START_TIMEOUT", 600)
    waiting = asyncio.create_task(away.prepare([Message("user", "x")]))
    await asyncio.sleep(0)
    away.locate(None, broken=True)  # nobody waits any longer
    with pytest.raises(EngineAway):
        await waiting
    away.locate("http://127.0.0.1:9", "key")
    assert not await away.ready()
    await away.aclose()


@pytest.mark.embedded
async def test_a_function_s_result_reaches_the_model(engine: LlamaCppEngine) -> None:
    asked = [Message("user", "天气?"), Message("assistant", "查一下")]
    without = await engine.prepare(asked)
    answered = await engine.prepare([*asked, Message("function", "晴,二十三度", name="weather")])
    assert answered.tokens > without.tokens + 3


async def test_several_messages_of_the_assistant_at_the_end_are_one(engine: LlamaCppEngine) -> None:
    """The child goes on with one, and refuses more."""
    asked = Message("user", "天气?")
    several = await engine.prepare([asked, *(Message("assistant", text) for text in "晴多云")])
    one = await engine.prepare([asked, Message("assistant", "晴\n多\n云")])
    assert several.payload == one.payload
