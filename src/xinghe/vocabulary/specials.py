"""Texts of clients kept from becoming special tokens of a model, whatever template they are in.

A mark is set into each text where a special token might begin in it or run into it. The template
is filled with the marked texts. Where a special token then has a mark in it, a client's text is
part of it: there the rendered text is cut, and the pieces are tokenized one by one. A special
token without a mark is the template's own. All other marks are taken out without a trace.
"""

import re
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

JOINER = "\u2060"
"""U+2060 WORD JOINER, which nobody sees."""


class Specials:
    """The special tokens of one vocabulary.

    The mark is a random character of Unicode's private plane. A text that holds it by chance
    loses it, and nothing else happens.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        known = sorted({text for text in texts if len(text) > 1})
        self._mark = chr(0xF0000 + secrets.randbelow(0xFFFE))
        self._firsts = sorted({text[0] for text in known})
        self._signs = [first for first in self._firsts if not first.isalnum()]
        self._longest = max(map(len, known), default=0)
        self._tails = {text[at:] for text in known for at in range(1, len(text))}
        self._heads = {text[:at] for text in known for at in range(1, len(text))}
        self._insides = "\0".join(text[1:] for text in known)
        self._pattern = re.compile(_expression(known, self._mark) if known else r"(?!)")

    def suspects(self, text: str) -> bool:
        """Whether a special token might begin in a text, or run into it from what is before it."""
        return (
            any(sign in text for sign in self._signs)
            or self._pattern.search(text) is not None
            or self._goes_on(text.strip())
        )

    def marked(self, text: str) -> str:
        """A text with marks; the spaces around it stay outside, as templates may trim it."""
        core = text.lstrip()
        if not core:
            return text
        space = text[: len(text) - len(core)]
        core = core.replace(self._mark, "")
        for first in self._firsts:
            core = core.replace(first, first + self._mark)
        return f"{space}{self._mark}{core}"

    def pieces(self, rendered: str) -> Iterator[str]:
        """A rendered text without its marks, cut within each special token that has one."""
        begin = at = 0
        while found := self._pattern.search(rendered, at):
            at = found.start() + 1  # the next one may overlap it
            cut = rendered.find(self._mark, found.start(), found.end())
            if cut > begin:
                yield rendered[begin:cut].replace(self._mark, "")
                begin = cut
        yield rendered[begin:].replace(self._mark, "")

    def spelled(self, text: str) -> str:
        """A text with a `JOINER` in each special token, where it cannot be taken in pieces."""
        parts: list[str] = []
        at = 0
        while found := self._pattern.search(text, at):
            parts += (text[at : found.start() + 1], JOINER)
            at = found.start() + 1
        text = "".join([*parts, text[at:]])
        core = text.strip()
        before, after = (
            JOINER if each else "" for each in (self._goes_on(core), self._opens(core))
        )
        space = len(text) - len(text.lstrip())
        return f"{text[:space]}{before}{core}{after}{text[space + len(core) :]}"

    def _goes_on(self, core: str) -> bool:
        """Whether a text begins as a special token goes on."""
        if not core:
            return False
        if len(core) < self._longest and core in self._insides:
            return True
        lengths = range(1, min(self._longest, len(core) + 1))
        return any(core[:length] in self._tails for length in lengths)

    def _opens(self, core: str) -> bool:
        """Whether a text ends as a special token begins."""
        lengths = range(1, min(self._longest, len(core) + 1))
        return any(core[-length:] in self._heads for length in lengths)


Tree = dict[str, Any]


def _expression(texts: list[str], mark: str) -> str:
    """Matches the longest of the texts, with marks between its characters or without."""
    tree: Tree = {}
    for text in texts:
        node = tree
        for character in text:
            node = node.setdefault(character, {})
        node[""] = {}
    return _branches(tree, mark)


def _branches(node: Tree, mark: str) -> str:
    branches = []
    for first, below in node.items():
        if not first:
            continue
        branch, rest = re.escape(first), below
        while len(rest) == 1 and "" not in rest:  # or long tokens would nest too deeply
            ((only, rest),) = rest.items()
            branch += f"{mark}*{re.escape(only)}"
        if any(rest):
            more = f"{mark}*{_branches(rest, mark)}"
            branch += f"(?:{more})?" if "" in rest else more
        branches.append(branch)
    return f"(?:{'|'.join(branches)})" if len(branches) > 1 else branches[0]
