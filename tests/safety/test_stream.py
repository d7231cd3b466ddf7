"""An answer that streams: never a part of a banned phrase, no delay without a reason."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from tests.safety.lists import matcher
from xinghe.safety import StreamScanner, Verdict
from xinghe.safety.lexicon import lexicon
from xinghe.safety.matcher import Matcher

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
    assert waited <= 12
