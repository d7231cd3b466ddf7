"""An answer of `/v1/completions`, whole and as a stream. The chain of thought is no part of it."""

from collections.abc import Sequence

import msgspec

from xinghe.api.chat.encoder import DONE, KEEP_ALIVE, one_line
from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.response import FINISH_REASONS, Accumulator, CompletionUsage
from xinghe.api.completions.offsets import Offsets
from xinghe.api.completions.schema import COMPLETION_ERRORS, TextChoice, TextCompletion
from xinghe.api.dialect import Dialect
from xinghe.api.error_form import ErrorForm
from xinghe.api.exchange import Exchange
from xinghe.core import Delta, FinishDelta, FinishReason, RefusalDelta, TextDelta, Usage
from xinghe.engines import spread

_encode = msgspec.json.encode

REASONS = FINISH_REASONS[Dialect.OPENAI] | {FinishReason.REFUSAL: "content_filter"}


class CompletionWording(msgspec.Struct):
    """How the answers to one request are worded."""

    exchange: Exchange
    request: ChatRequest
    """The first of the `prompts`, which differ in what they say alone."""
    prompts: int = 1

    def encoder(self, usage: Usage, choice: int) -> "CompletionEncoder":
        last = choice == self.prompts * self.request.n - 1
        return CompletionEncoder(self.exchange, self.request, usage, choice, last=last)

    def whole(self, accumulated: Sequence[Accumulator], usage: Usage) -> TextCompletion:
        answer = _answer(self.exchange)
        answer.choices = [
            TextChoice(
                each.text + each.refusal,
                index,
                Offsets(self.request.logprobs).told(each.logprobs),
                REASONS[each.finish.reason],
            )
            for index, each in enumerate(accumulated)
        ]
        answer.usage = CompletionUsage.of(usage)
        return answer


class CompletionEncoder:
    """Deltas of one answer in, bytes of events out."""

    keep_alive = KEEP_ALIVE
    errors: ErrorForm = COMPLETION_ERRORS

    def __init__(
        self, exchange: Exchange, request: ChatRequest, usage: Usage, choice: int, *, last: bool
    ) -> None:
        self._answer = _answer(exchange)
        if request.include_usage:
            self._answer.usage = None
        self._usage = usage
        self._include_usage = request.include_usage
        self._index = choice
        self._ends_all = last
        self._offsets = Offsets(request.logprobs)
        head = _encode(self._answer)
        at = head.index(b'"choices":[') + len(b'"choices":[')
        self._before = b"data: " + head[:at] + b'{"text":'
        self._told = b',"index":%d,"logprobs":' % choice
        self._end = b',"finish_reason":null}' + head[at:] + b"\n\n"
        self._after = self._told + b"null" + self._end

    def encode(self, deltas: list[Delta]) -> bytes:
        """All events of one batch, to be sent at once."""
        events: list[bytes] = []
        for delta in spread(deltas):
            match delta:
                case TextDelta(text, _, tokens) if tokens:
                    likely = self._told + _encode(self._offsets.told(tokens)) + self._end
                    events += (self._before, _encode(text), likely)
                case TextDelta(text, _) | RefusalDelta(text, _):
                    events += (self._before, _encode(text), self._after)
                case FinishDelta():
                    events.append(self._finish(delta))
        return one_line(b"".join(events))

    def _finish(self, finish: FinishDelta) -> bytes:
        answer = self._answer
        answer.choices = [TextChoice("", self._index, None, REASONS[finish.reason])]
        events = [_event(answer)]
        if self._ends_all and self._include_usage:
            answer.choices, answer.usage = [], CompletionUsage.of(self._usage)
            events.append(_event(answer))
        return b"".join([*events, DONE] if self._ends_all else events)


def _answer(exchange: Exchange) -> TextCompletion:
    return TextCompletion(
        exchange.request_id, "text_completion", exchange.created, exchange.model, []
    )


def _event(answer: TextCompletion) -> bytes:
    return b"data: " + _encode(answer) + b"\n\n"
