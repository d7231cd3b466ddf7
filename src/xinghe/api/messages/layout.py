"""How the deltas of an answer become blocks: one order, for streams and for whole answers.

A block ends where another kind of text begins, where another call begins, and behind a citation.
"""

from typing import Protocol

from xinghe.api.messages.citations import Marks
from xinghe.core import (
    Delta,
    FinishDelta,
    NothingFoundDelta,
    ReasoningDelta,
    RefusalDelta,
    SearchingDelta,
    Source,
    SourcesDelta,
    TextDelta,
    ToolCallDelta,
)

TEXT, THINKING = "text", "thinking"


class Writer(Protocol):
    """Writes blocks one after the other."""

    def text(self) -> None:
        """A block of text begins."""

    def thinking(self) -> None:
        """A chain of thought begins."""

    def call(self, id_: str, name: str) -> None:
        """A call begins."""

    def search(self, query: str) -> None:
        """A search, whole."""

    def found(self, sources: tuple[Source, ...]) -> None:
        """What it found, whole."""

    def failed(self) -> None:
        """It has failed, whole."""

    def piece(self, text: str) -> None:
        """More of the block that has begun: its text, or a call's arguments."""

    def cite(self, source: Source) -> None:
        """What the text that has begun rests on."""

    def end(self) -> None:
        """The block that has begun is over."""

    def finish(self, finish: FinishDelta) -> None:
        """So is the message."""


class Layout:
    """Leads deltas to a writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._open: str | int | None = None
        """The kind of the block that has begun, or the number of its call."""
        self._searching = False
        """Whether a search has not told yet what it found."""
        self._marks: Marks | None = None
        self._sources: dict[int, Source] = {}

    def take(self, delta: Delta) -> None:
        match delta:
            case TextDelta(text, _) if text:
                self._text(text)
            case ReasoningDelta(text, _) if text:
                self._say(THINKING, text)
            case RefusalDelta(text, _) if text:
                self._say(TEXT, text)
            case ToolCallDelta(index, id_, name, arguments):
                self._call(index, id_, name, arguments)
            case SearchingDelta(query):
                self._close()
                self._searching = True
                self._writer.search(query)
            case NothingFoundDelta(failed=True) if self._searching:
                # Behind it come the sources, of which there are none.
                self._searching = False
                self._writer.failed()
            case SourcesDelta(sources):
                self._found(sources)
            case FinishDelta():
                self._close()
                self._writer.finish(delta)

    def _text(self, text: str) -> None:
        if self._marks is None:
            self._say(TEXT, text)
            return
        for part in self._marks.feed(text):
            if isinstance(part, str):
                self._say(TEXT, part)
            elif self._open == TEXT:
                cited = [self._sources[each] for each in part if each in self._sources]
                for source in cited:
                    self._writer.cite(source)
                if cited:
                    self._end()

    def _say(self, kind: str, text: str) -> None:
        if self._open != kind:
            if kind == TEXT:
                self._end()
                self._writer.text()
            else:
                self._close()
                self._writer.thinking()
            self._open = kind
        self._writer.piece(text)

    def _call(self, index: int, id_: str | None, name: str | None, arguments: str) -> None:
        if self._open != index:
            if id_ is None:
                return  # it carries tokens only
            self._close()
            self._open = index
            self._writer.call(id_, name or "")
        if arguments:
            self._writer.piece(arguments)

    def _found(self, sources: tuple[Source, ...]) -> None:
        self._sources = {each.index: each for each in sources}
        self._marks = Marks()
        if self._searching:
            self._searching = False
            self._writer.found(sources)

    def _close(self) -> None:
        """What was held back of the text leaves, and what has begun ends."""
        rest = self._marks.flush() if self._marks is not None else ""
        if rest:
            self._say(TEXT, rest)
        self._end()

    def _end(self) -> None:
        if self._open is not None:
            self._open = None
            self._writer.end()
        if self._searching:
            self._searching = False
            self._writer.found(())
