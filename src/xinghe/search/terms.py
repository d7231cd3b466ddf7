"""Text as search terms: character pairs for Chinese, words for the rest.

Chinese has no spaces, and SQLite's own trigram tokenizer cannot find a word of two characters.
Overlapping pairs need no dictionary and find about as much as segmented words do (Nie, Gao,
Zhang and Zhou, "On the Use of Words and N-grams for Chinese Information Retrieval", 2000).
"""

from __future__ import annotations

import re
import unicodedata

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


def _pairs(text: str) -> list[str]:
    """Terms without the lone characters that end a run, unless there is nothing else."""
    found = list(dict.fromkeys(terms(text)))
    return [term for term in found if not _lone(term) and not _FUNCTION.fullmatch(term)] or found


def _lone(term: str) -> bool:
    return len(term) == 1 and not term.isascii()
