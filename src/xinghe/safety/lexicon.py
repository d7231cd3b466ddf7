"""The lexicon that comes with the package: reads `lexicon/`, whose README tells the notations."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import resources

from xinghe.safety.combinations import Combination, Combinations, words_of
from xinghe.safety.folding import PLAIN
from xinghe.safety.phrases import MAX_PHRASE, Phrase
from xinghe.settings import SafetyFlags

_TERM = re.compile(r"(\w+) = (.+)")
_PIECE = re.compile(r"\{([^}]*)\}|<(\w+)>|\[(\d+)\]|([^{}<>\[\]|]+)")
_SPACES = re.compile(r"\s+")
_NOTATION = "[]$ "
_FOLDER = resources.files(__package__) / "lexicon"
_TOGETHER = _FOLDER / "together"
_FLAGS = SafetyFlags()

Slots = tuple[tuple[str, ...] | int, ...]
Groups = tuple[tuple[str, ...], ...]
"""Words of which one is asked for, in the groups in which they were written."""


class LexiconError(Exception):
    """A lexicon file that breaks its own notation: the package is damaged."""


def categories() -> tuple[str, ...]:
    """The names of the categories, each with a file of its own."""
    return tuple(tomllib.loads((_FOLDER / "categories.toml").read_text("utf-8")))


@cache
def lexicon(flags: SafetyFlags = _FLAGS) -> tuple[Phrase, ...]:
    """All phrases and shields of the package. Raises `LexiconError`.

    Of a category whose flag is 0 there are only the shields: they cover other categories too.
    """
    shared: dict[str, tuple[str, ...]] = {}
    if [*read_phrases((_FOLDER / "terms.txt").read_text("utf-8"), shared)]:
        raise LexiconError("terms.txt holds a phrase; it takes terms alone")
    phrases = []
    for name in categories():
        flag = getattr(flags, name)
        source = (_FOLDER / f"{name}.txt").read_text("utf-8")
        for slots, shields in read_phrases(source, dict(shared)):
            if shields or flag:
                phrases.append(Phrase(slots, 0 if shields else flag, name))
    return tuple(phrases)


@cache
def combinations() -> tuple[Combination, ...]:
    """Words that make an unsafe request where they stand together. Raises `LexiconError`."""
    shared: dict[str, Groups] = {}
    if [*read_combinations((_TOGETHER / "terms.txt").read_text("utf-8"), shared, "")]:
        raise LexiconError("terms.txt holds a combination; it takes terms alone")
    return tuple(
        rule
        for name in categories()
        for rule in read_combinations(
            (_TOGETHER / f"{name}.txt").read_text("utf-8"), dict(shared), name
        )
    )


@cache
def combinations_by(flags: SafetyFlags) -> Combinations:
    """Those of the categories whose flag is not 0, ready to be looked for."""
    return Combinations(rule for rule in combinations() if getattr(flags, rule.category))


def read_phrases(source: str, terms: dict[str, tuple[str, ...]]) -> Iterator[tuple[Slots, bool]]:
    """Yield `(slots, shields)` for each phrase of a file; definitions are put into `terms`."""
    for line in _lines(source):
        if term := _TERM.fullmatch(line):
            terms[term[1]] = _choice(term[2])
        else:
            yield _slots(line.removeprefix("!").strip(), terms), line.startswith("!")


def read_combinations(
    source: str, terms: dict[str, Groups], category: str
) -> Iterator[Combination]:
    """Yield the combinations of a file; definitions are put into `terms`."""
    for line in _lines(source):
        if term := _TERM.fullmatch(line):
            terms[term[1]] = _groups(term[2], terms)
            continue
        wanted, _, unwanted = line.partition(" - ")
        first, *others = (_groups(part, terms) for part in wanted.split(" & "))
        if not others:
            raise LexiconError(f"{line!r} asks for one choice alone: that is a phrase")
        words = tuple(dict.fromkeys(word for group in first for word in group))
        unless = _groups(unwanted, terms) if unwanted else ()
        if any("[" in word or "$" in word for word in words):
            raise LexiconError(f"{line!r} begins with a word that has a gap or an end")
        yield Combination(
            words,
            tuple(tuple(map(words_of, groups)) for groups in others),
            tuple(words_of(group, denied=True) for group in unless),
            category,
        )


def _lines(source: str) -> Iterator[str]:
    for line in map(str.strip, source.splitlines()):
        if line and not line.startswith("#"):
            yield line


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
    # Not stripped: the space before or after a word may be what parts it from the next slot.
    return tuple(dict.fromkeys(_SPACES.sub(" ", word.translate(PLAIN)) for word in text.split("|")))


def _groups(text: str, terms: dict[str, Groups]) -> Groups:
    # Terms stay groups of their own: their expressions, the dear part, are made only once.
    groups: list[tuple[str, ...]] = []
    words: list[str] = []
    for part in text.split("|"):
        if not part.startswith("<"):
            word = "".join(char if char in _NOTATION else PLAIN[ord(char)] for char in part).strip()
            if not word:
                raise LexiconError("an empty word would stand everywhere")
            words.append(word)
        elif part.endswith(">") and part[1:-1] in terms:
            groups += terms[part[1:-1]]
        else:
            raise LexiconError(f"cannot read {part!r}")
    if words:
        groups.append(tuple(words))
    return tuple(dict.fromkeys(groups))
