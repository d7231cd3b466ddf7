"""From a text as it is written to the form in which phrases are looked for, and back.

Which characters count as the same is one table from code points to their folded form: a string of
kept characters (lower case, simplified, unaccented), of `WEAK` and `STRONG` separators, or empty
for what is invisible.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import msgspec
import opencc

WEAK = " "
"""A space, a symbol, an emoji: may stand inside a phrase."""
STRONG = "\n"
"""The end of a line, sentence or clause: seldom stands inside a phrase."""
BREAK = STRONG
"""Stands in a folded text where more than `MAX_GAP` characters were; no phrase contains it."""
MAX_GAP = 16
"""More characters than this between two kept ones, and they belong to no one phrase."""
WORD = "0-9a-z\u00aa-\u0dff"
"""What a kept character of a script that parts words by spaces matches in a pattern's class.

From Thai upwards, scripts do not.
"""

_CLAUSE_ENDS = frozenset("\n\r\v\f\x85\u2028\u2029。！？；：、,!?;:，…｡､")
_LOOSE_SPACE = re.compile(f" (?![{WORD}])| (?<=[^{WORD}] )")
_CACHED_BELOW = 0x20000  # So that hostile text cannot grow the table without bound.

# Letters of other scripts, and letter-like signs, that are drawn like a Latin one.
_LOOKALIKES = dict(
    zip(
        "авеѕікмнорстухԁԛԝјһӏγαοερτυνικχωβ∂ɑɡıſ",
        "abesikmhopctyxdqwjhlyaoeptuvikxwbaagis",
        strict=True,
    )
)
_LEET = str.maketrans("013457", "oieast")
_LETTER, _SIGN = "[A-Za-zＡ-Ｚａ-ｚ]", "[013457０１３４５７@$＠＄]"
LEETISH = re.compile(_SIGN)
"""A digit or a sign that `LEET` alone reads as a letter."""
LEET_TEXT = re.compile(f"{_SIGN}(?:(?<={_LETTER}{_SIGN})|(?={_LETTER}))")
"""One that may stand for a letter, as it stands beside one."""


class Alphabet(dict[int, str]):
    """Folds single characters; fills itself on demand, so that loading it costs nothing.

    Serves `str.translate` as well as look-ups of one code point.
    """

    def __init__(self, leet: bool) -> None:
        super().__init__()
        self._leet = leet

    def __missing__(self, code: int) -> str:
        folded = _fold_char(chr(code))
        if self._leet:
            folded = {"@": "a", "＠": "a", "$": "s", "＄": "s"}.get(chr(code), folded)
            folded = folded.translate(_LEET)
        if code < _CACHED_BELOW:
            self[code] = folded
        return folded


PLAIN = Alphabet(leet=False)
LEET = Alphabet(leet=True)
"""As `PLAIN`, with digits and signs read as the Latin letters that they imitate (b0mb)."""


def is_word(char: str) -> bool:
    """Whether a character of a folded text is one of `WORD`."""
    return char < "\u0e00" and char not in {WEAK, STRONG}


class Folded(msgspec.Struct):
    """A folded text with, for each of its characters, the raw extent `[start, end)`.

    `joints` says what stood before a character in the raw text: "", `WEAK` or `STRONG`.
    `tail` is the number of raw characters after the last kept one; `open` is true when the text
    ends within what may be a longer word.
    """

    text: str
    starts: list[int]
    ends: list[int]
    joints: list[str]
    tail: int
    open: bool


def fold_quickly(text: str, alphabet: Alphabet) -> str:
    """The folded form without the way back; gaps of any length are closed.

    Separators vanish beside Chinese and become one space between words, so "冰 毒" is 冰毒 and
    "car  bomb" two words. Whatever phrase `fold` shows, this shows too.
    """
    spaced = " ".join(text.translate(alphabet).split())
    return _LOOSE_SPACE.sub("", spaced)


def fold(text: str, alphabet: Alphabet) -> Folded:
    """The folded form of a text, with the way back to it."""
    kept: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    joints: list[str] = []
    joint = ""
    for at, raw in enumerate(text):
        for char in alphabet[ord(raw)]:
            if char in {WEAK, STRONG}:
                joint = STRONG if STRONG in {joint, char} else WEAK
                continue
            if kept:
                filler = ""
                if at - ends[-1] > MAX_GAP:
                    filler = BREAK
                elif joint and is_word(char) and is_word(kept[-1]):
                    filler = " "
                if filler:
                    starts.append(ends[-1])
                    ends.append(at)
                    kept.append(filler)
                    joints.append("")
            kept.append(char)
            starts.append(at)
            ends.append(at + 1)
            joints.append(joint)
            joint = ""
    tail = len(text) - (ends[-1] if ends else 0)
    unfinished = bool(kept) and not joint and tail <= MAX_GAP and is_word(kept[-1])
    return Folded("".join(kept), starts, ends, joints, tail, unfinished)


def context(folded: Folded, at: int) -> int:
    """From where a text must be kept, so that what begins at raw index `at` reads the same.

    That is the last kept character before `at`, if it is near enough to matter.
    """
    for index in range(len(folded.text) - 1, -1, -1):
        if folded.starts[index] < at and folded.text[index] not in {" ", BREAK}:
            return folded.starts[index] if at - folded.ends[index] <= MAX_GAP else at
    return at


def _fold_char(char: str) -> str:
    if unicodedata.category(char) in {"Cn", "Co", "Cs"}:
        return WEAK  # Most code points are no characters at all: a shorter way for them.
    if char in _CLAUSE_ENDS:
        return STRONG
    if letter := _ringed_letter(ord(char)):
        return letter
    bare = unicodedata.normalize("NFKD", char.casefold())
    bare = "".join(part for part in bare if not _is_invisible(part))
    return "".join(map(_fold_part, unicodedata.normalize("NFC", bare.casefold())))


def _fold_part(char: str) -> str:
    if unicodedata.category(char)[0] not in "LNM":
        return WEAK
    if char in _LOOKALIKES:
        return _LOOKALIKES[char]
    return str(_converter().convert(char)) if _is_han(ord(char)) else char


def _is_invisible(char: str) -> bool:
    """Format characters, Hangul fillers, variation selectors and combining accents."""
    code = ord(char)
    return (
        unicodedata.category(char) == "Cf"
        or code in {0x115F, 0x1160, 0x3164, 0xFFA0, 0x3099, 0x309A}
        or any(
            low <= code <= high
            for low, high in (
                (0x0300, 0x036F),
                (0x1AB0, 0x1AFF),
                (0x1DC0, 0x1DFF),
                (0x20D0, 0x20FF),
                (0xFE00, 0xFE0F),
                (0xFE20, 0xFE2F),
                (0xE0100, 0xE01EF),
            )
        )
    )


def _ringed_letter(code: int) -> str:
    """Negative circled and squared letters and flag letters, which NFKC leaves alone."""
    for first in (0x1F150, 0x1F170, 0x1F1E6):
        if first <= code < first + 26:
            return chr(ord("a") + code - first)
    return ""


def _is_han(code: int) -> bool:
    return 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x3FFFF


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")
