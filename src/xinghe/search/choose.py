"""What of all that was found the model gets to read: the most relevant, within a budget, harmless.

Strangers wrote it. No filter can tell every instruction from every fact. What is certain is done
by force: nothing in the text can end its place in the prompt or open a turn of the conversation.
What merely looks like an order to a model is taken out sentence by sentence; the prompt says the
rest.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec

from xinghe.search.provider import Found
from xinghe.search.terms import SENTENCE_END, fuse, passages, query_terms, terms

Measure = Callable[[str], int]
"""How many tokens a text takes, about."""

LEAST_TOKENS = 80
"""A source that gets fewer says nothing; rather fewer sources than that."""
TITLE_TOKENS = 30
MAX_TEXT = 30_000
"""Characters of one document that are looked through."""
PASSAGE_CHARACTERS = 240
_TOKEN = re.compile(
    r"<[|｜][^<>|｜\n]{0,60}[|｜]>|</?(?:s|bos|eos|unk|pad|think|tool_call|(?:start|end)_of_turn)>"
    r"|<</?SYS>>|\[/?[a-z]?[A-Z_]{3,20}\]"
)
"""The control tokens of the chat templates in use: they say nothing."""
_CONTROL = re.compile(r"<(?=/?[A-Za-z_][\w:|.-]{0,40}>|[|｜/]|<)|\[(?=/?[a-z]?[A-Z_]{3,20}\])")
"""Where one could still begin, be it put together by what was taken out or of an unknown kind."""
_MARK = re.compile(
    r"(?<![\w\])])\^?\[\^?\d{1,3}\^?\]\^?"
    r"|(?<=[\u3400-\u9fff])\^?\[\d{1,3}\]\^?"
    r"|\^\[\d{1,3}\]\^"
)
"""A citation of the text's own sources: they are not ours."""
_SENTENCE = re.compile(r"(?:[^。！？!?\n.]|\.(?!\s))*(?:[。！？!?]+|\.(?=\s)|\n|$)")
_ORDER = re.compile(
    r"(ignore|disregard|forget|override|bypass)\b.{0,40}\b(instruction|prompt|previous|above|prior"
    r"|rule|context|guideline|everything)"
    r"|\bsystem prompts?\b"
    r"|\byou (are now|must now|have to now|will now|are no longer)\b"
    r"|\b(as an ai|language model|assistant)\b.{0,40}\b(must|should|shall|has to|reply|respond|say"
    r"|output)\b"
    r"|\b(reply|respond|answer|output|print|say|write) (only|exactly|just|nothing (but|else)"
    r"|with (only|just|exactly|the (word|following|text|string))|the word)\b"
    r"|\bnew instructions?\b|\bjailbreak"
    r"|^\W*(please |now |just )*(say|print|output|repeat|reply|respond)\b"
    r"|(^|\s)(assistant|human)\s?[::]|^\W*(user|system|助手|用户|系统)\s?[::]"
    r"|(忽略|无视|忘记|忘掉|不要理会|不要遵守|抛开|覆盖).{0,20}(指令|指示|提示|要求|规则|设定|之前|以上|上面|前面|上述)"
    r"|系统(提示词?|指令)"
    r"|(你现在(是|必须|要)|从现在(开始|起))"
    r"|(只|仅)(能|需|要|可以)?(回答|回复|输出)"
    r"|(请|必须|务必|应当)(直接|立即|马上|只)?(回答|回复|输出|复述|说出)"
    r"|新的?指令",
    re.IGNORECASE,
)
OMITTED = "[略]"
"""Stands where a sentence was taken out."""
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


class Reference(msgspec.Struct, frozen=True):
    """A source as the model reads it. `number` counts the public ones from 1; others have none.

    `title` is the document's own, for people; `heading` is the same cut short and made harmless.
    """

    number: int | None
    url: str
    title: str
    heading: str
    text: str


class ChooseRequest(msgspec.Struct, frozen=True):
    """What `choose` is asked; `measure` is where its function stands, as module and name."""

    query: str
    found: list[Found]
    references: int
    budget: int
    measure: tuple[str, str]


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
    ends = [match.end() for match in SENTENCE_END.finditer(text, low // 2, low)]
    return text[: ends[-1]] if ends else text[:low]


def neutral(text: str) -> str:
    """The text without what could act on a model or pass for our own marks."""
    text = unicodedata.normalize("NFC", text)
    # Invisible characters hide words from the reader and from the patterns below.
    text = "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in _INVISIBLE
    )
    text = _SENTENCE.sub(_without_order, text)
    text = _MARK.sub("", text)
    return _CONTROL.sub(lambda found: found[0] + " ", _TOKEN.sub(" ", text))


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
    begins = [0, *(match.end() for match in SENTENCE_END.finditer(piece)), len(piece)]
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


def _without_order(sentence: re.Match[str]) -> str:
    found = sentence[0]
    if not _ORDER.search(unicodedata.normalize("NFKC", found)):
        return found
    return OMITTED + ("\n" if found.endswith("\n") else "")
