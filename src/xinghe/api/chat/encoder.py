"""The two dialects on the wire. Chunks are spliced: escaped text into a prebuilt frame."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.wire import AnswerMessage, ChatCompletion, Choice, Usage
from xinghe.api.dialect import Dialect
from xinghe.api.exchange import Exchange
from xinghe.core import Delta, FinishDelta, Meter, TextDelta

_encode = msgspec.json.encode

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


def completion(
    exchange: Exchange, request: ChatRequest, text: str, finish: FinishDelta, meter: Meter
) -> ChatCompletion:
    """The whole answer of a request without `stream`."""
    openai = exchange.dialect is Dialect.OPENAI
    return ChatCompletion(
        id=exchange.request_id,
        object="chat.completion",
        created=exchange.created,
        model=request.model,
        choices=[
            Choice(
                index=0,
                message=AnswerMessage("assistant", text, refusal=None if openai else UNSET),
                finish_reason=exchange.dialect.finish_reason(finish.reason),
                flag=UNSET if openai else finish.flag,
                ban_round=UNSET if openai or not finish.flag else finish.ban_round,
                logprobs=None if openai else UNSET,
            )
        ],
        usage=Usage.of(meter),
    )


class StreamEncoder:
    """Deltas in, bytes of events out.

    Where usage goes: documented, on the chunk with the finish reason; with
    `stream_options.include_usage`, on a last chunk without choices, as OpenAI has it. At `/v1`
    there is none unless it was asked for.
    """

    def __init__(self, exchange: Exchange, request: ChatRequest, meter: Meter) -> None:
        self._dialect = exchange.dialect
        self._include_usage = request.include_usage
        self._meter = meter
        self._shows_usage = exchange.dialect is Dialect.DOCUMENTED or request.include_usage
        head = {
            "id": exchange.request_id,
            "object": "chat.completion.chunk",
            "created": exchange.created,
            "model": request.model,
        }
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        null_usage = b',"usage":null' if self._shows_usage else b""
        logprobs = b'"logprobs":null,' if self._dialect is Dialect.OPENAI else b""
        self._before = self._head + b'{"index":0,"delta":{"content":'
        self._after = b"}," + logprobs + b'"finish_reason":null}]' + null_usage + b"}\n\n"
        self._opening = (
            self._head + b'{"index":0,"delta":{"role":"assistant","content":""' + self._after
        )
        self._logprobs = logprobs

    def opening(self) -> bytes:
        """The first chunk: the role, and no content yet."""
        return self._opening

    def encode(self, deltas: list[Delta]) -> bytes:
        """All events of one batch, to be sent at once."""
        events: list[bytes] = []
        for delta in deltas:
            match delta:
                case TextDelta(text, _):
                    events += (self._before, _encode(text), self._after)
                case FinishDelta():
                    events.append(self._finish(delta))
        return b"".join(events)

    def _finish(self, finish: FinishDelta) -> bytes:
        choice = (
            b'{"index":0,"delta":{"content":""},'
            + self._logprobs
            + b'"finish_reason":'
            + _encode(self._dialect.finish_reason(finish.reason))
            + self._safety(finish)
            + b"}]"
        )
        if self._include_usage:
            usage = _encode(Usage.of(self._meter))
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
            choice += b',"usage":' + _encode(Usage.of(self._meter))
        return self._head + choice + b"}\n\n" + DONE

    def _safety(self, finish: FinishDelta) -> bytes:
        """On a stream, `flag` appears only when moderation found something."""
        if not finish.flag or self._dialect is Dialect.OPENAI:
            return b""
        return b',"flag":%d,"ban_round":%d' % (finish.flag, finish.ban_round)
