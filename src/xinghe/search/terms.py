"""What a text is to a search: terms, and passages to find; and several rankings as one.

Chinese has no spaces, and SQLite's own trigram tokenizer cannot find a word of two characters.
Overlapping pairs need no dictionary and find about as much as segmented words do (Nie, Gao,
Zhang and Zhou, "On the Use of Words and N-grams for Chinese Information Retrieval", 2000).
"""

import re
import unicodedata
from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

import msgspec

T = TypeVar("T", bound=Hashable)

_HAN = r"\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(rf"(?P<han>[{_HAN}]+)|[^\W_{_HAN}]+")
_ASKING = re.compile(
    "请问|请你|请帮|告诉我|我想知道|想知道|介绍一下|说一下|讲一下|为什么|是什么|什么是|有什么|有哪些|什么|怎么样|怎样|怎么"
    "|如何|哪些|哪里|哪个|哪儿|哪|多少|几个|是不是|能不能|可不可以|可以|是否|有没有|吗|呢|吧|啊|呀|的|了|谁|帮我|一下"
)
"""What makes a question of a statement: it stands in no answer."""

_FUNCTION = re.compile(
    "an?|and|are|as|at|be|by|can|could|did|do|does|for|from|how|i|in|is|it|me|my|of|on|or|please"
    "|should|tell|that|the|this|to|was|were|what|when|where|which|who|why|will|with|would|your?"
)
"""English words that stand in every text."""

MAX_TERMS = 64
"""Of one query: beyond that, more terms cost time and find nothing new."""
PASSAGE_CHARACTERS = 400
"""About; a passage ends with a paragraph or a sentence where there is one."""
SENTENCE_END = re.compile(r"[。！？!?；;\n]|\.\s")
_HEADING = re.compile(r"^#{1,6} +(.+?)[ #]*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")

K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009)."""


def terms(text: str) -> list[str]:
    """The terms of a text, in order.

    Each Chinese character begins one: a pair, or at the end of a run the character alone, so that
    a query of one character is found as a prefix.
    """
    found: list[str] = []
    for run in _RUN.finditer(unicodedata.normalize("NFKC", text).lower()):
        word = run[0]
        if run["han"]:
            found += [word[at : at + 2] for at in range(len(word))]
        else:
            found.append(word)
    return found


def query_terms(query: str) -> list[str]:
    """The distinct terms that an answer to a question would hold, in order."""
    found = _pairs(_ASKING.sub(" ", query)) or _pairs(query)
    return found[:MAX_TERMS]


def match_expression(query: str) -> str | None:
    """A query of SQLite's FTS5 that finds passages with any of the terms; `None` without terms."""
    wanted = query_terms(query)
    return " OR ".join(f'"{term}"*' if _lone(term) else f'"{term}"' for term in wanted) or None


def coverage(wanted: set[str], given: set[str]) -> float:
    """The share of the wanted terms that are given, 0 to 1."""
    return len(wanted & given) / len(wanted) if wanted else 0.0


class Passage(msgspec.Struct, frozen=True):
    """A piece of a text and the Markdown headings that it stands under."""

    heading: str
    text: str


def passages(text: str, size: int = PASSAGE_CHARACTERS) -> list[Passage]:
    """Cut a text; joined again, the pieces are the text."""
    found: list[Passage] = []
    for heading, section in _sections(text):
        found += [Passage(heading, piece) for piece in _pieces(section, size)]
    return found


def fuse(rankings: Sequence[Sequence[T]]) -> list[T]:
    """Order by the sum of 1 / (K + rank) over the rankings, each best first; ties keep theirs."""
    scores: dict[T, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + 1 / (K + rank)
    return sorted(scores, key=scores.__getitem__, reverse=True)


def _pairs(text: str) -> list[str]:
    """Terms without the lone characters that end a run, unless there is nothing else."""
    found = list(dict.fromkeys(terms(text)))
    return [term for term in found if not _lone(term) and not _FUNCTION.fullmatch(term)] or found


def _lone(term: str) -> bool:
    return len(term) == 1 and not term.isascii()


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """The text cut before its Markdown headings, each part with the titles above it."""
    path: list[str] = []
    lines: list[str] = []
    fence: str | None = None
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if mark is not None:
            fence = None if fence == mark[1] else fence or mark[1]
        heading = None if fence else _HEADING.match(line.rstrip())
        if heading is not None:
            if lines:
                yield " / ".join(path), "".join(lines)
            level = line.index(" ")
            path = [*path[: level - 1], heading[1]]
            lines = []
        lines.append(line)
    if lines:
        yield " / ".join(path), "".join(lines)


def _pieces(text: str, size: int) -> Iterator[str]:
    while len(text) > size * 3 // 2:
        ends = [match.end() for match in SENTENCE_END.finditer(text, size // 2, size)]
        blank = text.rfind("\n\n", size // 2, size)
        cut = blank + 2 if blank >= 0 else (ends[-1] if ends else size)
        yield text[:cut]
        text = text[cut:]
    if text:
        yield text
