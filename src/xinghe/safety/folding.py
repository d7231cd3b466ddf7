"""From a text as it is written to the form in which phrases are looked for, and back."""

from __future__ import annotations

import re

import msgspec

from xinghe.safety.alphabet import STRONG, WEAK, WORD, Alphabet, is_word

MAX_GAP = 16
"""More characters than this between two kept ones, and they belong to no one phrase."""
BREAK = STRONG
"""Stands in a folded text where a gap was longer; no phrase contains it."""

_LOOSE_SPACE = re.compile(f" (?![{WORD}])| (?<=[^{WORD}] )")


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
