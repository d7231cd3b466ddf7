"""The lexicon that comes with the package: reads `lexicon/`, whose README tells the notation."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import resources

from xinghe.safety.alphabet import PLAIN
from xinghe.safety.phrases import MAX_PHRASE, Phrase
from xinghe.settings import SafetyFlags

_PIECE = re.compile(r"\{([^}]*)\}|<(\w+)>|\[(\d+)\]|([^{}<>\[\]|]+)")
_TERM = re.compile(r"(\w+) = (.+)")
_SPACES = re.compile(r"\s+")
_FLAGS = SafetyFlags()

Slots = tuple[tuple[str, ...] | int, ...]


class LexiconError(Exception):
    """A lexicon file that breaks its own notation: the package is damaged."""


@cache
def lexicon(flags: SafetyFlags = _FLAGS) -> tuple[Phrase, ...]:
    """All phrases and shields of the package. Raises `LexiconError`.

    Of a category whose flag is 0 there are only the shields: they cover other categories too.
    """
    folder = resources.files(__package__) / "lexicon"
    shared: dict[str, tuple[str, ...]] = {}
    if [*read_lines((folder / "terms.txt").read_text("utf-8"), shared)]:
        raise LexiconError("terms.txt holds a phrase; it takes terms alone")
    phrases = []
    for name in categories():
        flag = getattr(flags, name)
        source = (folder / f"{name}.txt").read_text("utf-8")
        for slots, shields in read_lines(source, dict(shared)):
            if shields or flag:
                phrases.append(Phrase(slots, 0 if shields else flag, name))
    return tuple(phrases)


def categories() -> tuple[str, ...]:
    """The names of the categories, each with a file of its own."""
    folder = resources.files(__package__) / "lexicon"
    return tuple(tomllib.loads((folder / "categories.toml").read_text("utf-8")))


def read_lines(source: str, terms: dict[str, tuple[str, ...]]) -> Iterator[tuple[Slots, bool]]:
    """Yield `(slots, shields)` for each phrase of a file; definitions are put into `terms`."""
    for line in map(str.strip, source.splitlines()):
        if not line or line.startswith("#"):
            continue
        if term := _TERM.fullmatch(line):
            terms[term[1]] = _choice(term[2])
        else:
            yield _slots(line.removeprefix("!").strip(), terms), line.startswith("!")


def _slots(line: str, terms: dict[str, tuple[str, ...]]) -> Slots:
    slots: list[tuple[str, ...] | int] = []
    read = 0
    for piece in _PIECE.finditer(line):
        choice, term, gap, plain = piece.groups()
        if piece.start() != read or (term and term not in terms):
            raise LexiconError(f"cannot read {line[read:]!r}")
        read = piece.end()
        if gap:
            slots.append(int(gap))
        else:
            slots.append(terms[term] if term else _choice(plain or choice))
    if read != len(line):
        raise LexiconError(f"cannot read {line[read:]!r}")
    phrase = Phrase(tuple(slots), 0, "")
    if not 0 < phrase.shortest <= phrase.longest <= MAX_PHRASE:
        raise LexiconError(f"{line!r} does not stand for 1 to {MAX_PHRASE} characters")
    if phrase.gap(0) or phrase.gap(len(slots) - 1):
        raise LexiconError(f"{line!r} begins or ends with a gap")
    return phrase.slots


def _choice(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_folded, text.split("|"))))


def _folded(text: str) -> str:
    # Not stripped: the space before or after a word may be what parts it from the next slot.
    return _SPACES.sub(" ", text.translate(PLAIN))
