"""The marks of citations in an answer, `^[1]^` and `^[1][2]^`, apart from its text."""

import re

from xinghe.generation.search import WRITTEN

_BEGUN = re.compile(r"\^(?:\[[0-9]{1,3}\]){0,28}(?:\[[0-9]{0,3})?$")
"""At the end of a text: it may become a mark."""
_NUMBER = re.compile(r"[0-9]+")


class Marks:
    """Splits a text that comes in pieces; keeps back what may become a mark."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> list[str | tuple[int, ...]]:
        """What may be shown, and the numbers of each mark, in order."""
        text = self._held + text
        begun = _BEGUN.search(text, max(0, text.rfind("^"))) if "^" in text else None
        parts: list[str | tuple[int, ...]] = []
        at = 0
        for mark in WRITTEN.finditer(text):
            parts += [text[at : mark.start()], tuple(map(int, _NUMBER.findall(mark[1])))]
            at = mark.end()
        end = len(text) if begun is None or begun.start() < at else begun.start()
        self._held = text[end:]
        return [part for part in (*parts, text[at:end]) if part]

    def flush(self) -> str:
        """What was kept back, now that no more comes."""
        held, self._held = self._held, ""
        return held
