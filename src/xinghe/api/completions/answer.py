"""An answer of `/v1/completions`, whole and as a stream. The chain of thought is no part of it."""

from collections.abc import Sequence

import msgspec

from xinghe.api.chat.encoder import DONE, KEEP_ALIVE, one_line
from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.response import FINISH_REASONS, Accumulator, CompletionUsage
from xinghe.api.completions.schema import COMPLETION_ERRORS, TextChoice, TextCompletion
from xinghe.api.dialect import Dialect
from xinghe.api.error_form import ErrorForm
from xinghe.api.exchange import Exchange
from xinghe.core import Delta, FinishDelta, FinishReason, RefusalDelta, TextDelta, Usage

_encode = msgspec.json.encode

REASONS = FINISH_REASONS[Dialect.OPENAI] | {FinishReason.REFUSAL: "content_filter"}


class CompletionWording(msgspec.Struct):
    """How the answers to one request are worded."""

    exchange: Exchange
    request: ChatRequest

    def encoder(self, usage: Usage, choice: int) -> "CompletionEncoder":
        return CompletionEncoder(self.exchange, self.request, usage, choice)

    def whole(self, accumulated: Sequence[Accumulator], usage: Usage) -> TextCompletion:
        answer = _answer(self.exchange)
        answer.choices = [
            _choice(each.text + each.refusal, index, each.finish)
            for index, each in enumerate(accumulated)
        ]
        answer.usage = CompletionUsage.of(usage)
        return answer


class CompletionEncoder:
    """Deltas of one answer in, bytes of events out."""

    keep_alive = KEEP_ALIVE
    errors: ErrorForm = COMPLETION_ERRORS

    def __init__(self, exchange: Exchange, request: ChatRequest, usage: Usage, choice: int) -> None:
        self._answer = _answer(exchange)
        if request.include_usage:
            self._answer.usage = None
        self._usage = usage
        self._include_usage = request.include_usage
        self._index = choice
        self._ends_all = choice == request.n - 1
        head = _encode(self._answer)
        at = head.index(b'"choices":[') + len(b'"choices":[')
        self._before = b"data: " + head[:at] + b'{"text":'
        nothing = b',"index":%d,"logprobs":null,"finish_reason":null}' % choice
        self._after = nothing + head[at:] + b"\n\n"

    def encode(self, deltas: list[Delta]) -> bytes:
        """All events of one batch, to be sent at once."""
        events: list[bytes] = []
        for delta in deltas:
            match delta:
                case TextDelta(text, _) | RefusalDelta(text, _):
                    events += (self._before, _encode(text), self._after)
                case FinishDelta():
                    events.append(self._finish(delta))
        return one_line(b"".join(events))

    def _finish(self, finish: FinishDelta) -> bytes:
        answer = self._answer
        answer.choices = [_choice("", self._index, finish)]
        events = [_event(answer)]
        if self._ends_all and self._include_usage:
            answer.choices, answer.usage = [], CompletionUsage.of(self._usage)
            events.append(_event(answer))
        return b"".join([*events, DONE] if self._ends_all else events)


def _answer(exchange: Exchange) -> TextCompletion:
    return TextCompletion(
        exchange.request_id, "text_completion", exchange.created, exchange.model, []
    )


def _choice(text: str, index: int, finish: FinishDelta) -> TextChoice:
    return TextChoice(text, index, None, REASONS[finish.reason])


def _event(answer: TextCompletion) -> bytes:
    return b"data: " + _encode(answer) + b"\n\n"
