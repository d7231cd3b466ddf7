"""What of all that was found the model gets to read: the most relevant, within a budget."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec

from xinghe.search.fusion import fuse
from xinghe.search.neutral import neutral
from xinghe.search.passages import passages
from xinghe.search.provider import Found
from xinghe.search.terms import query_terms, terms

Measure = Callable[[str], int]
"""How many tokens a text takes, about."""

LEAST_TOKENS = 80
"""A source that gets fewer says nothing; rather fewer sources than that."""
TITLE_TOKENS = 30
MAX_TEXT = 30_000
"""Characters of one document that are looked through."""
PASSAGE_CHARACTERS = 240
_END = re.compile(r"[。!?!?;;\n]|\.\s")


class Reference(msgspec.Struct, frozen=True):
    """A source as the model reads it. `number` counts the public ones from 1; others have none.

    `title` is the document's own, for people; `heading` is the same cut short and made harmless.
    """

    number: int | None
    url: str
    title: str
    heading: str
    text: str


def choose(
    query: str, found: Sequence[Found], references: int, budget: int, measure: Measure
) -> list[Reference]:
    """At most `references` sources in at most `budget` tokens, best first, each made harmless.

    The provider's order and our own, by the query's terms weighted by their rarity, count alike.
    """
    texts = [neutral((each.text or each.snippet)[:MAX_TEXT]) for each in found]
    pieces = [[piece.text for piece in passages(text, PASSAGE_CHARACTERS)] for text in texts]
    weights = _weights(query, pieces)
    best = [max((_score(piece, weights) for piece in each), default=0.0) for each in pieces]
    order = range(len(found))
    ranked = fuse([list(order), sorted(order, key=lambda at: -best[at])])
    ranked = [at for at in ranked if texts[at].strip()]
    ranked = ranked[: max(1, min(references, budget // LEAST_TOKENS))]
    chosen: list[Reference] = []
    number, left = 0, budget
    for place, at in enumerate(ranked):
        title = found[at].title
        heading = clip(neutral(title).replace("\n", " "), TITLE_TOKENS, measure)
        share = left // (len(ranked) - place) - measure(heading)
        text = _fill(pieces[at], weights, share, measure)
        if not text:
            continue
        left -= measure(heading) + measure(text)
        number += found[at].public
        shown = number if found[at].public else None
        chosen.append(Reference(shown, found[at].url, title, heading, text))
    return chosen


def clip(text: str, tokens: int, measure: Measure) -> str:
    """The beginning of a text that takes at most so many tokens, to a sentence's end if it can."""
    if measure(text) <= tokens:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle]) <= tokens:
            low = middle
        else:
            high = middle - 1
    ends = [match.end() for match in _END.finditer(text, low // 2, low)]
    return text[: ends[-1]] if ends else text[:low]


def _fill(pieces: Sequence[str], weights: dict[str, float], budget: int, measure: Measure) -> str:
    """The best pieces that fit, in the text's own order; of the best at least its best part."""
    scores = [_score(piece, weights) for piece in pieces]
    kept: dict[int, str] = {}
    for at in sorted(range(len(pieces)), key=lambda at: -scores[at]):
        piece = pieces[at].strip()
        cost = measure(piece)
        if cost > budget:
            if not kept:
                kept[at] = clip(_from_best_sentence(piece, weights), budget, measure)
            break
        if kept and not scores[at]:
            break
        kept[at] = piece
        budget -= cost
    return "\n".join(kept[at] for at in sorted(kept) if kept[at])


def _from_best_sentence(piece: str, weights: dict[str, float]) -> str:
    begins = [0, *(match.end() for match in _END.finditer(piece)), len(piece)]
    best = max(pairwise(begins), key=lambda span: _score(piece[slice(*span)], weights))
    return piece[best[0] :].lstrip()


def _weights(query: str, pieces: Sequence[Sequence[str]]) -> dict[str, float]:
    """The query's terms by inverse document frequency over all pieces."""
    wanted = set(query_terms(query))
    seen: Counter[str] = Counter()
    total = 0
    for each in pieces:
        for piece in each:
            seen.update(wanted & set(terms(piece)))
            total += 1
    return {term: math.log(1 + (total + 1) / (seen[term] + 0.5)) for term in wanted}


def _score(piece: str, weights: dict[str, float]) -> float:
    return sum(weights[term] for term in weights.keys() & set(terms(piece)))
