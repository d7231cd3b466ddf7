"""A prompt cut into the words that the preview engine knows, and those that it does not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Literal

import msgspec
import opencc

from xinghe_preview.vocabulary import vocabulary

Sort = Literal[
    "subject", "colour", "place", "relation", "after", "number", "size", "backdrop",
    "measure", "noise", "stop", "other", "noun", "part",
]  # fmt: skip
"""`other` is unknown; `noun` is a compound that is known to be none of the subjects in it."""

LONGEST = 4
"""Words in the longest English name."""
_PIECES = re.compile(
    r"(?P<han>[\u4e00-\u9fff\u3400-\u4dbf]+)|(?P<word>[^\W_]+(?:['’-][^\W_]+)*)|(?P<mark>[^\s])"
)
_HAN = re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf]")
_MARKS = set(",.;:!?，。；：！？、|\n/()（）[]【】")


class Word(msgspec.Struct, frozen=True):
    """One word of the prompt; `key` is its entry in the vocabulary, where it has one."""

    sort: Sort
    text: str
    key: str = ""


def words(prompt: str) -> list[Word]:
    """Traditional characters are read as simplified, full width as half, plural as singular."""
    text = _simplified().convert(unicodedata.normalize("NFKC", prompt)).lower()
    found: list[Word] = []
    spelled: list[str] = []
    for piece in _PIECES.finditer(text):
        if piece.lastgroup == "word" and not _HAN.search(piece.group()):
            spelled.append(piece.group())
            continue
        found.extend(_english(spelled))
        spelled = []
        if piece.lastgroup == "mark":
            found.append(Word("stop" if piece.group() in _MARKS else "noise", piece.group()))
        else:
            found.extend(_chinese(piece.group()))
    found.extend(_english(spelled))
    return found


def _chinese(text: str) -> Iterator[Word]:
    """The longest known name at each place; what lies between is unknown. T恤 and 3只猫 too."""
    known, longest = _names("zh")
    unknown = ""
    at = 0
    after_number = False
    while at < len(text):
        word = next(
            (
                known[text[at : at + length]]
                for length in range(min(longest, len(text) - at), 0, -1)
                if text[at : at + length] in known
            ),
            None,
        )
        if word is None and text[at].isdigit() and text[at].isascii():
            digits = re.match(r"[0-9]+", text[at:])
            assert digits
            word = Word("number", digits.group(), digits.group()[:3])
        if after_number and text[at] in _measures() and (word is None or len(word.text) == 1):
            word = Word("measure", text[at])
        after_number = word is not None and word.sort == "number"
        if word is None:
            unknown += text[at]
            at += 1
            continue
        if unknown:
            yield Word("other", unknown)
            unknown = ""
        yield word
        at += len(word.text)
    if unknown:
        yield Word("other", unknown)


def _english(spelled: list[str]) -> Iterator[Word]:
    known, _ = _names("en")
    spelled = [part for word in spelled for part in _spelled(word).split()]
    at = 0
    while at < len(spelled):
        for length in range(min(LONGEST, len(spelled) - at), 0, -1):
            text = " ".join(spelled[at : at + length])
            key = next((form for form in _forms(text) if form in known), None)
            if key is not None:
                yield Word(known[key].sort, text, known[key].key)
                break
        else:
            length, text = 1, spelled[at]
            yield Word("number", text, text[:3]) if text.isdecimal() else Word("other", text)
        at += length


def _spelled(text: str) -> str:
    """A hyphen or an apostrophe parts words."""
    return re.sub(r"[-'’]", " ", text)


def _forms(text: str) -> Iterator[str]:
    """The name itself, and what it may be the plural of."""
    yield text
    if text.endswith("ies"):
        yield text[:-3] + "y"
    if text.endswith("ves"):
        yield text[:-3] + "f"
    if text.endswith("es"):
        yield text[:-2]
    if text.endswith("s"):
        yield text[:-1]


@cache
def _names(language: Literal["zh", "en"]) -> tuple[dict[str, Word], int]:
    """Every name with its word, and the length of the longest; the more exact sort wins."""
    known: dict[str, Word] = {}
    words = vocabulary()
    other = words.words

    def name(sort: Sort, names: str, key: str = "") -> None:
        for text in filter(None, names.split(",")):
            known[_spelled(text.lower())] = Word(sort, text.lower(), key)

    chinese = language == "zh"
    name("noise", other.quality if chinese else other.quality_english)
    for key, relation in words.relations.items():
        name("relation", relation.zh if chinese else relation.en, key)
        name("after", relation.after if chinese else "", key)
    for value, names in words.numbers.items():
        name("number", ",".join(names), str(value))
    for percent, names in words.sizes.items():
        name("size", ",".join(names), str(percent))
    for key, place in words.places.items():
        name("place", place.zh if chinese else place.en, key)
    for key, subject in words.subjects.items():
        name("subject", subject.zh if chinese else subject.en, key)
    for key, tint in words.colours.items():
        name("colour", tint.zh if chinese else tint.en, key)
    name("part", other.parts if chinese else other.parts_english)
    name("backdrop", "背景,底色" if chinese else "background,backdrop")
    name("noun", other.not_subjects if chinese else other.not_english)
    return known, max(map(len, known))


@cache
def _measures() -> frozenset[str]:
    return frozenset(vocabulary().words.measures.split(","))


@cache
def _simplified() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")
