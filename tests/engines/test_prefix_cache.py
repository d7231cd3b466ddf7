"""What the embedded engine has read is read again for its own account alone."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from msgspec.structs import replace

from tests.engines.conftest import SLOTS
from xinghe.core import EngineRequest, Message, Sampling, TextDelta, UsageDelta
from xinghe.engines import EngineAway
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.llamacpp.prefill import LEAST
from xinghe.engines.llamacpp.slots import Slot
from xinghe.outbound import PAUSES

pytestmark = [pytest.mark.embedded, pytest.mark.asyncio(loop_scope="module")]

SECRET = "Our offer for the northern harbour is 4711 crowns and ends in March. "
GUESS = "Our offer for the southern airport is 1234 crowns and ends in April. "


async def job_of(engine: LlamaCppEngine, account: int | None, *texts: str) -> EngineRequest:
    roles = ("user", "assistant") * len(texts)
    messages = [Message(role, text) for role, text in zip(roles, texts, strict=False)]
    prompt = await engine.prepare(messages)
    return EngineRequest("as-0", prompt, Sampling(temperature=0.0), 1, account=account)


async def cached(engine: LlamaCppEngine, account: int | None, *texts: str) -> int:
    """How many prompt tokens were not read again."""
    request = await job_of(engine, account, *texts)
    async with aclosing(engine.generate(request)) as batches:
        deltas = [delta async for batch in batches for delta in batch.deltas]
    (usage,) = [delta for delta in deltas if isinstance(delta, UsageDelta)]
    return usage.cached_tokens


async def test_a_right_guess_tells_no_more_than_a_wrong_one(engine: LlamaCppEngine) -> None:
    assert await cached(engine, 10, SECRET) == 0
    assert [await cached(engine, 11, SECRET), await cached(engine, 12, GUESS)] == [0, 0]
    # And so in every slot, whoever had it before.
    assert [await cached(engine, account, SECRET) for account in range(20, 20 + SLOTS)] == [0, 0]


async def test_a_second_turn_is_read_from_where_it_goes_on(engine: LlamaCppEngine) -> None:
    first = await job_of(engine, 30, SECRET)
    await cached(engine, 30, SECRET)
    await cached(engine, 31, GUESS)
    second = await cached(engine, 30, SECRET, "Noted.", "And then?")
    assert second >= first.prompt.tokens - 5  # all but the assistant's turn
    third = await cached(engine, 30, SECRET, "Noted.", "And then?", "Spring.", "Sure?")
    assert third > second


async def test_a_second_turn_reads_neither_question_nor_answer_again(
    engine: LlamaCppEngine,
) -> None:
    request = await job_of(engine, 33, SECRET * 6)
    request = replace(request, max_tokens=30)
    text, written = "", 0
    async with aclosing(engine.generate(request)) as batches:
        async for batch in batches:
            for delta in batch.deltas:
                if isinstance(delta, TextDelta):
                    text, written = text + delta.text, written + delta.tokens
    assert request.prompt.tokens > 2 * LEAST, "it is read in pieces"
    assert await cached(engine, 33, SECRET * 6, text, "And?") >= request.prompt.tokens + written - 5


async def test_two_conversations_of_one_account_do_not_push_each_other_out(
    engine: LlamaCppEngine,
) -> None:
    for text in (SECRET * 2, GUESS * 2):
        await cached(engine, 40, text)
    for text in (SECRET * 2, GUESS * 2):
        whole = (await job_of(engine, 40, text)).prompt.tokens
        assert await cached(engine, 40, text, "Noted.", "And then?") >= whole - 5


async def test_who_names_no_account_continues_nothing(engine: LlamaCppEngine) -> None:
    await cached(engine, None, SECRET)
    assert await cached(engine, None, SECRET) == 0


async def test_a_request_that_left_before_its_turn_inherits_nothing(
    engine: LlamaCppEngine,
) -> None:
    """The child may never have taken it up, and still holds what another account asked."""
    for first, delay in ((60, 0.0), (80, 0.02)):  # its own secret an account may find again
        for account in range(50, 50 + SLOTS):
            await cached(engine, account, SECRET)
        for account in range(first, first + SLOTS):
            leaving = asyncio.create_task(cached(engine, account, "x"))
            await asyncio.sleep(delay)
            leaving.cancel()
            await asyncio.wait({leaving})
        found = [await cached(engine, account, SECRET) for account in range(first, first + SLOTS)]
        frame = (await job_of(engine, 1, "")).prompt.tokens
        assert max(found) <= frame


async def test_at_once_and_more_than_there_are_slots(engine: LlamaCppEngine) -> None:
    accounts = range(70, 70 + 2 * SLOTS)
    found = await asyncio.gather(*(cached(engine, account, SECRET) for account in accounts))
    assert set(found) == {0}


async def test_what_is_half_read_when_the_child_goes_goes_on_in_no_other(
    engine: LlamaCppEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slots of the next child are others'."""
    complete, pieces = engine._complete, []

    async def complete_and_go(slot: Slot, prompt: list[int]) -> object:
        pieces.append(len(prompt))
        read = await complete(slot, prompt)
        address, key, special = engine._address, engine._key, engine._prompts._special
        engine.locate(None)
        engine.locate(address, key, special)
        return read

    monkeypatch.setattr(engine, "_complete", complete_and_go)
    with pytest.raises(EngineAway):
        await cached(engine, 80, SECRET * 40)
    assert len(pieces) == 1 + len(PAUSES), "each time it begins anew"


async def test_a_new_child_is_trusted_with_nothing(engine: LlamaCppEngine) -> None:
    await cached(engine, 1, SECRET)
    address, key = engine._address, engine._key
    engine.locate(None)
    engine.locate(address, key)
    # It is the old child still, which holds the prompt: what the gateway knew of it is void.
    assert await cached(engine, 1, SECRET) == 0
