"""A stream in Anthropic's typed events. They are spliced: escaped text into prebuilt frames."""

import msgspec

from xinghe.api.chat.encoder import one_line
from xinghe.api.error_form import ErrorForm
from xinghe.api.messages.errors import MESSAGE_ERRORS
from xinghe.api.messages.layout import Layout
from xinghe.api.messages.response import (
    SIGNATURE,
    WEB_SEARCH,
    AnswerBlock,
    AnsweredMessage,
    Citation,
    MessageEnd,
    MessageUsage,
    ServerToolUseBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    WebSearchResult,
    WebSearchToolResultBlock,
    WebSearchToolResultError,
    search_id,
)
from xinghe.core import Delta, FinishDelta, Source, Usage
from xinghe.engines import spread

_encode = msgspec.json.encode

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
END = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
PIECES = {
    "text": b'"text_delta","text":',
    "thinking": b'"thinking_delta","thinking":',
    "json": b'"input_json_delta","partial_json":',
}
"""What a piece of each kind of block is called."""


class MessageEncoder:
    """Deltas in, bytes of events out."""

    keep_alive = PING
    errors: ErrorForm = MESSAGE_ERRORS

    def __init__(self, request_id: str, model: str, usage: Usage) -> None:
        self._events = _Events(search_id(request_id), usage)
        self._layout = Layout(self._events)
        self._usage = usage
        self._message = AnsweredMessage.of(request_id, model, [], MessageEnd(), usage)
        self._opened = False

    def encode(self, deltas: list[Delta]) -> bytes:
        """All events of one batch, to be sent at once."""
        events = self._events.events
        if not self._opened:
            self._opened = True
            # The prompt may be counted by now; the last event tells the whole usage.
            self._message.usage = MessageUsage.of(self._usage)
            events.append(_event("message_start", b'"message":' + _encode(self._message)))
        for delta in spread(deltas):
            self._layout.take(delta)
        data = b"".join(events)
        events.clear()
        return one_line(data)


class _Events:
    """Writes blocks as events."""

    def __init__(self, search: str, usage: Usage) -> None:
        self.events = list[bytes]()
        self._search = search
        self._usage = usage
        self._number = -1
        self._kind = ""
        self._before = self._cited = b""

    def text(self) -> None:
        self._begin("text", TextBlock(""))

    def thinking(self) -> None:
        self._begin("thinking", ThinkingBlock("", ""))

    def call(self, id_: str, name: str) -> None:
        self._begin("json", ToolUseBlock(id_, name, {}))

    def search(self, query: str) -> None:
        self._begin("json", ServerToolUseBlock(self._search, WEB_SEARCH, {}))
        self.piece(_encode({"query": query}).decode())
        self.end()

    def found(self, sources: tuple[Source, ...]) -> None:
        results = [WebSearchResult(each.url, each.title) for each in sources]
        self._begin("json", WebSearchToolResultBlock(self._search, results))
        self.end()

    def failed(self) -> None:
        self._begin("json", WebSearchToolResultBlock(self._search, WebSearchToolResultError()))
        self.end()

    def piece(self, text: str) -> None:
        self.events += (self._before, _encode(text), b"}}\n\n")

    def cite(self, source: Source) -> None:
        said = _encode(Citation(source.url, source.title))
        self.events.append(self._delta(b'"citations_delta","citation":' + said))

    def end(self) -> None:
        if self._kind == "thinking":
            self.events.append(self._delta(b'"signature_delta","signature":' + _encode(SIGNATURE)))
        self.events.append(_event("content_block_stop", b'"index":%d' % self._number))

    def finish(self, finish: FinishDelta) -> None:
        said = _encode(MessageEnd.by(finish))
        usage = _encode(MessageUsage.of(self._usage))
        self.events += (_event("message_delta", b'"delta":' + said + b',"usage":' + usage), END)

    def _begin(self, kind: str, block: AnswerBlock) -> None:
        self._number += 1
        self._kind = kind
        head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d'
        self._before = head % self._number + b',"delta":{"type":' + PIECES[kind]
        begun = b'"index":%d,"content_block":' % self._number + _encode(block)
        self.events.append(_event("content_block_start", begun))

    def _delta(self, said: bytes) -> bytes:
        fields = b'"index":%d,"delta":{"type":' % self._number + said + b"}"
        return _event("content_block_delta", fields)


def _event(kind: str, fields: bytes) -> bytes:
    name = kind.encode()
    return b"event: " + name + b'\ndata: {"type":"' + name + b'",' + fields + b"}\n\n"
