"""The engine as the service holds it: a worker process behind the protocol."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from tests.kit.pace import allowed
from xinghe.core import ACCOUNT, Busy
from xinghe.images.preview import PreviewEngine
from xinghe.images.protocol import ImageEngine, ImageEngineAway, ImageEngineFailed, ImageParams
from xinghe_preview.vocabulary import vocabulary

SIZES = [
    (768, 768), (1024, 1024), (1536, 1536), (2048, 2048), (1024, 768), (2048, 1536), (768, 1024),
    (1536, 2048), (576, 1024), (1152, 2048), (1024, 576), (2048, 1152),
]  # fmt: skip
"""Section 4.2.2."""


@pytest.fixture
async def engine() -> AsyncIterator[PreviewEngine]:
    engine = PreviewEngine(queue=2)
    yield engine
    await engine.aclose()


def asked(
    prompt: str,
    *,
    size: tuple[int, int] = (320, 320),
    style: str = "Base",
    seed: int = 7,
    n: int = 1,
) -> ImageParams:
    return ImageParams(prompt, "", *size, 20, "Euler a", style, seed, 5.0, n)


def unheard(done: int) -> None:
    pass


async def test_it_paints_every_documented_size(engine: ImageEngine) -> None:
    for size in SIZES:
        (png,) = await engine.generate(asked("三只白猫, 红帽子, 海边", size=size), unheard)
        image = Image.open(io.BytesIO(png))
        image.load()
        assert (image.format, image.size, image.mode) == ("PNG", size, "RGB")


async def test_the_same_request_gives_the_same_bytes_from_another_process(
    engine: PreviewEngine,
) -> None:
    request = asked("一只黑猫, 蓝帽子", style="Analog Film", size=(576, 1024))
    first = await engine.generate(request, unheard)
    other = PreviewEngine()
    try:
        assert await other.generate(request, unheard) == first
        assert other.pid != engine.pid
    finally:
        await other.aclose()


async def test_image_i_has_the_seed_plus_i_and_the_last_seed_wraps(engine: ImageEngine) -> None:
    three = await engine.generate(asked("a dog", seed=4294967294, n=3), unheard)
    single = [
        await engine.generate(asked("a dog", seed=seed), unheard)
        for seed in (4294967294, 4294967295, 0)
    ]
    assert three == [png for (png,) in single]
    assert len(set(three)) == 3


async def test_progress_begins_at_0_never_falls_and_ends_with_all_steps(
    engine: ImageEngine,
) -> None:
    told: list[int] = []
    request = asked("a dog and a cat", n=2)
    await engine.generate(request, told.append)
    assert told[0] == 0
    assert told == sorted(told)
    assert told[-1] == request.total_steps


async def test_one_that_leaves_ends_the_work_within_a_stage(engine: ImageEngine) -> None:
    begun = asyncio.Event()
    long = asked("十二只猫, 海边", size=(2048, 2048), style="Neonpunk", n=4)
    task = asyncio.create_task(engine.generate(long, lambda done: begun.set()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    started = time.monotonic()
    await engine.generate(asked("a dog"), unheard)
    whole = await _seconds(engine, asked("十二只猫, 海边", size=(2048, 2048), style="Neonpunk"))
    assert time.monotonic() - started - whole < allowed(whole * 2), (
        "three more images were not painted"
    )


async def _seconds(engine: ImageEngine, request: object) -> float:
    started = time.monotonic()
    await engine.generate(request, unheard)  # type: ignore[arg-type]
    return time.monotonic() - started


async def test_more_than_the_queue_are_turned_away_with_a_time(engine: ImageEngine) -> None:
    async def generate(account: str) -> list[bytes]:
        ACCOUNT.set(account)
        return await engine.generate(asked("a cat", size=(1024, 1024)), unheard)

    calls = [asyncio.create_task(generate(account)) for account in "abababab"]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Busy)]
    assert len(refused) == 5
    assert all(busy.retry_after >= 1 for busy in refused)
    assert sum(isinstance(answer, list) for answer in answers) == 3, "one is served, two wait"


async def test_a_worker_that_does_not_start_is_nobody_there(
    engine: PreviewEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert await engine.ready()
    with pytest.raises(ImageEngineAway):
        await engine.generate(asked("a cat"), unheard)
    assert not await engine.ready()


async def test_one_account_leaves_room_and_turns_to_others() -> None:
    engine = PreviewEngine(queue=8)
    done: list[str] = []

    async def generate(account: str) -> None:
        ACCOUNT.set(account)
        await engine.generate(asked("a cat", size=(768, 768)), unheard)
        done.append(account)

    calls = [asyncio.create_task(generate("a")) for _ in range(12)]
    await asyncio.sleep(0)
    calls += [asyncio.create_task(generate(account)) for account in "bc"]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [end for end in ends if end is not None and not isinstance(end, Busy)] == []
    assert done == ["a", "a", "b", "c", "a", "a", "a"]
    await engine.aclose()


async def test_the_event_loop_goes_on_while_it_paints(engine: ImageEngine) -> None:
    await engine.generate(asked("a dog"), unheard)
    task = asyncio.create_task(
        engine.generate(asked("a cat", size=(2048, 2048), style="Origami"), unheard)
    )
    ticks = 0
    while not task.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 10


async def test_it_tells_what_it_does_otherwise(engine: ImageEngine) -> None:
    assert engine.served_by == "preview/fluent-emoji"
    assert set(engine.abilities) >= {"prompt", "steps", "sampler_index", "cfg_scale", "style"}
    words = vocabulary()
    known = f"{len(words.subjects)} things, {len(words.colours)} colours and {len(words.places)}"
    assert engine.abilities["prompt"].startswith(f"{known} places")
    assert await engine.ready()


async def test_closed_it_fails_and_says_nothing_of_the_prompt() -> None:
    engine = PreviewEngine()
    await engine.aclose()
    with pytest.raises(ImageEngineFailed) as failure:
        await engine.generate(asked("secret words"), unheard)
    assert "secret" not in str(failure.value)
