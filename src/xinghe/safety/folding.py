"""From a text as it is written to the form in which phrases are looked for.

Which characters count as the same is one table from code points to their folded form: a string of
kept characters (lower case, simplified, unaccented), of `WEAK` and `STRONG` separators, or empty
for what is invisible.
"""

import re
import unicodedata
from functools import cache

import opencc

WEAK = " "
"""A space, a symbol, an emoji: may stand inside a phrase."""
STRONG = "\n"
"""The end of a line, sentence or clause: seldom stands inside a phrase."""
MAX_GAP = 16
"""More characters than this between two kept ones, and they belong to no one phrase."""
WORD = "0-9a-z\u00aa-\u0dff"
"""What a kept character of a script that parts words by spaces matches in a pattern's class.

From Thai upwards, scripts do not.
"""
UNSPACED = "\u0e00"
"""The first character of the scripts that do not."""

_CLAUSE_ENDS = frozenset("\n\r\v\f\x85\u2028\u2029。！？；：、,!?;:，…｡､")
_LOOSE_SPACE = re.compile(f" (?![{WORD}])| (?<=[^{WORD}] )")
CACHED_BELOW = 0x20000
"""Code points that tables remember: hostile text cannot grow them without bound."""

# Letters of other scripts, and letter-like signs, that are drawn like a Latin one.
_LOOKALIKES = dict(
    zip(
        "авеѕікмнорстухԁԛԝјһӏγαοερτυνικχωβ∂ɑɡıſ",
        "abesikmhopctyxdqwjhlyaoeptuvikxwbaagis",
        strict=True,
    )
)
LEET_DIGITS = str.maketrans("013457", "oieast")
"""The letters that digits imitate."""
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
            folded = folded.translate(LEET_DIGITS)
        if code < CACHED_BELOW:
            self[code] = folded
        return folded


PLAIN = Alphabet(leet=False)
LEET = Alphabet(leet=True)
"""As `PLAIN`, with digits and signs read as the Latin letters that they imitate (b0mb)."""


def is_word(char: str) -> bool:
    """Whether a character of a folded text is one of `WORD`."""
    return char < UNSPACED and char not in {WEAK, STRONG}


def fold(text: str, alphabet: Alphabet) -> str:
    """The folded form; gaps of any length are closed.

    Separators vanish beside Chinese and become one space between words, so "冰 毒" is 冰毒 and
    "car  bomb" two words.
    """
    spaced = " ".join(text.translate(alphabet).split())
    return _LOOSE_SPACE.sub("", spaced)


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
