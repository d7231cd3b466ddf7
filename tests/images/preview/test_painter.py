"""The painter as the service holds it: a worker process behind the protocol."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from tests.images.preview.asking import asked
from tests.kit.pace import allowed
from xinghe.core import ACCOUNT, Busy
from xinghe.images.preview.painter import PreviewPainter
from xinghe.images.protocol import Painter, PainterFailed

SIZES = [
    (768, 768), (1024, 1024), (1536, 1536), (2048, 2048), (1024, 768), (2048, 1536), (768, 1024),
    (1536, 2048), (576, 1024), (1152, 2048), (1024, 576), (2048, 1152),
]  # fmt: skip
"""Section 4.2.2."""


@pytest.fixture
async def painter() -> AsyncIterator[PreviewPainter]:
    painter = PreviewPainter(queue=2)
    yield painter
    await painter.aclose()


def unheard(done: int) -> None:
    pass


async def test_it_paints_every_documented_size(painter: Painter) -> None:
    for size in SIZES:
        (png,) = await painter.paint(asked("三只白猫, 红帽子, 海边", size=size), unheard)
        image = Image.open(io.BytesIO(png))
        image.load()
        assert (image.format, image.size, image.mode) == ("PNG", size, "RGB")


async def test_the_same_request_gives_the_same_bytes_from_another_process(
    painter: PreviewPainter,
) -> None:
    request = asked("一只黑猫, 蓝帽子", style="Analog Film", size=(576, 1024))
    first = await painter.paint(request, unheard)
    other = PreviewPainter()
    try:
        assert await other.paint(request, unheard) == first
        assert other.pid != painter.pid
    finally:
        await other.aclose()


async def test_image_i_has_the_seed_plus_i_and_the_last_seed_wraps(painter: Painter) -> None:
    three = await painter.paint(asked("a dog", seed=4294967294, n=3), unheard)
    single = [
        await painter.paint(asked("a dog", seed=seed), unheard)
        for seed in (4294967294, 4294967295, 0)
    ]
    assert three == [png for (png,) in single]
    assert len(set(three)) == 3


async def test_progress_begins_at_0_never_falls_and_ends_with_all_steps(painter: Painter) -> None:
    told: list[int] = []
    request = asked("a dog and a cat", n=2)
    await painter.paint(request, told.append)
    assert told[0] == 0
    assert told == sorted(told)
    assert told[-1] == request.total_steps


async def test_one_that_leaves_ends_the_work_within_a_stage(painter: Painter) -> None:
    begun = asyncio.Event()
    long = asked("十二只猫, 海边", size=(2048, 2048), style="Neonpunk", n=4)
    task = asyncio.create_task(painter.paint(long, lambda done: begun.set()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    started = time.monotonic()
    await painter.paint(asked("a dog"), unheard)
    whole = await _seconds(painter, asked("十二只猫, 海边", size=(2048, 2048), style="Neonpunk"))
    assert time.monotonic() - started - whole < allowed(whole * 2), (
        "three more images were not painted"
    )


async def _seconds(painter: Painter, request: object) -> float:
    started = time.monotonic()
    await painter.paint(request, unheard)  # type: ignore[arg-type]
    return time.monotonic() - started


async def test_more_than_the_queue_are_turned_away_with_a_time(painter: Painter) -> None:
    async def paint(account: str) -> list[bytes]:
        ACCOUNT.set(account)
        return await painter.paint(asked("a cat", size=(1024, 1024)), unheard)

    calls = [asyncio.create_task(paint(account)) for account in "abababab"]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Busy)]
    assert len(refused) == 5
    assert all(busy.retry_after >= 1 for busy in refused)
    assert sum(isinstance(answer, list) for answer in answers) == 3, "one is served, two wait"


async def test_one_account_leaves_room_and_turns_to_others() -> None:
    painter = PreviewPainter(queue=8)
    done: list[str] = []

    async def paint(account: str) -> None:
        ACCOUNT.set(account)
        await painter.paint(asked("a cat", size=(768, 768)), unheard)
        done.append(account)

    calls = [asyncio.create_task(paint("a")) for _ in range(12)]
    await asyncio.sleep(0)
    calls += [asyncio.create_task(paint(account)) for account in "bc"]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [end for end in ends if end is not None and not isinstance(end, Busy)] == []
    assert done == ["a", "a", "b", "c", "a", "a", "a"]
    await painter.aclose()


async def test_the_event_loop_goes_on_while_it_paints(painter: Painter) -> None:
    await painter.paint(asked("a dog"), unheard)
    task = asyncio.create_task(
        painter.paint(asked("a cat", size=(2048, 2048), style="Origami"), unheard)
    )
    ticks = 0
    while not task.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 10


async def test_it_tells_what_it_does_otherwise(painter: Painter) -> None:
    assert painter.served_by == "preview/fluent-emoji"
    assert set(painter.abilities) >= {"prompt", "steps", "sampler_index", "cfg_scale", "style"}
    assert await painter.ready()


async def test_closed_it_fails_and_says_nothing_of_the_prompt() -> None:
    painter = PreviewPainter()
    await painter.aclose()
    with pytest.raises(PainterFailed) as failure:
        await painter.paint(asked("secret words"), unheard)
    assert "secret" not in str(failure.value)
