"""Regular expressions as JSON Schema means them (ECMA-262), written anew for the library.

The dialects of those who read a pattern differ: for Python `\\d` is any script's digit, for
ECMA-262 `\\s` holds U+FEFF, for the library `[[]` is unfinished. So each piece is written anew
such that whatever it admits fits every reading, or, where it must not follow (`wide`), such that
nothing that fits any reading is left out. Looking ahead is beyond the library: what must or must
not follow the very beginning becomes an expression of its own, and all else waits for the check.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from xinghe.generation.structure.refusals import Unsupported

QUANTIFIER = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})")
CODE = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}")
PROPERTY = re.compile(r"[pP](?:\{[A-Za-z0-9_=]+\}|[A-Z])")
OPENING = re.compile(r"\?(?:[:=!]|P?<[A-Za-z_]\w*>|i:)")
CONTROL = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}

_SPACE = r"\t\n\x0b\x0c\r \u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}"
SETS = {
    "d": ("0-9", r"\p{Nd}"),
    "w": ("0-9A-Za-z_", r"\p{Alphabetic}\p{M}\p{N}\p{Pc}\u{200c}\u{200d}"),
    "s": (_SPACE, _SPACE + r"\x1c-\x1f\u{85}\u{180e}\u{feff}"),
}
"""What every reading counts among a class, and what any of them does."""
DOT = (r"[^\n\r\u{2028}\u{2029}]", r"[^\n]")


class Pattern(msgspec.Struct, frozen=True):
    """Expressions that are all found in a text that fits, and others that are not.

    Where it is not `exact`, that is true of some other texts as well.
    """

    expressions: tuple[str, ...]
    barred: tuple[str, ...]
    exact: bool


@lru_cache(maxsize=256)
def written(pattern: str) -> Pattern:
    """A pattern in the library's syntax. Raises `Unsupported` for what that cannot say."""
    reader = _Reader(pattern)
    text = reader.branches()
    if reader.at < len(pattern):
        raise reader.strange()
    if reader.several and (reader.ahead or reader.barred):
        return Pattern((text,), (), exact=False)  # true of the first of its branches alone
    return Pattern((text, *reader.ahead), tuple(reader.barred), reader.exact)


def other_than(values: list[str]) -> str:
    """An expression for all texts but `values`: each leaves what they begin with, or ends early."""
    alternatives = []
    for begun in sorted({value[:end] for value in values for end in range(len(value) + 1)}):
        size = len(begun)
        longer = {one[size] for one in values if len(one) > size and one.startswith(begun)}
        next_one = f"[^{''.join(map(_code_of, sorted(longer)))}]" if longer else "(?s:.)"
        optional = "" if begun in values else "?"
        literal = "".join(map(_code_of, begun))
        alternatives.append(f"{literal}(?:{next_one}(?s:.*)){optional}")
    return f"^(?:{'|'.join(alternatives)})$"


def _code_of(character: str) -> str:
    return f"\\u{{{ord(character):x}}}"


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._folded = pattern.startswith("(?i)")
        self._depth = 0
        self._wide = False
        self.at = 4 if self._folded else 0
        self.ahead: list[str] = []
        self.barred: list[str] = []
        """What must follow the beginning of the text, and what must not."""
        self.several = False
        self.exact = True

    def branches(self) -> str:
        """Alternatives up to the end or a closing parenthesis."""
        text = ""
        self._depth += 1
        while self.at < len(self._pattern) and self._pattern[self.at] != ")":
            if self._taken("|"):
                self.several |= self._depth == 1
                text += "|"
            else:
                text += self._piece(first=text == "^")
        self._depth -= 1
        return text

    def strange(self) -> Unsupported:
        """What stands here is none of what is known."""
        return Unsupported("pattern", f"is {self._pattern[:100]!r}, which no grammar can hold")

    def _piece(self, *, first: bool) -> str:
        for mark in ("^", "$"):
            if self._taken(mark):
                self._once()
                return mark
        if self._taken("("):
            return self._group(first=first and self._depth == 1)
        if self._taken("["):
            return self._class() + self._quantifier()
        if self._taken("."):
            return DOT[self._wide] + self._quantifier()
        if self._taken("\\"):
            return self._escape() + self._quantifier()
        if self._pattern[self.at] in "*+?{}]":
            raise self.strange()
        return self._letter(ord(self._next())) + self._quantifier()

    def _group(self, *, first: bool) -> str:
        kind = OPENING.match(self._pattern, self.at)
        if kind is None and self._pattern[self.at : self.at + 1] in ("?", ""):
            raise self.strange()
        opening = kind[0] if kind else ""
        self.at += len(opening)
        exact, self.exact = self.exact, True
        self._wide ^= opening == "?!"
        text = self.branches()
        self._wide ^= opening == "?!"
        if not self._taken(")"):
            raise self.strange()
        if opening in ("?=", "?!"):
            self._once()
            kept = first and self.exact
            self.exact = exact and kept
            if kept:
                found = self.ahead if opening == "?=" else self.barred
                found.append(f"^(?:{text.removeprefix('^')})")
            return ""
        self.exact = exact and self.exact
        return f"({'?i' if opening == '?i:' else '?'}:{text})" + self._quantifier()

    def _class(self) -> str:
        negated = self._taken("^")
        if self._taken("]"):
            raise self.strange()
        text = ""
        while not self._taken("]"):
            low = self._member(wide=self._wide != negated)
            follows = self._pattern[self.at : self.at + 2]
            # Beside a class, or at the end, the hyphen means itself.
            if isinstance(low, int) and follows[:1] == "-" and follows != "-]":
                self.at += 1
                high = self._member(wide=self._wide != negated)
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

    def _member(self, *, wide: bool) -> int | str:
        """A character's code, or the text of a class within the class."""
        if not self._taken("\\"):
            return ord(self._next())
        return self._set(wide=wide) or self._code()

    def _escape(self) -> str:
        return self._set(wide=self._wide) or self._letter(self._code())

    def _set(self, *, wide: bool) -> str | None:
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
