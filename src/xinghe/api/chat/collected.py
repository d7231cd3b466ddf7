"""A whole answer, put together from its deltas."""

from __future__ import annotations

from collections.abc import Sequence

from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    ReasoningDelta,
    Source,
    SourcesDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)


class Collected:
    """Takes deltas; tells what they make."""

    def __init__(self) -> None:
        self.finish = FinishDelta(FinishReason.NORMAL)
        self.sources: tuple[Source, ...] | None = None
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: dict[int, tuple[str, str, list[str]]] = {}

    def take(self, deltas: Sequence[Delta]) -> None:
        for delta in deltas:
            match delta:
                case TextDelta(text, _):
                    self._texts.append(text)
                case ReasoningDelta(text, _):
                    self._thoughts.append(text)
                case ToolCallDelta(index, id_, name, arguments):
                    call = self._calls.setdefault(index, (id_ or "", name or "", []))
                    call[2].append(arguments)
                case SourcesDelta(sources):
                    self.sources = sources
                case FinishDelta():
                    self.finish = delta

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def thought(self) -> str:
        return "".join(self._thoughts)

    @property
    def calls(self) -> list[ToolCall]:
        return [
            ToolCall(id_, name, "".join(arguments))
            for _, (id_, name, arguments) in sorted(self._calls.items())
        ]
