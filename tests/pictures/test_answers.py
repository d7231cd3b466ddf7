"""Asked what a picture says, the small embedded model says it."""

from __future__ import annotations

import unicodedata
from contextlib import aclosing

import pytest

from tests.engines.conftest import engine
from tests.pictures.render import sheet
from tests.pictures.texts import SHEETS
from xinghe.core import EngineRequest, Message, Sampling, TextDelta
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.pictures import FETCHED, PictureReader, open_picture, without_pictures
from xinghe.settings import Pictures

__all__ = ["engine"]

pytestmark = [pytest.mark.embedded, pytest.mark.asyncio(loop_scope="module")]

QUESTION = "图片里写了什么?"


def plain(text: str) -> str:
    """Without blanks, and without the width of punctuation."""
    return unicodedata.normalize("NFKC", text).replace(" ", "")


async def answer(engine: LlamaCppEngine, messages: list[Message]) -> str:
    prompt = await engine.prepare(messages)
    job = EngineRequest("as-0123456789", prompt, Sampling(temperature=0.0), 128)
    async with aclosing(engine.generate(job)) as batches:
        deltas = [delta async for batch in batches for delta in batch.deltas]
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


async def test_the_text_of_nine_pictures_in_ten_stands_in_the_answer(
    engine: LlamaCppEngine,
) -> None:
    reader = PictureReader(Pictures())
    missed: list[str] = []
    try:
        for one in SHEETS:
            picture = open_picture(sheet(one), FETCHED)
            described = {picture: await reader.describe(picture)}
            question = Message("user", QUESTION, parts=(picture, QUESTION))
            said = await answer(engine, without_pictures([question], described))
            if not all(plain(line) in plain(said) for line in one.lines):
                missed.append(said)
    finally:
        await reader.aclose()
    assert len(missed) <= 1, missed
