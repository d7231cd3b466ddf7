"""The search of the reference: operations by what is asked for, the most fitting first."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinghe.console import advice
from xinghe.console.reference.contract import Contract, Operation
from xinghe.console.reference.shapes import Field
from xinghe.console.reference.words import GROUPS, TITLES

LONGEST = 100
"""Characters of a question that are looked at."""
WORDS = 8
"""Different words of it that are looked for."""
_SHOWN = 4
"""Fields that a find names."""
_NAME, _TITLE, _PATH, _WORDS = 60, 40, 30, 6
_FIELD, _PART, _TOLD = 20, 8, 3


class Found(msgspec.Struct, frozen=True):
    """An operation, and the fields of it for which it was found."""

    operation: Operation
    fields: tuple[Field, ...]


def find(contract: Contract, asked: str) -> list[Found]:
    """Those that hold every word that is looked for, in whatever language."""
    words = _words(asked)
    ranked = []
    for place, name in enumerate(TITLES):
        operation = contract.operations.get(name)
        if operation is None:
            continue
        scores, fields = [], dict[str, Field]()
        every = contract.reachable(operation)
        for word in words:
            best, hits = _score(operation, every, word)
            scores.append(best)
            fields |= {each.name: each for each in hits}
        if words and all(scores):
            found = Found(operation, tuple(fields.values())[:_SHOWN])
            ranked.append((-sum(scores), place, found))
    return [found for _, _, found in sorted(ranked, key=lambda each: each[:2])]


def find_errors(codes: Sequence[str], asked: str) -> list[str]:
    """The error codes that hold every word, by their own name or by their advice."""
    words = _words(asked)
    return [
        code
        for code in codes
        if words
        and all(any(word in text.lower() for text in (code, *advice.of(code))) for word in words)
    ]


def _words(asked: str) -> list[str]:
    return list(dict.fromkeys(asked[:LONGEST].lower().split()))[:WORDS]


def _score(operation: Operation, every: list[Field], word: str) -> tuple[int, list[Field]]:
    """How well an operation answers to a word, and the fields that do, the best first."""
    title = TITLES[operation.name]
    score = 0
    if word in {operation.name, operation.method.lower()}:
        score = _NAME
    elif word in title.chinese or word in title.english.lower():
        score = _TITLE
    elif any(word in path for path in operation.paths) or word in operation.name:
        score = _PATH
    elif word in operation.summary.lower() or any(
        word in text.lower()
        for group in GROUPS
        if operation.name in group.titles
        for text in (group.title.chinese, group.title.english)
    ):
        score = _WORDS
    hits = [(_fits(each, word), each) for each in every]
    hits = sorted((each for each in hits if each[0]), key=lambda each: -each[0])
    return score + (hits[0][0] if hits else 0), [field for _, field in hits]


def _fits(field: Field, word: str) -> int:
    name = field.name.lower()
    if name == word:
        return _FIELD
    if word in name:
        return _PART
    texts = (field.told.chinese, field.told.english, field.allowed.english)
    return _TOLD if any(word in text.lower() for text in texts) else 0
