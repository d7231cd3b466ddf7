"""What the real recogniser reads from pictures, what the small embedded model says of it, and what
becomes of the recogniser's process."""

from __future__ import annotations

import asyncio
import os
import signal
import unicodedata
from collections.abc import AsyncIterator
from contextlib import aclosing

import psutil
import pytest
import pytest_asyncio
from PIL import Image

from tests.engines.conftest import engine
from tests.pictures.render import encoded, sheet, written
from tests.pictures.texts import SHEETS
from xinghe.core import EngineRequest, Message, Picture, Sampling, TextDelta
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.pictures import (
    FETCHED,
    Description,
    PictureReader,
    open_picture,
    without_pictures,
)
from xinghe.settings import Pictures

__all__ = ["engine"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "图片里写了什么?"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader() -> AsyncIterator[PictureReader]:
    running = PictureReader(Pictures(read_timeout=300.0))  # the machine may be busy
    yield running
    pid = running.pid
    await running.aclose()
    assert pid is not None
    assert not psutil.pid_exists(pid)


def opened(image: Image.Image, form: str = "PNG", **options: object) -> Picture:
    return open_picture(encoded(image, form, **options), FETCHED)


def plain(text: str) -> str:
    return text.replace(" ", "")


def folded(text: str) -> str:
    """Without blanks, and without the width of punctuation."""
    return plain(unicodedata.normalize("NFKC", text))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def described(reader: PictureReader) -> list[tuple[Picture, Description]]:
    """Each of `SHEETS`, and what is read from it."""
    pictures = [open_picture(sheet(one), FETCHED) for one in SHEETS]
    return [(picture, await reader.describe(picture)) for picture in pictures]


async def test_ten_sheets(described: list[tuple[Picture, Description]]) -> None:
    for one, (_, seen) in zip(SHEETS, described, strict=True):
        assert (seen.width, seen.height) == one.size
        assert list(map(plain, seen.lines)) == list(map(plain, one.lines))
        assert seen.colours
        assert seen.readable


async def said_of(engine: LlamaCppEngine, messages: list[Message]) -> str:
    prompt = await engine.prepare(messages)
    job = EngineRequest("as-0123456789", prompt, Sampling(temperature=0.0), 128)
    async with aclosing(engine.generate(job)) as batches:
        deltas = [delta async for batch in batches for delta in batch.deltas]
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    return folded(text)


@pytest.mark.embedded
async def test_the_text_of_nine_pictures_in_ten_stands_in_the_answer(
    engine: LlamaCppEngine,
    described: list[tuple[Picture, Description]],
) -> None:
    missed: list[str] = []
    for one, (picture, seen) in zip(SHEETS, described, strict=True):
        question = Message("user", QUESTION, parts=(picture, QUESTION))
        said = await said_of(engine, without_pictures([question], {picture: seen}))
        if not all(folded(line) in said for line in one.lines):
            missed.append(said)
    assert len(missed) <= 1, missed


async def test_two_columns(reader: PictureReader) -> None:
    left, right = ["春眠不觉晓", "处处闻啼鸟"], ["夜来风雨声", "花落知多少"]
    lines = [(40, 40 + 60 * n, text * 2) for n, text in enumerate(left)]
    lines += [(600, 40 + 60 * n, text * 2) for n, text in enumerate(right)]
    seen = await reader.describe(opened(written(lines, (1100, 240))))
    assert list(seen.lines) == [text * 2 for text in left + right]


async def test_a_long_screenshot(reader: PictureReader) -> None:
    count = 40
    lines = [(60, 40 + 60 * n, f"第{n}行甲乙") for n in range(count)]
    seen = await reader.describe(opened(written(lines, (600, 2500), letter=34)))
    assert list(map(plain, seen.lines)) == [f"第{n}行甲乙" for n in range(count)]


async def test_a_picture_taken_with_the_camera_turned(reader: PictureReader) -> None:
    image = written([(30, 40, "欢迎来到北京")], (500, 150)).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = opened(image, "JPEG", exif=exif.tobytes())
    seen = await reader.describe(picture)
    assert (seen.width, seen.height, seen.lines) == (500, 150, ("欢迎来到北京",))


async def test_the_text_is_bounded(reader: PictureReader) -> None:
    picture = open_picture(sheet(SHEETS[9]), FETCHED)
    seen = await reader.describe(picture, max_characters=7)
    assert (seen.lines, seen.cut) == (("春眠不觉晓", "处处"), True)
    seen = await reader.describe(picture, max_characters=20)
    assert (len(seen.lines), seen.cut) == (4, False)
    assert (await reader.describe(picture, max_characters=0)).lines == ()


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3), (40, 9), (3000, 10)])
async def test_no_text_in_it(size: tuple[int, int], reader: PictureReader) -> None:
    seen = await reader.describe(opened(Image.new("RGB", size, "blue")))
    assert seen == Description(*size, colours=("蓝色",))


async def test_a_damaged_file_is_told_and_hurts_nobody(reader: PictureReader) -> None:
    data = bytearray(encoded(Image.effect_noise((300, 200), 90)))
    data[41:43] = b"\xff\xff"  # where its compressed data begins
    at_work = reader.pid
    picture = Picture(bytes(data), "image/png", 300, 200)
    assert await reader.describe(picture) == Description(300, 200, readable=False)
    assert reader.pid == at_work


async def test_a_dead_process_is_started_again(reader: PictureReader) -> None:
    await reader.describe(opened(Image.new("RGB", (9, 9), "red")))
    first = reader.pid
    assert first is not None
    child = psutil.Process(first)
    assert child.nice() == 10
    os.kill(first, signal.SIGKILL)
    seen = await reader.describe(opened(written([(20, 20, "出口")], (200, 100))))
    if not seen.readable:  # it was given to the child before its death was known
        seen = await reader.describe(opened(written([(20, 20, "出口")], (200, 100))))
    assert seen.lines == ("出口",)
    assert reader.pid not in {None, first}


async def test_a_picture_is_read_once(reader: PictureReader) -> None:
    picture = open_picture(sheet(SHEETS[0]), FETCHED)
    first = await reader.describe(picture)
    assert reader.pid is not None
    before = sum(psutil.Process(reader.pid).cpu_times()[:2])
    again = await asyncio.gather(*(reader.describe(picture) for _ in range(20)))
    assert again == [first] * 20
    assert sum(psutil.Process(reader.pid).cpu_times()[:2]) - before < 0.3


async def test_what_takes_too_long_is_told() -> None:
    reader = PictureReader(Pictures(read_timeout=0.05))
    picture = open_picture(sheet(SHEETS[0]), FETCHED)
    try:
        assert await reader.describe(picture) == Description(*SHEETS[0].size, readable=False)
    finally:
        await reader.aclose()
