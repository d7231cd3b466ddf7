"""An answer that streams: nothing banned or uncleared is shown, and no delay without a reason."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.kit.pace import allowed
from tests.safety.lists import matcher, sentences
from tests.safety.model import BAD, serving
from xinghe.safety import Moderator, Reviewer, StreamScanner, Verdict
from xinghe.safety.lexicon import lexicon
from xinghe.safety.matcher import Matcher
from xinghe.safety.reviewer import LONGEST, MOST_UNDER_WAY, SHORTEST
from xinghe.settings import SafetyUpstream

ALPHABET = st.text("冰毒ab5@s 。,\u200b㎏", max_size=30)
WORDS = st.lists(st.text("冰毒ab5@s 。", min_size=1, max_size=5), max_size=4)


def shown(watch: Matcher, chunks: list[str]) -> tuple[str, Verdict | None]:
    """All that a reader sees, and the verdict."""
    scanner = StreamScanner(watch)
    seen = ""
    for chunk in chunks:
        text, verdict = scanner.feed(chunk)
        seen += text
        if verdict:
            assert scanner.feed("more") == ("", verdict)
            assert scanner.flush() == ("", verdict)
            return seen, verdict
    text, verdict = scanner.flush()
    return seen + text, verdict


def cut(text: str, at: list[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in at), len(text)]
    return [text[low:high] for low, high in pairwise(edges)]


@given(ALPHABET, WORDS, WORDS, st.lists(st.integers(0, 30), max_size=12))
@example("冰毒的", ["冰毒"], ["冰毒的危"], [1, 2])
@example("@s", ["as"], [], [1])
def test_chunks_do_not_matter(
    text: str, blocked: list[str], allowed: list[str], at: list[int]
) -> None:
    blocked = [word for word in blocked if word.strip(" 。@")]
    allowed = [word for word in allowed if word.strip(" 。@")]
    watch = matcher(*blocked, allowed=tuple(allowed))
    whole, verdict = shown(watch, [text])
    assert shown(watch, cut(text, at)) == (whole, verdict)
    assert shown(watch, list(text)) == (whole, verdict)
    assert text.startswith(whole)
    assert (verdict is None) == (watch.check(text) is None)
    assert verdict is not None or whole == text
    # What is shown holds no finding, and whatever followed it begins one.
    assert watch.check(whole + "。") is None


def test_of_the_lexicon_pieces_do_not_matter_either() -> None:
    """A long piece is passed over where no phrase begins; a character is read in any case."""
    watch = Matcher(lexicon())
    lines = [
        line.split("\t")[-1] for line in (*sentences("unsafe.txt"), *sentences("nearmiss.txt"))
    ]
    found = 0
    for pair in pairwise(lines):
        text = "。".join(pair)
        singly = shown(watch, list(text))
        assert shown(watch, [text]) == singly
        assert shown(watch, [text[at : at + 12] for at in range(0, len(text), 12)]) == singly
        found += singly[1] is not None
    assert 0 < found < len(lines)


@given(
    st.text("春眠不觉晓 处处闻，啼鸟abc", max_size=20),
    st.sampled_from(["制造炸弹", "製 造 炸 彈", "制*造*炸*弹", "pipe bomb", "ｐｉｐｅ b0mb"]),
    st.text("春眠不觉晓 处处闻，啼鸟abc", max_size=20),
    st.lists(st.integers(0, 60), max_size=20),
)
def test_the_text_before_a_phrase_is_all_that_is_shown(
    before: str, phrase: str, after: str, at: list[int]
) -> None:
    watch = matcher("制造炸弹", "pipe bomb")
    text = f"{before}，{phrase}，{after}"
    seen, verdict = shown(watch, cut(text, at))
    assert seen == f"{before}，"
    assert verdict == watch.check(text) == Verdict(3, "operator/block")


def test_text_that_begins_no_phrase_is_not_delayed() -> None:
    scanner = StreamScanner(matcher("制造炸弹", "pipe bomb"))
    for chunk in ("春眠", "不", "觉晓，", "stovepip", "e bom", "b 制度"):
        assert scanner.feed(chunk) == (chunk, None)


def test_what_may_begin_a_phrase_waits_no_longer_than_it_may() -> None:
    scanner = StreamScanner(matcher("制造炸弹"))
    assert scanner.feed("我们制") == ("我们", None)
    assert scanner.feed(" 造") == ("", None)
    assert scanner.feed("汽车") == ("制 造汽车", None)
    assert scanner.feed("制造") == ("", None)
    assert scanner.flush() == ("制造", None)


def test_a_shield_releases_what_it_covers_once_it_is_complete() -> None:
    scanner = StreamScanner(matcher("冰毒", allowed=("冰毒的危害", "远离冰毒")))
    assert scanner.feed("冰毒的") == ("", None)
    assert scanner.feed("危害，远离") == ("冰毒的危害，远离", None)
    assert scanner.feed("冰毒") == ("冰毒", None)
    shown_text, verdict = scanner.feed("！冰毒的价")
    assert (shown_text, verdict) == ("！", Verdict(3, "operator/block"))


def test_a_long_run_of_separators_is_not_kept() -> None:
    scanner = StreamScanner(matcher("冰毒"))
    assert scanner.feed("冰" + " " * 16) == ("", None)
    assert scanner.feed(" ") == ("冰" + " " * 17, None)
    assert scanner.feed(" " * 10_000) == (" " * 10_000, None)
    assert scanner.feed("毒") == ("毒", None)


def test_the_lexicon_delays_an_ordinary_answer_little() -> None:
    answer = "这道题可以这样想：先把方程两边同时减去三，再除以二，就得到答案五。希望对你有帮助！"
    stream = StreamScanner(Matcher(lexicon()))
    waited = 0
    seen = ""
    for fed, char in enumerate(answer, 1):
        text, verdict = stream.feed(char)
        assert verdict is None
        seen += text
        waited = max(waited, fed - len(seen))
    assert seen + stream.flush()[0] == answer
    assert waited <= 1


FOUND = Verdict(4, "upstream/violence")
CALM = "今天的天气很好,我们一起去公园散步吧。"


async def ask(text: str) -> Verdict | None:
    await asyncio.sleep(0)
    return FOUND if BAD in text else None


async def played(reviewer: Reviewer, chunks: list[str]) -> tuple[str, Verdict | None]:
    seen = ""
    for chunk in chunks:
        text, verdict = await reviewer.feed(chunk)
        seen += text
        if verdict:
            return seen, verdict
        await asyncio.sleep(0)
    text, verdict = await reviewer.flush()
    return seen + text, verdict


@settings(max_examples=200)
@given(
    st.text("今天天气好。!abc \n", max_size=300),
    st.booleans(),
    st.text("今天天气好。!abc \n", max_size=300),
    st.lists(st.integers(0, 600), max_size=30),
)
def test_nothing_uncleared_is_shown(before: str, bad: bool, after: str, at: list[int]) -> None:
    text = before + (BAD if bad else "") + after
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in at)})
    chunks = [text[low:high] for low, high in pairwise(edges)]
    reviewer = Reviewer(ask)
    seen, verdict = asyncio.run(played(reviewer, chunks))
    assert text.startswith(seen)
    assert verdict == (FOUND if bad else None)
    assert (seen == text) is not bad
    assert BAD not in seen


async def test_after_a_finding_nothing_comes() -> None:
    reviewer = Reviewer(ask)
    assert (await reviewer.feed(CALM * 3 + BAD + "。"))[1] is None
    assert (await reviewer.flush())[1] == FOUND
    assert await reviewer.feed(CALM) == ("", FOUND)
    assert await reviewer.flush() == ("", FOUND)


async def test_the_engine_need_not_wait_for_the_model() -> None:
    release = asyncio.Event()
    asked: list[str] = []

    async def slow(text: str) -> Verdict | None:
        asked.append(text)
        await release.wait()
        return None

    reviewer = Reviewer(slow)
    sentence = "好" * SHORTEST + "。"
    for _ in range(MOST_UNDER_WAY):
        assert await reviewer.feed(sentence) == ("", None)
    waiting = asyncio.create_task(reviewer.feed(sentence))
    await asyncio.sleep(0.05)
    assert not waiting.done()  # More would be too many.
    assert len(asked) == MOST_UNDER_WAY + 1
    release.set()
    assert (await waiting)[0].startswith(sentence)
    await reviewer.flush()


async def test_a_text_without_sentences_is_sent_in_parts() -> None:
    asked: list[str] = []

    async def note(text: str) -> Verdict | None:
        asked.append(text)
        return None

    reviewer = Reviewer(note)
    held = most = 0
    for _ in range(2000):
        text, _verdict = await reviewer.feed("好")
        await asyncio.sleep(0)
        held += 1 - len(text)
        most = max(most, held)
    assert most <= LONGEST + 1
    assert max(map(len, asked)) <= 2 * LONGEST


async def test_a_reviewer_that_is_closed_leaves_nothing_running() -> None:
    async def never(text: str) -> Verdict | None:
        await asyncio.sleep(3600)
        return None

    reviewer = Reviewer(never)
    await reviewer.feed("好" * LONGEST)
    reviewer.close()
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_with_a_real_model() -> None:
    async with serving() as model:
        moderator = Moderator(upstream=SafetyUpstream(url=model.url))
        assert moderator.asks_of_answers
        answer = CALM * 4 + BAD + "的计划如下。" + CALM
        seen, verdict = await played(moderator.reviewer(), list(answer))
        assert verdict == FOUND
        assert CALM.startswith(seen[-len(CALM) :]) or CALM in seen
        assert BAD not in seen
        begun = time.monotonic()
        seen, verdict = await played(moderator.reviewer(), [CALM * 20])
        assert (seen, verdict) == (CALM * 20, None)
        assert time.monotonic() - begun < allowed(5)
        await moderator.aclose()


@pytest.mark.parametrize("size", [0, 1, SHORTEST, LONGEST, 5 * LONGEST])
async def test_a_whole_answer_at_once(size: int) -> None:
    reviewer = Reviewer(ask)
    assert await played(reviewer, ["好" * size]) == ("好" * size, None)
