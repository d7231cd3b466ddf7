"""Regular expressions as JSON Schema means them (ECMA-262), written anew for a grammar.

The dialects of those who read a pattern differ: for Python `\\d` is any script's digit, for
ECMA-262 `\\s` holds U+FEFF, for the grammar's compiler `[[]` is unfinished. So each piece is
written anew such that whatever it admits fits every reading, or, where it is to be ruled out
(`wide`), such that nothing that fits any reading is left. One that looks ahead, or must not
match, becomes a terminal that meets or excludes texts (`matching`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from xinghe.generation.structure.refusals import Unsupported

Anchor = Literal["^", "$"]
QUANTIFIER = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})")
CODE = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}")
PROPERTY = re.compile(r"[pP](?:\{[A-Za-z0-9_=]+\}|[A-Z])")
CONTROL = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}

_SPACE = r"\t\n\x0b\x0c\r \u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}"
SETS = {
    "d": ("0-9", r"\p{Nd}"),
    "w": ("0-9A-Za-z_", r"\p{Alphabetic}\p{M}\p{N}\p{Pc}\u{200c}\u{200d}"),
    "s": (_SPACE, _SPACE + r"\x1c-\x1f\u{85}\u{180e}\u{feff}"),
}
"""What every reading counts among a class, and what any of them does."""
DOT = (r"[^\n\r\u{2028}\u{2029}]", r"[^\n]")
PLAIN = r"[ !#-\[\]-~\u{3040}-\u{30ff}\u{4e00}-\u{9fff}]"
"""A character that JSON writes as itself: in texts of these a pattern reads what it means.

Not all of Unicode: to prove that nothing is left costs by the byte sequences that are possible.
"""
REST = rf'/{PLAIN}*"/'
END = '"\\""'
NOTHING = "(/a/ & /b/)"
LONGEST = 20_000
"""Characters of an expression: what follows a choice is written once for each branch."""
Place = Literal["start", "after", "middle"]
"""Where a piece may begin: where the text does, somewhere behind that, or surely not there."""


class Look(msgspec.Struct, frozen=True):
    """`(?=…)`, or `(?!…)` where not `positive`."""

    positive: bool
    branches: tuple[Sequence, ...]


class Group(msgspec.Struct, frozen=True):
    """A group that holds anchors or looks ahead, once."""

    branches: tuple[Sequence, ...]


class Anchored(msgspec.Struct, frozen=True):
    """`^` or `$`."""

    mark: Anchor


Sequence = tuple[str | Look | Group | Anchored, ...]
"""Pieces one after the other; a `str` is an expression in Rust's syntax without anchors."""


def parsed(pattern: str, *, wide: bool = False) -> tuple[Sequence, ...]:
    """The alternatives of a pattern; raises `Unsupported` for what no grammar can say."""
    reader = _Reader(pattern)
    branches = reader.branches(wide)
    if reader.at < len(pattern):
        raise reader.strange()
    return branches


def plain(branches: tuple[Sequence, ...]) -> str | None:
    """The same in one expression of Rust's, `None` where it looks ahead or anchors within."""
    texts = []
    for sequence in branches:
        first = sequence[:1] == (Anchored("^"),)
        last = sequence[-1:] == (Anchored("$"),) and len(sequence) > first
        inner = sequence[first : len(sequence) - last]
        text = "".join(piece for piece in inner if isinstance(piece, str))
        if not all(isinstance(piece, str) for piece in inner):
            return None
        texts.append(f"{'^' * first}{text}{'$' * last}")
    return "|".join(texts)


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._folded = pattern.startswith("(?i)")
        self.at = 4 if self._folded else 0

    def branches(self, wide: bool) -> tuple[Sequence, ...]:
        """Alternatives up to the end or a closing parenthesis."""
        found: list[Sequence] = []
        pieces: list[str | Look | Group | Anchored] = []
        while self.at < len(self._pattern) and self._pattern[self.at] != ")":
            if self._taken("|"):
                found.append(tuple(pieces))
                pieces = []
                continue
            piece = self._piece(wide)
            if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
                pieces[-1] += piece
            else:
                pieces.append(piece)
        return (*found, tuple(pieces))

    def strange(self) -> Unsupported:
        """What stands here is none of what is known."""
        return Unsupported("pattern", f"is {self._pattern[:100]!r}, which no grammar can hold")

    def _piece(self, wide: bool) -> str | Look | Group | Anchored:
        for mark in ("^", "$"):
            if self._taken(mark):
                self._once()
                return Anchored(mark)
        if self._taken("("):
            return self._group(wide)
        if self._taken("["):
            return self._class(wide) + self._quantifier()
        if self._taken("."):
            return DOT[wide] + self._quantifier()
        if self._taken("\\"):
            return self._escape(wide) + self._quantifier()
        if self._pattern[self.at] in "*+?{}]":
            raise self.strange()
        return self._letter(ord(self._next())) + self._quantifier()

    def _group(self, wide: bool) -> str | Look | Group:
        rest = self._pattern[self.at :]
        kind = re.match(r"\?(?:[:=!]|P?<[A-Za-z_]\w*>|i:)", rest)
        if kind is None and (rest.startswith("?") or not rest):
            raise self.strange()
        opening = kind[0] if kind else ""
        self.at += len(opening)
        branches = self.branches(wide != (opening == "?!"))
        if not self._taken(")"):
            raise self.strange()
        if opening in ("?=", "?!"):
            self._once()
            return Look(opening == "?=", branches)
        if all(isinstance(piece, str) for sequence in branches for piece in sequence):
            text = "|".join("".join(map(str, sequence)) for sequence in branches)
            return f"({'?i' if opening == '?i:' else '?'}:{text})" + self._quantifier()
        if opening == "?i:":
            raise self.strange()
        self._once()
        return Group(branches)

    def _class(self, wide: bool) -> str:
        negated = self._taken("^")
        if self._taken("]"):
            raise self.strange()
        text = ""
        while not self._taken("]"):
            low = self._member(wide != negated)
            follows = self._pattern[self.at : self.at + 2]
            # Beside a class, or at the end, the hyphen means itself.
            if isinstance(low, int) and follows[:1] == "-" and follows != "-]":
                self.at += 1
                high = self._member(wide != negated)
                if isinstance(high, int):
                    if high < low:
                        raise self.strange()
                    text += f"\\u{{{low:x}}}-\\u{{{high:x}}}"
                    continue
                text += f"\\u{{{low:x}}}\\-{high}"
            else:
                text += f"\\u{{{low:x}}}" if isinstance(low, int) else low
        text = f"[{'^' if negated else ''}{text}]"
        return f"(?i:{text})" if self._folded else text

    def _member(self, wide: bool) -> int | str:
        """A character's code, or the text of a class within the class."""
        if not self._taken("\\"):
            return ord(self._next())
        return self._set(wide) or self._code()

    def _escape(self, wide: bool) -> str:
        return self._set(wide) or self._letter(self._code())

    def _set(self, wide: bool) -> str | None:
        letter = self._pattern[self.at : self.at + 1]
        if letter and letter in "dws":
            self.at += 1
            return f"[{SETS[letter][wide]}]"
        if letter and letter in "DWS":
            self.at += 1
            return f"[^{SETS[letter.lower()][not wide]}]"
        if named := PROPERTY.match(self._pattern, self.at):
            self.at = named.end()
            return "\\" + named[0]
        return None

    def _code(self) -> int:
        """The character that an escape means."""
        if code := CODE.match(self._pattern, self.at):
            self.at = code.end()
            value = int(code[1] or code[2] or code[3], 16)
            if 0xD800 <= value < 0xE000 or value > 0x10FFFF:
                raise self.strange()
            return value
        letter = self._next()
        if letter in CONTROL:
            return CONTROL[letter]
        if letter.isalnum():
            raise self.strange()  # a reference back, the edge of a word, or nobody's escape
        return ord(letter)

    def _letter(self, code: int) -> str:
        letter = chr(code)
        text = letter if letter.isascii() and letter.isalnum() else f"\\u{{{code:x}}}"
        return f"(?i:{text})" if self._folded else text

    def _quantifier(self) -> str:
        found = QUANTIFIER.match(self._pattern, self.at)
        if not found:
            return ""
        self.at = found.end()
        self._taken("?")  # lazy: what fits is the same
        self._once()
        return found[0]

    def _once(self) -> None:
        if QUANTIFIER.match(self._pattern, self.at):
            raise self.strange()

    def _taken(self, mark: str) -> bool:
        if not self._pattern.startswith(mark, self.at):
            return False
        self.at += len(mark)
        return True

    def _next(self) -> str:
        if self.at == len(self._pattern):
            raise self.strange()
        self.at += 1
        return self._pattern[self.at - 1]


def matching(branches: tuple[Sequence, ...]) -> str:
    """An expression for the JSON texts, without the first quote, in which a pattern is found.

    It is exact for texts of `PLAIN` characters, so its opposite is, too.
    """
    found: list[str | None] = []
    for sequence in branches:
        found.append(_from(sequence, REST, "start", last=True))
        elsewhere = _from(sequence, REST, "middle", last=True)
        found.append(elsewhere and f"/{PLAIN}+/ {elsewhere}")
    return _either(found) or NOTHING


def _from(sequence: Sequence, rest: str, place: Place, *, last: bool) -> str | None:
    """The sequence, then `rest`, where it begins at `place`; `None` if nothing can.

    `last` says that `rest` is but what a match leaves over.
    """
    if not sequence:
        return rest
    piece, following = sequence[0], sequence[1:]
    if isinstance(piece, Anchored):
        return _anchored(piece, following, rest, place, last=last)
    behind = place if isinstance(piece, Look) or place == "middle" else "after"
    after = _from(following, rest, behind, last=last)
    if after is None:
        return None
    if isinstance(piece, Look):
        return _looking(piece, after, place)
    if isinstance(piece, Group):
        last = last and not following
        return _either(_from(one, after, place, last=last) for one in piece.branches)
    return f"/{piece}/ {after}"


def _looking(piece: Look, after: str, place: Place) -> str | None:
    """`after`, where what is looked for is ahead, or is not."""
    ahead = _either(_from(one, REST, place, last=True) for one in piece.branches)
    if ahead is None:
        return None if piece.positive else after
    return f"({'' if piece.positive else '~'}{ahead} & ({after}))"


def _anchored(
    piece: Anchored, following: Sequence, rest: str, place: Place, *, last: bool
) -> str | None:
    if piece.mark == "^" and place != "after":
        return _from(following, rest, place, last=last) if place == "start" else None
    if piece.mark == "$" and last and not following:
        return END
    raise Unsupported("pattern", "has an anchor within, which no grammar can hold")


def _either(expressions: Iterable[str | None]) -> str | None:
    possible = [one for one in expressions if one is not None]
    whole = f"({' | '.join(possible)})"
    if len(whole) > LONGEST:
        raise Unsupported("pattern", "looks ahead in too many places")
    return whole if possible else None
