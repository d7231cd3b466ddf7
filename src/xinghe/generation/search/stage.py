"""The citation filter as a stage between an engine and a reader."""

from __future__ import annotations

from xinghe.core import Delta, FinishDelta, TextDelta, ToolCallDelta
from xinghe.generation.search.citations import CitationFilter


class CitationStage:
    """Filters `TextDelta`s; the tokens of a text that is held back go with the next one."""

    __slots__ = ("_filter", "_tokens")

    def __init__(self, citations: CitationFilter) -> None:
        self._filter = citations
        self._tokens = 0

    def __call__(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, TextDelta):
                self._tokens += delta.tokens
                self._show(self._filter.feed(delta.text), out)
            elif isinstance(delta, FinishDelta | ToolCallDelta):
                # What was said before a call comes before it.
                self._show(self._filter.flush(), out)
                if self._tokens:
                    out.append(TextDelta("", self._tokens))
                    self._tokens = 0
                out.append(delta)
            else:
                out.append(delta)
        return out

    def _show(self, text: str, out: list[Delta]) -> None:
        if text:
            out.append(TextDelta(text, self._tokens))
            self._tokens = 0
