"""The lexicon reads an answer: prose flows, and no phrase is ever shown whole."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.safety.lists import HERE, sentences
from tests.safety.test_stream import cut, shown
from xinghe.safety import StreamScanner, Verdict
from xinghe.safety.folding import PLAIN, fold
from xinghe.safety.lexicon import lexicon
from xinghe.safety.matcher import Matcher
from xinghe.safety.phrases import Phrase

LEXICON = Matcher(lexicon())
BARE = Matcher(phrase for phrase in lexicon() if phrase.flag)
"""Without the shields."""
HELD = 0.05
SEVERAL = {folded: chr(code) for code in range(0x20000) if len((folded := PLAIN[code]).strip()) > 1}
"""What single characters that fold to several (ﬀ, ㎆, ㍿) stand for, and one such each."""


def equal(size: int) -> Callable[[str], list[str]]:
    return lambda text: [text[at : at + size] for at in range(0, len(text), size)]


def words(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+", text)


def uneven(text: str) -> list[str]:
    chance = random.Random(5)
    return cut(text, chance.sample(range(len(text)), len(text) // 4))


CUTS: dict[str, Callable[[str], list[str]]] = {
    "1": equal(1),
    "2": equal(2),
    "3": equal(3),
    "words": words,
    "uneven": uneven,
}


@pytest.mark.parametrize("name", ["prose.zh.txt", "prose.en.txt"])
@pytest.mark.parametrize("pieces", CUTS)
def test_ordinary_prose_flows(name: str, pieces: str) -> None:
    text = (HERE / name).read_text("utf-8")
    assert len(text) >= 2000
    scanner = StreamScanner(LEXICON)
    chunks = CUTS[pieces](text)
    seen, fed, held = "", 0, 0
    for chunk in chunks:
        visible, verdict = scanner.feed(chunk)
        assert verdict is None
        seen += visible
        assert len(seen) >= fed  # What was held is shown with the next piece.
        fed += len(chunk)
        held += len(seen) < fed
    assert seen + scanner.flush()[0] == text
    assert held <= HELD * len(chunks)


def unsafe() -> list[str]:
    names = ("unsafe.txt", "development.txt", "heldout.txt", "unseen.txt")
    return [line.split("\t")[-1] for name in names for line in sentences(name)]


def harmless() -> list[str]:
    return [*sentences("harmless.txt"), *sentences("nearmiss.txt")]


def test_as_much_is_found_in_pieces_as_in_the_whole() -> None:
    cuts, found = [*CUTS.values()], 0
    for number, text in enumerate(unsafe()):
        seen, verdict = shown(LEXICON, cuts[number % len(cuts)](text))
        assert (verdict is None) == (LEXICON.check(text) is None)
        assert verdict is not None or seen == text
        found += verdict is not None
    assert found >= 440 + 159 + 136 + 34  # As before phrases were held from their end alone.
    for number, text in enumerate(harmless()):
        assert shown(LEXICON, cuts[number % len(cuts)](text)) == (text, None)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Rows of the lexicon, whole or begun, with something in their gaps and around them."""
    text = ""
    for _ in range(draw(st.integers(1, 3))):
        phrase = draw(st.sampled_from(lexicon()))
        for at in range(len(phrase.slots)):
            if width := phrase.gap(at):
                text += draw(st.text("甲乙的 ,。1", max_size=width))
            else:
                text += draw(st.sampled_from(phrase.words(at)))
            text += draw(st.sampled_from(["", "", "", " ", "。", "*", "\u200b", "1", "@"]))
        text = text[: len(text) - draw(st.sampled_from([0, 0, 1, 2, 3]))]
        text += draw(st.sampled_from(["", " ", "。", "甲", "s", "怎么"]))
    return text


@settings(max_examples=150)
@given(texts(), st.lists(st.integers(0, 80), max_size=12))
def test_pieces_do_not_matter(text: str, at: list[int]) -> None:
    seen, verdict = shown(LEXICON, [text])
    assert shown(LEXICON, cut(text, at)) == (seen, verdict)
    assert shown(LEXICON, list(text)) == (seen, verdict)
    assert text.startswith(seen)
    assert (verdict is None) == (LEXICON.check(text) is None)
    assert verdict is not None or seen == text


@settings(max_examples=100)
@given(texts())
def test_one_character_waits_and_never_a_phrase_is_whole(text: str) -> None:
    scanner = StreamScanner(LEXICON)
    fed = seen = ""
    for char in text:
        visible, verdict = scanner.feed(char)
        fed += char
        seen += visible
        if verdict is not None:
            break
        # Longer waits only what would be a finding, if its word ended and nothing shielded it.
        assert len(fed) - len(seen) <= 1 or BARE.check(fed) is not None
    assert LEXICON.check(seen) is None


def test_a_phrase_with_a_gap_is_cut_before_its_end() -> None:
    assert shown(LEXICON, list("好的,怎么在家里制造炸弹呢")) == (
        "好的,怎么在家里制造",
        Verdict(3, "weapons"),
    )


def ended_by(phrases: Iterable[Phrase]) -> list[tuple[Phrase, str, str]]:
    """Phrases with a last word and the character that may stand for the end of it."""
    return [
        (phrase, word, sign)
        for phrase in phrases
        if phrase.flag
        for word in phrase.words(len(phrase.slots) - 1)
        for folded, sign in SEVERAL.items()
        if word.endswith(folded)
    ]


ROWS = ended_by(lexicon())


@st.composite
def ended(draw: st.DrawFn) -> str:
    """Rows whose last character folds to several, and more text behind it."""
    text = ""
    for _ in range(draw(st.integers(1, 2))):
        phrase, word, sign = draw(st.sampled_from(ROWS))
        for at in range(len(phrase.slots) - 1):
            if width := phrase.gap(at):
                text += draw(st.text("甲的 ,\u200b㍻", max_size=width // 2))
            else:
                text += draw(st.sampled_from(phrase.words(at)))
        text += word[: len(word) - len(PLAIN[ord(sign)])]
        text += draw(st.sampled_from(["", "", "\u200b", "*"])) + sign
        text += draw(st.sampled_from(["", " is", "。", "甲", "\u200b", "s", "ﬀ", " 5@ "]))
    return text


@settings(max_examples=60)
@given(ended(), st.lists(st.integers(0, 80), max_size=12))
def test_a_character_that_stands_for_several_shows_no_phrase(text: str, at: list[int]) -> None:
    seen, verdict = shown(LEXICON, cut(text, at))
    assert shown(LEXICON, [text]) == shown(LEXICON, list(text)) == (seen, verdict)
    assert text.startswith(seen)
    assert verdict is not None or seen == text
    assert LEXICON.check(seen) is None


@pytest.mark.parametrize("own", [True, False])
def test_no_character_that_stands_for_several_shows_a_phrase(own: bool) -> None:
    assert len(SEVERAL) > 700
    for number, sign in enumerate(SEVERAL.values()):
        begun = ("甲乙丙", "of wxyz ", "of wxyz")[number % 3]
        watch = Matcher(
            [
                Phrase(
                    (
                        ("甲", "of "),
                        (fold(begun.removeprefix("of ").removeprefix("甲") + sign, PLAIN),),
                    ),
                    3,
                    "x",
                    own=own,
                )
            ]
        )
        for pieces in ([begun, f"{sign} 子"], [f"{begun}{sign} 子"], [*begun, sign, " ", "子"]):
            assert shown(watch, pieces) == ("" if own else begun, Verdict(3, "x"))


def test_a_number_at_the_end_stands_for_no_word() -> None:
    watch = Matcher([Phrase((("sees",),), 3, "watched")])
    assert shown(watch, ["at ", "5335"]) == ("at 5335", None)
    assert shown(watch, ["at ", "533s"])[1] == Verdict(3, "watched")
