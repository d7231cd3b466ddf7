"""The events of one item of an answer, from its beginning to its end, as OpenAI orders them."""

import re
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from xinghe.api.chat.response import AnswerToken, ChoiceLogprobs
from xinghe.api.responses.answer import (
    CustomItem,
    FunctionItem,
    MessageItem,
    OutputItem,
    ReasoningItem,
    RefusalSaid,
    SearchAction,
    SearchItem,
    SourceShown,
    Status,
    SummaryShown,
    TextSaid,
    ThoughtShown,
    UrlCitation,
)
from xinghe.api.responses.carried import carried
from xinghe.api.responses.tools import Called
from xinghe.core import Source, TokenLogprob
from xinghe.generation.search import WRITTEN

_encode = msgspec.json.encode
_NUMBER = re.compile(r"[0-9]+")


class Numbered(msgspec.Struct):
    """Makes events, each with the number behind that of the one before."""

    number: int = 0

    def event(self, kind: str, **fields: Any) -> bytes:
        data = _encode({"type": kind, "sequence_number": self.number, **fields})
        self.number += 1
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)

    def delta(self, frame: bytes, text: str, more: bytes = b"") -> bytes:
        """Of a `frame`: escaped text spliced into it, as there is one for nearly each token."""
        number, self.number = self.number, self.number + 1
        return frame + _encode(text) + more + b',"sequence_number":%d}\n\n' % number


def frame(kind: str, **fields: Any) -> bytes:
    """All of a delta's event but its text and its number."""
    head = _encode({"type": kind, **fields})[:-1]
    return b"event: %s\ndata: %s" % (kind.encode(), head) + b',"delta":'


class Open(Protocol):
    """An item that is being made."""

    def item(self, status: Status) -> OutputItem:
        """As far as it is made."""

    def close(self, status: Status) -> bytes:
        """The events of its end."""


class OpenSearch(msgspec.Struct):
    """A search that is being made, or has `failed`; `shows` its sources."""

    events: Numbered
    at: int
    id: str
    query: str
    shows: bool
    sources: Sequence[Source] = ()
    failed: bool = False

    def begin(self) -> bytes:
        told = {"output_index": self.at, "item_id": self.id}
        return (
            self.events.event(
                "response.output_item.added", output_index=self.at, item=self._item("in_progress")
            )
            + self.events.event("response.web_search_call.in_progress", **told)
            + self.events.event("response.web_search_call.searching", **told)
        )

    def item(self, status: Status) -> SearchItem:
        if status == "in_progress":
            return self._item(status)
        return self._item("failed" if self.failed else "completed")

    def close(self, status: Status) -> bytes:
        told = {"output_index": self.at, "item_id": self.id}
        ended = self.events.event("response.web_search_call.completed", **told)
        return ended + _done(self.events, self.at, self.item("completed"))

    def _item(self, status: Any) -> SearchItem:
        sources = [SourceShown(each.url) for each in self.sources] if self.shows else UNSET
        return SearchItem(self.id, status, SearchAction(self.query, [self.query], sources))


class OpenReasoning(msgspec.Struct):
    """A chain of thought that is being thought, shown as a `summary` or as it is.

    The client is given it once more where it `carries` it to its next request.
    """

    events: Numbered
    at: int
    id: str
    summary: bool
    carries: bool
    pieces: list[str] = []
    frame: bytes = b""

    def begin(self) -> bytes:
        added = self.events.event(
            "response.output_item.added",
            output_index=self.at,
            item=ReasoningItem(self.id, "in_progress", [], UNSET if self.summary else []),
        )
        self.frame = frame(f"{self._kind}.delta", **self._told)
        return added + self.events.event(f"{self._part}.added", **self._told, part=self._shown(""))

    def add(self, text: str) -> bytes:
        self.pieces.append(text)
        return self.events.delta(self.frame, text)

    def item(self, status: Status) -> ReasoningItem:
        text = "".join(self.pieces)
        again = carried(text) if self.carries else UNSET
        if self.summary:
            return ReasoningItem(self.id, status, [SummaryShown(text)], encrypted_content=again)
        return ReasoningItem(self.id, status, [], [ThoughtShown(text)], again)

    def close(self, status: Status) -> bytes:
        text = "".join(self.pieces)
        return (
            self.events.event(f"{self._kind}.done", **self._told, text=text)
            + self.events.event(f"{self._part}.done", **self._told, part=self._shown(text))
            + _done(self.events, self.at, self.item(status))
        )

    @property
    def _kind(self) -> str:
        return f"response.reasoning_{'summary_text' if self.summary else 'text'}"

    @property
    def _part(self) -> str:
        return f"response.{'reasoning_summary_part' if self.summary else 'content_part'}"

    @property
    def _told(self) -> dict[str, Any]:
        index = "summary_index" if self.summary else "content_index"
        return {"item_id": self.id, "output_index": self.at, index: 0}

    def _shown(self, text: str) -> SummaryShown | ThoughtShown:
        return SummaryShown(text) if self.summary else ThoughtShown(text)


class OpenMessage(msgspec.Struct):
    """What the assistant says: a text that may cite `sources`, a refusal, or both."""

    events: Numbered
    at: int
    id: str
    sources: Sequence[Source]
    done: list[TextSaid | RefusalSaid] = []
    pieces: list[str] = []
    tokens: list[AnswerToken] = []
    refuses: bool = False
    frame: bytes = b""
    """Of the part that is being said; empty where none is."""

    def begin(self) -> bytes:
        item = MessageItem(self.id, "in_progress", [])
        return self.events.event("response.output_item.added", output_index=self.at, item=item)

    def add(
        self, text: str, tokens: Sequence[TokenLogprob] = (), *, refuses: bool = False
    ) -> bytes:
        opened, told = b"", b""
        if self.frame and refuses != self.refuses:
            opened = self._end_part()
        if not self.frame:
            self.refuses = refuses
            part: TextSaid | RefusalSaid = RefusalSaid("") if refuses else TextSaid("")
            opened += self.events.event("response.content_part.added", **self._told, part=part)
            kind = "response.refusal.delta" if refuses else "response.output_text.delta"
            self.frame = frame(kind, **self._told)
        self.pieces.append(text)
        if not refuses:
            likely = ChoiceLogprobs.of(tokens).content
            self.tokens += likely
            told = b',"logprobs":' + (_encode(likely) if likely else b"[]")
        return opened + self.events.delta(self.frame, text, told)

    def item(self, status: Status) -> MessageItem:
        parts = [*self.done, self._part()] if self.frame else self.done
        return MessageItem(self.id, status, list(parts))

    def close(self, status: Status) -> bytes:
        ended = self._end_part() if self.frame else b""
        return ended + _done(self.events, self.at, self.item(status))

    @property
    def _told(self) -> dict[str, Any]:
        return {"item_id": self.id, "output_index": self.at, "content_index": len(self.done)}

    def _part(self) -> TextSaid | RefusalSaid:
        text = "".join(self.pieces)
        if self.refuses:
            return RefusalSaid(text)
        return TextSaid(text, cited(text, self.sources), self.tokens)

    def _end_part(self) -> bytes:
        part, told, events = self._part(), self._told, self.events
        if isinstance(part, RefusalSaid):
            ended = events.event("response.refusal.done", **told, refusal=part.refusal)
        else:
            added = [
                events.event(
                    "response.output_text.annotation.added",
                    **told,
                    annotation_index=at,
                    annotation=annotation,
                )
                for at, annotation in enumerate(part.annotations)
            ]
            ended = b"".join(added) + events.event(
                "response.output_text.done", **told, text=part.text, logprobs=part.logprobs
            )
        ended += events.event("response.content_part.done", **told, part=part)
        self.done.append(part)
        self.pieces, self.tokens, self.frame = [], [], b""
        return ended


class OpenCall(msgspec.Struct):
    """A call that is being made.

    The model gives a custom tool an object with its input, which is read when it is whole.
    """

    events: Numbered
    at: int
    id: str
    call_id: str
    called: Called
    pieces: list[str] = []
    frame: bytes = b""

    def begin(self) -> bytes:
        self.frame = frame(f"{self._kind}.delta", **self._told)
        item = self.item("in_progress")
        return self.events.event("response.output_item.added", output_index=self.at, item=item)

    def add(self, arguments: str) -> bytes:
        self.pieces.append(arguments)
        if self.called.custom or not arguments:
            return b""
        return self.events.delta(self.frame, arguments)

    def item(self, status: Status) -> FunctionItem | CustomItem:
        text, namespace = "".join(self.pieces), self.called.namespace or UNSET
        if self.called.custom:
            said = _input_of(text)
            return CustomItem(self.id, status, self.call_id, self.called.name, said, namespace)
        return FunctionItem(self.id, status, self.call_id, self.called.name, text, namespace)

    def close(self, status: Status) -> bytes:
        item = self.item(status)
        if isinstance(item, CustomItem):
            ended = self.events.delta(self.frame, item.input) if item.input else b""
            ended += self.events.event(f"{self._kind}.done", **self._told, input=item.input)
        else:
            ended = self.events.event(f"{self._kind}.done", **self._told, arguments=item.arguments)
        return ended + _done(self.events, self.at, item)

    @property
    def _kind(self) -> str:
        return (
            "response.custom_tool_call_input"
            if self.called.custom
            else "response.function_call_arguments"
        )

    @property
    def _told(self) -> dict[str, Any]:
        return {"item_id": self.id, "output_index": self.at}


def _done(events: Numbered, at: int, item: OutputItem) -> bytes:
    return events.event("response.output_item.done", output_index=at, item=item)


def _input_of(arguments: str) -> str:
    """The text that a custom tool is called with; empty where the answer's length cut it off."""
    try:
        said = msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return ""
    return str(said.get("input", "")) if isinstance(said, dict) else ""


def cited(text: str, sources: Sequence[Source]) -> list[UrlCitation]:
    """The citations in a text, each number of a mark by itself."""
    if not sources:
        return []
    known = {source.index: source for source in sources}
    return [
        UrlCitation(mark.start(), mark.end(), source.url, source.title)
        for mark in WRITTEN.finditer(text)
        for number in _NUMBER.findall(mark[1])
        if (source := known.get(int(number))) is not None
    ]
