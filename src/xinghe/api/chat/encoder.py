"""A stream in the two dialects. Chunks are spliced: escaped text into a prebuilt frame."""

from collections.abc import Sequence

import msgspec

from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.response import FINISH_REASONS, ChoiceLogprobs, CompletionUsage, SearchResult
from xinghe.api.dialect import Dialect
from xinghe.api.error_form import OPENAI_ERRORS
from xinghe.api.exchange import Exchange
from xinghe.core import (
    Delta,
    FinishDelta,
    NothingFoundDelta,
    ReasoningDelta,
    RefusalDelta,
    SearchingDelta,
    SourcesDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from xinghe.engines import spread
from xinghe.text_run import TextRun

_encode = msgspec.json.encode

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
_LINE_ENDS = [(chr(code).encode(), b"\\u%04x" % code) for code in (0x85, 0x2028, 0x2029)]
"""JSON may hold them, but many a client cuts a stream into lines where any of them stands."""
SEARCHING = "正在搜索"
"""What the first chunk says when a search begins (section 5.4, `enable_status`)."""
FOUND_NOTHING = {False: "未搜索到相关结果", True: "搜索未成功"}
"""What a chunk of the same kind says where the search found nothing, or (true) failed."""


class StreamEncoder:
    """Deltas in, bytes of events out.

    Where usage goes: documented, on the chunk with the finish reason; with
    `stream_options.include_usage`, on a last chunk without choices, as OpenAI has it. At `/v1`
    there is none unless it was asked for.
    """

    keep_alive = KEEP_ALIVE
    errors = OPENAI_ERRORS

    def __init__(
        self, exchange: Exchange, request: ChatRequest, usage: Usage, choice: int = 0
    ) -> None:
        self._choice = b'{"index":%d,' % choice
        self._ends_all = choice == request.n - 1
        self._dialect = exchange.dialect
        self._include_usage = request.include_usage
        self._usage = usage
        self._shows_usage = exchange.dialect is Dialect.DOCUMENTED or request.include_usage
        head = {
            "id": exchange.request_id,
            "object": "chat.completion.chunk",
            "created": exchange.created,
            "model": request.model,
        }
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        null_usage = b',"usage":null' if self._shows_usage else b""
        self._logprobs = b'"logprobs":null,' if self._dialect is Dialect.OPENAI else b""
        self._before = self._head + self._choice + b'"delta":{"content":'
        self._goes_on = b"}," + self._logprobs + b'"finish_reason":null'
        self._end = null_usage + b"}\n\n"
        self._after = self._goes_on + b"}]" + self._end
        self._between = self._after + self._before
        self._results = b""
        """The `search_results`, ready for the chunks that carry them."""
        self._shown = False
        """Whether a chunk with content has left, with sources."""
        self._held: tuple[str, Sequence[TokenLogprob]] | None = None
        """With sources, a piece is kept back until it is known whether it is the last."""
        self._searched = request.search is not None
        self._opened = False

    def encode(self, deltas: list[Delta]) -> bytes:
        """All events of one batch, to be sent at once."""
        events: list[bytes] = []
        if not self._opened:
            self._opened = True
            events.append(self._opening(deltas))
        for delta in spread(deltas) if self._searched else deltas:
            match delta:
                case TextRun() | TextDelta():
                    events.append(self._said(delta))
                case ReasoningDelta(text, _):
                    events += (self._before, b'"","reasoning_content":', _encode(text), self._after)
                case RefusalDelta(text, _):
                    events += (self._hold_back(None), self._refusal(text))
                case ToolCallDelta():
                    events.append(self._call(delta))
                case SourcesDelta() | NothingFoundDelta():
                    events.append(self._found(delta))
                case FinishDelta():
                    events += (self._hold_back(None), self._finish(delta))
        return one_line(b"".join(events))

    def _opening(self, deltas: list[Delta]) -> bytes:
        """The first chunk: the role, and no content yet, or that a search has begun."""
        frame = self._head + self._choice + b'"delta":{"role":"assistant","content":'
        if not any(isinstance(delta, SearchingDelta) for delta in deltas):
            return frame + b'""' + self._after
        return frame + self._status(SEARCHING)

    def _found(self, delta: SourcesDelta | NothingFoundDelta) -> bytes:
        """What a search has come to; sources wait for the chunks that carry them."""
        if isinstance(delta, NothingFoundDelta):
            return self._before + self._status(FOUND_NOTHING[delta.failed])
        shown = [SearchResult(each.index, each.url, each.title) for each in delta.sources]
        self._results = b',"search_results":' + _encode(shown)
        return b""

    def _status(self, said: str) -> bytes:
        """The rest of a chunk that tells how a search goes, and is no part of the answer."""
        return _encode(said) + self._goes_on + b',"delta_tag":"search_status"}]' + self._end

    def _call(self, delta: ToolCallDelta) -> bytes:
        if delta.id is None and not delta.arguments:
            return b""  # it carries tokens only
        said = self._hold_back(None)  # what was said before a call comes before it
        return said + self._before + b'"","tool_calls":[' + _fragment(delta) + b"]" + self._after

    def _refusal(self, text: str) -> bytes:
        said = _encode(text)
        if self._dialect is Dialect.OPENAI:
            said = b'"","refusal":' + said
        return self._before + said + self._after

    def _said(self, delta: TextDelta | TextRun) -> bytes:
        if isinstance(delta, TextRun):
            return self._before + self._between.join(delta.escaped) + self._after
        if self._searched:
            return self._hold_back(delta.text, delta.logprobs)
        if delta.logprobs:
            return self._with_logprobs(delta.text, delta.logprobs)
        return self._before + _encode(delta.text) + self._after

    def _with_logprobs(
        self, text: str, tokens: Sequence[TokenLogprob], results: bytes = b""
    ) -> bytes:
        """A piece with how likely its tokens were."""
        told = b'},"logprobs":' + _encode(ChoiceLogprobs.of(tokens)) + b',"finish_reason":null}]'
        return self._before + _encode(text) + told + results + self._end

    def _hold_back(self, text: str | None, tokens: Sequence[TokenLogprob] = ()) -> bytes:
        """The piece that was kept, now that the next is here (`None`: it was the last)."""
        if text == "" and not tokens:
            return b""
        kept, self._held = self._held, None if text is None else (text, tokens)
        if kept is None:
            return b""
        ends = text is None
        results = self._results if ends or not self._shown else b""
        self._shown = True
        if kept[1]:
            return self._with_logprobs(*kept, results)
        return self._before + _encode(kept[0]) + self._goes_on + b"}]" + results + self._end

    def _finish(self, finish: FinishDelta) -> bytes:
        safety = b""
        if finish.flag and self._dialect is not Dialect.OPENAI:
            # On a stream, `flag` appears only when moderation found something.
            safety = b',"flag":%d,"ban_round":%d' % (finish.flag, finish.ban_round)
        choice = (
            self._choice
            + b'"delta":{"content":""},'
            + self._logprobs
            + b'"finish_reason":'
            + _encode(FINISH_REASONS[self._dialect][finish.reason])
            + safety
            + b"}]"
            + self._results
        )
        if not self._ends_all:
            return self._head + choice + self._end
        if self._include_usage:
            usage = _encode(CompletionUsage.of(self._usage))
            return (
                self._head
                + choice
                + b',"usage":null}\n\n'
                + self._head
                + b'],"usage":'
                + usage
                + b"}\n\n"
                + DONE
            )
        if self._shows_usage:
            choice += b',"usage":' + _encode(CompletionUsage.of(self._usage))
        return self._head + choice + b"}\n\n" + DONE


def one_line(data: bytes) -> bytes:
    """Events without what ends a line for some client, but for their own line feeds."""
    if not data.isascii():
        for character, escape in _LINE_ENDS:
            data = data.replace(character, escape)
    return data


def _fragment(delta: ToolCallDelta) -> bytes:
    """A call's beginning, with id and name, or a piece of its arguments."""
    arguments = b'"arguments":' + _encode(delta.arguments)
    if delta.id is None:
        return b'{"index":%d,"function":{%s}}' % (delta.index, arguments)
    name = _encode(delta.name or "")
    return b'{"index":%d,"id":%s,"type":"function","function":{"name":%s,%s}}' % (
        delta.index,
        _encode(delta.id),
        name,
        arguments,
    )
