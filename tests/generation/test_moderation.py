"""An answer that streams through the lexicon, the operator's lists and the model, in this order."""

from __future__ import annotations

from pathlib import Path

from tests.safety.model import BAD, serving
from xinghe.core import Delta, FinishDelta, FinishReason, TextDelta
from xinghe.generation.filter import OutputFilter
from xinghe.generation.moderation import Review
from xinghe.safety import Moderator
from xinghe.settings import SafetyUpstream

CALM = "今天天气很好。"


async def played(folder: Path, *pieces: str) -> tuple[str, FinishDelta]:
    """What is shown of an answer, and how it ends."""
    (folder / "own.txt").write_text("甲乙丙", "utf-8")
    async with serving() as model:
        moderator = Moderator(folder, builtin=False, upstream=SafetyUpstream(url=model.url))
        filtered, review = OutputFilter((), moderator.scanner), Review(moderator)
        shown: list[Delta] = []
        engine: list[Delta] = [*map(TextDelta, pieces), FinishDelta(FinishReason.STOP)]
        while not (shown and isinstance(shown[-1], FinishDelta)):
            shown += await review(filtered([engine.pop(0)]))
        review.close()
        await moderator.stop()
    *texts, end = shown
    assert isinstance(end, FinishDelta)
    return "".join(text.text for text in texts if isinstance(text, TextDelta)), end


async def test_what_the_lists_find_comes_after_what_the_model_has_cleared(tmp_path: Path) -> None:
    text, end = await played(tmp_path, CALM, "甲", "乙丙", CALM)
    assert (text, end.reason) == (CALM, FinishReason.CONTENT_FILTER)


async def test_what_the_model_finds_before_it_comes_first(tmp_path: Path) -> None:
    text, end = await played(tmp_path, CALM * 8, BAD, "甲乙丙")
    assert end.reason is FinishReason.CONTENT_FILTER
    assert BAD not in text


async def test_what_nobody_minds_is_shown_whole(tmp_path: Path) -> None:
    text, end = await played(tmp_path, *CALM * 30)
    assert (text, end.reason) == (CALM * 30, FinishReason.STOP)
