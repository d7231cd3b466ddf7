"""What the sieve passes holds nothing: the verdicts are those of a reader who reads everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.safety.lists import HERE, matcher
from tests.safety.test_stream import cut
from xinghe.safety import StreamScanner, Verdict
from xinghe.safety.lexicon import lexicon
from xinghe.safety.lists import read_list
from xinghe.safety.matcher import Matcher
from xinghe.safety.reader import Reader

if TYPE_CHECKING:
    from xinghe.safety.phrases import Phrase

LINES = ["张三丰", "pipe bomb", "as", "b0mb", "冰", "甲乙丙丁戊己庚辛", "h文"]
OWN = [*read_list("block.txt", "\n".join(LINES).encode()).phrases]
OWN += read_list("allow.txt", "张三丰的剑\n怎么制造炸弹模型\n远离冰毒".encode()).phrases
MATCHERS = {
    "lexicon": Matcher(lexicon()),
    "lists": Matcher(OWN),
    "both": Matcher((*lexicon(), *OWN)),
}
PROSE = "".join((HERE / f"prose.{language}.txt").read_text("utf-8") for language in ("zh", "en"))
NOISE = (" ", "  ", "。", "*", "\u200b", "@", "$", "1", "0", "甲", "x", "ﬀ", "\u0301", "\n", "🙂")
FAR = (" " * 16, " " * 17, "\u200b" * 16, "\u200b" * 17, "@" * 18, "，\u200b" * 9)
IMITATED = str.maketrans({"o": "0", "i": "1", "e": "3", "a": "@", "s": "$", "t": "7"})
LONG = ["甲乙 " * 26, "x@" * 40, "\u200b" * 90, " " * 400]


@st.composite
def phrases(draw: st.DrawFn) -> str:
    """A phrase, whole or not, as it is or disguised."""
    phrase: Phrase = draw(st.sampled_from((*lexicon(), *OWN)))
    text = ""
    for at in range(len(phrase.slots)):
        if width := phrase.gap(at):
            text += draw(st.text("甲乙的 ,。1x", max_size=width + 1))
        else:
            text += draw(st.sampled_from(phrase.words(at)))
    text = text[: len(text) - draw(st.sampled_from([0, 0, 0, 1, 1, 2]))]
    for at in draw(st.lists(st.integers(0, 40), max_size=3)):
        text = text[:at] + draw(st.sampled_from(NOISE + FAR)) + text[at:]
    return draw(st.sampled_from([text, text, text.translate(IMITATED), text.upper()]))


prose = st.integers(0, len(PROSE) - 300).flatmap(
    lambda at: st.sampled_from([3, 20, 90, 300]).map(lambda size: PROSE[at : at + size])
)
noise = st.lists(st.sampled_from(NOISE + FAR), max_size=8).map("".join)
texts = st.lists(phrases() | prose | noise | st.sampled_from(LONG), max_size=5).map("".join)


def read(watch: Matcher, chunks: list[str]) -> tuple[list[int], Verdict | None]:
    """How much a reader who reads everything shows after each piece, and his verdict."""
    reader, fed, shown = Reader(watch.automaton), 0, list[int]()
    for chunk in chunks:
        reader.read(chunk)
        fed += len(chunk)
        shown.append(reader.safe)
        if verdict := reader.verdict():
            return shown, verdict
    reader.end()
    return [*shown, reader.safe], reader.verdict()


def sifted(watch: Matcher, chunks: list[str]) -> tuple[list[int], Verdict | None]:
    """The same of a scanner."""
    scanner, seen, shown = StreamScanner(watch), 0, list[int]()
    for chunk in chunks:
        text, verdict = scanner.feed(chunk)
        seen += len(text)
        shown.append(seen)
        if verdict:
            return shown, verdict
    text, verdict = scanner.flush()
    return [*shown, seen + len(text)], verdict


@settings(max_examples=40)
@given(
    st.sampled_from([*MATCHERS]),
    texts,
    st.integers(1, 4) | st.lists(st.integers(0, 2000), max_size=12),
)
@example("lexicon", "线上百家@乐开户", 2)
@example("lists", "x" + "\u200b" * 17 + "pipe bomb", 1)
@example("lists", "h@文 的", 4)
@example("both", "甲乙 " * 26 + "怎么制造炸弹模型张三丰的剑张三丰的", 3)
def test_a_reader_who_reads_everything_shows_as_much(
    name: str, text: str, pieces: int | list[int]
) -> None:
    watch = MATCHERS[name]
    if isinstance(pieces, int):
        chunks = [text[at : at + pieces] for at in range(0, len(text), pieces)]
    else:
        chunks = [piece for piece in cut(text, pieces) if piece]
    assert sifted(watch, chunks) == read(watch, chunks)
    reader = Reader(watch.automaton)
    reader.read(text)
    reader.end()
    assert StreamScanner(watch).found_in(text) == reader.found


def test_harmless_prose_is_passed() -> None:
    sieve = MATCHERS["lexicon"].sieve
    rows, may_stand = "", 0
    pieces = [PROSE[at : at + 2] for at in range(0, len(PROSE), 2)]
    for piece in pieces:
        rows, may = sieve.sift(rows, piece, shown=True)
        may_stand += may
    assert 0 < may_stand < len(pieces) / 50


def test_a_long_list_is_read_for_at_once() -> None:
    words = [chr(0x4E00 + at) + chr(0x5000 + at) + "词" for at in range(1500)]
    watch = matcher(*words)
    assert not watch.sieve.helps
    text = f"春眠不觉晓{words[700]}处处闻"
    assert sifted(watch, [text]) == read(watch, [text])
    assert watch.check(text) == Verdict(3, "operator/block")
