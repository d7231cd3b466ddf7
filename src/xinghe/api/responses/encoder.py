"""An answer of `/responses`: deltas in, typed events out, and the response that they make.

An answer in one piece is made of the same events, which are then dropped: so both say the same.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from xinghe.api.chat.encoder import KEEP_ALIVE, one_line
from xinghe.api.error_form import ErrorForm, RenamedParams
from xinghe.api.errors import ApiError
from xinghe.api.exchange import Exchange, named_as
from xinghe.api.responses.answer import (
    Failure,
    Incomplete,
    ReasoningShown,
    Response,
    ResponseUsage,
    Status,
    TextShown,
)
from xinghe.api.responses.carried import ENCRYPTED
from xinghe.api.responses.errors import NAMES
from xinghe.api.responses.events import (
    Numbered,
    Open,
    OpenCall,
    OpenMessage,
    OpenReasoning,
    OpenSearch,
)
from xinghe.api.responses.reading import SOURCES, CheckedRequest
from xinghe.api.responses.schema import Reasoning, TextFormat, TextOptions
from xinghe.api.responses.tools import Called
from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    NothingFoundDelta,
    ReasoningDelta,
    RefusalDelta,
    SearchingDelta,
    Source,
    SourcesDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from xinghe.engines import spread

BROKEN_OFF = {
    FinishReason.LENGTH: Incomplete("max_output_tokens"),
    FinishReason.CONTENT_FILTER: Incomplete("content_filter"),
}


class ResponseEncoder:
    """Of one answer, which has used what its `usage` says.

    `ended` hears of the response when it is whole, before its last event.
    """

    keep_alive = KEEP_ALIVE

    def __init__(
        self,
        exchange: Exchange,
        asked: CheckedRequest,
        *,
        kept: bool,
        ended: Callable[[Response], None],
    ) -> None:
        self.errors: ErrorForm = _Broken(self)
        self.response = begun(exchange, asked, kept=kept)
        self.usage = Usage()
        self._asked = asked
        self._ended = ended
        self._events = Numbered()
        self._opened = False
        self._open: Open | None = None
        self._calls: dict[int, OpenCall] = {}
        self._sources: tuple[Source, ...] = ()

    def encode(self, deltas: list[Delta]) -> bytes:
        """All events of one batch, to be sent at once."""
        events = [self._opening()]
        for delta in spread(deltas):
            match delta:
                case TextDelta(text, _, tokens) if text or self._goes_on(tokens):
                    events += self._said(text, tokens)
                case RefusalDelta(text, _) if text:
                    events += self._said(text, refuses=True)
                case ReasoningDelta(text, _) if text:
                    events += self._thought(text)
                case ToolCallDelta():
                    events += self._called(delta)
                case SearchingDelta(query):
                    shows = self._includes(SOURCES)
                    events += self._begin(OpenSearch(*self._next("ws"), query, shows))
                case SourcesDelta() | NothingFoundDelta():
                    events.append(self._found(delta))
                case FinishDelta(reason):
                    events.append(self._finish(reason))
        return one_line(b"".join(events))

    def broken(self, status: Any, error: Failure | None = None) -> Response:
        """The response, now that it will not be finished."""
        response, opened = self.response, self._open
        if opened is not None:
            response.output.append(opened.item("incomplete"))
            self._open = None
        response.status, response.error = status, error
        response.usage = ResponseUsage.of(self.usage)
        return response

    def event(self, kind: str, **fields: Any) -> bytes:
        """One more event of the stream."""
        return self._opening() + one_line(self._events.event(kind, **fields))

    def _opening(self) -> bytes:
        if self._opened:
            return b""
        self._opened = True
        return b"".join(
            self._events.event(f"response.{kind}", response=self.response)
            for kind in ("created", "in_progress")
        )

    def _next(self, kind: str) -> tuple[Numbered, int, str]:
        """What an item that comes next begins with; its id tells where it stands."""
        at = len(self.response.output) + (self._open is not None)
        return self._events, at, f"{kind}_{self.response.id.removeprefix('resp_')}{at}"

    def _begin(self, opened: Any) -> Iterable[bytes]:
        yield self._close("completed")
        self._open = opened
        yield opened.begin()

    def _found(self, delta: SourcesDelta | NothingFoundDelta) -> bytes:
        """That nothing was found is told before the sources, of which there are none then."""
        searching = self._open if isinstance(self._open, OpenSearch) else None
        if isinstance(delta, NothingFoundDelta):
            if searching:
                searching.failed = delta.failed
            return b""
        self._sources = delta.sources
        if searching is None:
            return b""
        searching.sources = delta.sources
        return self._close("completed")

    def _close(self, status: Status) -> bytes:
        opened, self._open = self._open, None
        if opened is None:
            return b""
        ended = opened.close(status)
        self.response.output.append(opened.item(status))
        return ended

    def _goes_on(self, tokens: Sequence[TokenLogprob]) -> bool:
        """Whether tokens without a text of theirs belong to one that is being said."""
        return bool(tokens) and isinstance(self._open, OpenMessage)

    def _said(
        self, text: str, tokens: Sequence[TokenLogprob] = (), *, refuses: bool = False
    ) -> Iterable[bytes]:
        if not isinstance(self._open, OpenMessage):
            yield from self._begin(OpenMessage(*self._next("msg"), self._sources))
        assert isinstance(self._open, OpenMessage)
        yield self._open.add(text, tokens, refuses=refuses)

    def _thought(self, text: str) -> Iterable[bytes]:
        if not isinstance(self._open, OpenReasoning):
            reasoning = self._asked.body.reasoning or Reasoning()
            summary = reasoning.summary is not None
            carries = self._includes(ENCRYPTED)
            yield from self._begin(OpenReasoning(*self._next("rs"), summary, carries))
        assert isinstance(self._open, OpenReasoning)
        yield self._open.add(text)

    def _includes(self, name: str) -> bool:
        return name in (self._asked.body.include or ())

    def _called(self, delta: ToolCallDelta) -> Iterable[bytes]:
        call = self._calls.get(delta.index)
        if call is None:
            if delta.id is None and not delta.arguments:
                return  # it carries tokens only
            name = delta.name or ""
            called = self._asked.tools.called.get(name) or Called(name, None, False, "")
            call = OpenCall(*self._next("fc"), delta.id or "", called)
            self._calls[delta.index] = call
            yield from self._begin(call)
        yield call.add(delta.arguments)

    def _finish(self, reason: FinishReason) -> bytes:
        response, broken_off = self.response, BROKEN_OFF.get(reason)
        ended = self._close("incomplete" if broken_off else "completed")
        response.status = "incomplete" if broken_off else "completed"
        response.incomplete_details = broken_off
        response.completed_at = None if broken_off else int(time.time())
        response.usage = ResponseUsage.of(self.usage)
        self._ended(response)
        return ended + self._events.event(f"response.{response.status}", response=response)


class _Broken(RenamedParams):
    """A stream that has begun ends with an `error`, and with the response that failed."""

    def __init__(self, encoder: ResponseEncoder) -> None:
        super().__init__(NAMES)
        self._encoder = encoder

    def event(self, error: ApiError, request_id: str) -> bytes:
        told = self.body(error, request_id)
        row, message = error.row, error.message
        fields = {"code": row.code, "message": message, "param": told.error.param}
        ended = self._encoder.event("error", **fields, error=told.error, id=request_id)
        code = row.code if row.status < 500 else "server_error"
        failed = self._encoder.broken("failed", Failure(code, message))
        return ended + self._encoder.event("response.failed", response=failed)


def begun(exchange: Exchange, asked: CheckedRequest, *, kept: bool) -> Response:
    """The response before anything of its answer is made; what was not sent as OpenAI tells it."""
    body = asked.body
    reasoning, text = body.reasoning or Reasoning(), body.text or TextOptions()
    return Response(
        id=named_as("resp_", exchange.request_id),
        object="response",
        created_at=exchange.created,
        status="in_progress",
        model=exchange.model,
        tools=body.tools or [],
        tool_choice=body.tool_choice or "auto",
        text=TextShown(text.format or TextFormat(), text.verbosity or "medium"),
        reasoning=ReasoningShown(reasoning.effort, reasoning.summary),
        instructions=body.instructions,
        max_output_tokens=body.max_output_tokens,
        max_tool_calls=body.max_tool_calls,
        metadata=body.metadata or {},
        parallel_tool_calls=body.parallel_tool_calls is not False,
        previous_response_id=body.previous_response_id,
        prompt_cache_key=body.prompt_cache_key,
        safety_identifier=body.safety_identifier,
        store=kept,
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        frequency_penalty=body.frequency_penalty or 0.0,
        presence_penalty=body.presence_penalty or 0.0,
        top_logprobs=body.top_logprobs or 0,
        user=body.user,
    )


def merged(deltas: Iterable[Delta]) -> list[Delta]:
    """The same answer in as few deltas as can be: nobody sees how it was made."""
    joined: list[Delta] = []
    pieces: list[str] = []
    tokens: list[TokenLogprob] = []

    def join() -> None:
        if len(pieces) > 1:
            more = {"logprobs": tuple(tokens)} if tokens else {}
            joined[-1] = msgspec.structs.replace(joined[-1], text="".join(pieces), **more)
        tokens.clear()

    for delta in deltas:
        if isinstance(delta, TextDelta | ReasoningDelta | RefusalDelta):
            goes_on = joined and type(joined[-1]) is type(delta)
            if not goes_on:
                join()
                pieces = []
            pieces.append(delta.text)
            tokens += delta.logprobs if isinstance(delta, TextDelta) else ()
            if goes_on:
                continue
        else:
            join()
            pieces = []
        joined.append(delta)
    join()
    return joined
