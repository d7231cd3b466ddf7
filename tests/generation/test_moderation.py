"""An answer that streams through the lexicon, the operator's lists and the model, in this order."""

from __future__ import annotations

from tests.safety.model import BAD, serving
from xinghe.core import Delta, FinishDelta, FinishReason, TextDelta
from xinghe.generation.filter import OutputFilter
from xinghe.generation.moderation import Review
from xinghe.safety import Moderator
from xinghe.settings import SafetyUpstream

CALM = "今天天气很好。"
LISTS = {"own.txt": "甲乙丙".encode()}


async def played(*pieces: str) -> tuple[str, FinishDelta]:
    """What is shown of an answer, and how it ends."""
    async with serving() as model:
        upstream = SafetyUpstream(url=model.url)
        moderator = Moderator(LISTS, builtin=False, upstream=upstream)
        filtered, review = OutputFilter((), moderator.scanner), Review(moderator)
        shown: list[Delta] = []
        engine: list[Delta] = [*map(TextDelta, pieces), FinishDelta(FinishReason.STOP)]
        while not (shown and isinstance(shown[-1], FinishDelta)):
            shown += await review(filtered([engine.pop(0)]))
        review.close()
        await moderator.aclose()
    *texts, end = shown
    assert isinstance(end, FinishDelta)
    return "".join(text.text for text in texts if isinstance(text, TextDelta)), end


async def test_what_the_lists_find_comes_after_what_the_model_has_cleared() -> None:
    text, end = await played(CALM, "甲", "乙丙", CALM)
    assert (text, end.reason) == (CALM, FinishReason.CONTENT_FILTER)


async def test_what_the_model_finds_before_it_comes_first() -> None:
    text, end = await played(CALM * 8, BAD, "甲乙丙")
    assert end.reason is FinishReason.CONTENT_FILTER
    assert BAD not in text


async def test_what_nobody_minds_is_shown_whole() -> None:
    text, end = await played(*CALM * 30)
    assert (text, end.reason) == (CALM * 30, FinishReason.STOP)
