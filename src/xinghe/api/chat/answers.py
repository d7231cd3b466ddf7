"""Makes the answer of a `ChatRequest` and sends it, worded as its operation words answers."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from xinghe.api.chat.request import ChatRequest, too_many_characters
from xinghe.api.chat.response import Accumulator
from xinghe.api.chat.served import Served
from xinghe.api.chat.stream import Encoder, stream_answer
from xinghe.api.chat.together import Together
from xinghe.api.chat.work import SERVED_BY, ChatWork, Sink
from xinghe.api.dialect import Dialect
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Services, admit, charged, unless_gone
from xinghe.api.validation import Form, tell_adjusted, tell_ignored
from xinghe.catalog import ModelCard
from xinghe.core import Usage
from xinghe.dispatch import Chain
from xinghe.engines import Batch
from xinghe.engines.prompts import estimated_tokens
from xinghe.limits import asked


class Wording(Protocol):
    """How an operation words the answer to one request."""

    def encoder(self, usage: Usage, choice: int) -> Encoder:
        """Of a stream, for one of the answers; the highest ends last."""

    def whole(self, accumulated: Sequence[Accumulator], usage: Usage) -> Any:
        """The body of the answers in one piece, to be sent as JSON."""


class Answers:
    """Who may serve a chat model, and the way from a request to its answer."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._serving = services.live.now
        self._known = dict[tuple[str, Dialect], list[Served]]()
        """Of the models of `serving` that were asked for."""

    def chain(self, exchange: Exchange, card: ModelCard) -> Chain[Served]:
        """Those who may serve the request, which has begun."""
        if self._serving is not exchange.serving:
            self._serving = exchange.serving
            self._known.clear()
        key = exchange.model, exchange.dialect
        served = self._known.get(key)
        if served is None:
            deployments = exchange.serving.deployments.chats(card)
            served = [Served.by(each, card, exchange.dialect) for each in deployments]
            self._known[key] = served
        return Chain(exchange.model, served)

    async def send(
        self,
        exchange: Exchange,
        form: Form[Any],
        request: ChatRequest,
        chain: Chain[Served],
        wording: Wording,
    ) -> None:
        """Make the answer of a request of allowed length and send it.

        Raises `ClientGone`, `ApiError`, and what `charged` does.
        """
        await self.send_together(exchange, form, [(request, chain)], wording)

    async def send_together(
        self,
        exchange: Exchange,
        form: Form[Any],
        asked: Sequence[tuple[ChatRequest, Chain[Served]]],
        wording: Wording,
    ) -> None:
        """The same of requests that differ in their messages alone, under one hold.

        Their answers are numbered one request after the other.
        """
        request, chain = asked[0]
        _tell(exchange, form, request, chain)
        services, server = self._services, self._services.settings.server
        usage, answers = Usage(), sum(each.n for each, _ in asked)

        def chat(request: ChatRequest, chain: Chain[Served], sink: Sink, used: Usage) -> ChatWork:
            prompt = estimated_tokens("\n".join(request.texts))
            return ChatWork(
                services, exchange, request, chain, sink,
                card=request.card, stream=request.stream, usage=used,
                tokens=prompt + request.n * request.max_tokens,
            )  # fmt: skip

        async def make(sink: Sink) -> None:
            work: ChatWork | Together
            if len(asked) == 1:
                work = chat(request, chain, sink, usage)
            else:
                work = Together.of(sink, usage, [partial(chat, *each) for each in asked])
            # The last batches leave once their charge is saved.
            for choice, last in enumerate(await charged(services, exchange, work)):
                work.show(choice, last)

        if request.stream:
            encoders = [wording.encoder(usage, choice) for choice in range(answers)]
            await stream_answer(exchange, encoders, server, services.lapses, make)
            return
        accumulated = [Accumulator() for _ in range(answers)]
        await make(_Whole(exchange, accumulated))
        await exchange.send_json(wording.whole(accumulated, usage))

    async def count(
        self, exchange: Exchange, form: Form[Any], request: ChatRequest, chain: Chain[Served]
    ) -> int:
        """How many tokens the prompt has, at nobody's cost; it counts in the limits of requests.

        Raises `ClientGone`, `ApiError`, `RateLimited`, and what `ChatWork.count` does.
        """
        services, model, card = self._services, exchange.model, request.card
        asks, _ = asked(exchange.principal.standing.limits, model)
        admission = await admit(services, exchange, model, asks, rpm=card.rpm, tpm=0, tokens=0)
        try:
            _tell(exchange, form, request, chain)
            chat = ChatWork(
                services, exchange, request, chain, _Whole(exchange, [Accumulator()]),
                card=card, stream=False, usage=Usage(), tokens=0,
            )  # fmt: skip
            return await unless_gone(exchange, chat.count())
        finally:
            admission.settle(0)


def _tell(exchange: Exchange, form: Form[Any], request: ChatRequest, chain: Chain[Served]) -> None:
    """What of the request had no effect, and what was brought into range."""
    no_say = [*request.ignored, *_without_say(request, chain.own)]
    if no_say:
        tell_ignored(exchange, form, no_say)
    if request.adjusted:
        tell_adjusted(exchange, request.adjusted)


def check_length(exchange: Exchange, request: ChatRequest, most: int) -> None:
    """Raises `ApiError` for a request of more characters than its model takes."""
    if (characters := sum(map(len, request.texts))) > most:
        raise too_many_characters(most, characters + exchange.missing)


def _without_say(request: ChatRequest, own: Served) -> tuple[str, ...]:
    """The switches of the chain of thought that an engine which thinks by itself cannot be told.

    Its budget holds in any case: the platform cuts the thought off.
    """
    abilities = own.engine.abilities
    if not abilities.thinks or abilities.steered == "fully" or request.asked.on is None:
        return ()
    if request.asked.on and request.effort == 1.0:
        return ()
    if abilities.steered == "switch":
        if not request.asked.on:
            return ()
        return tuple(name for name in request.switches if name.endswith("effort"))
    return tuple(name for name in request.switches if name != "thinking_budget")


class _Whole:
    """Puts an answer together, to be sent in one piece."""

    def __init__(self, exchange: Exchange, accumulated: Sequence[Accumulator]) -> None:
        self.tell = partial(exchange.set_header, SERVED_BY)
        self._accumulated = accumulated

    def emit(self, choice: int, batch: Batch) -> None:
        self._accumulated[choice].take(batch)

    def begin(self) -> None: ...

    def forget(self, choices: Sequence[int], usage: Usage) -> bool:
        for choice in choices:
            self._accumulated[choice].forget()
        return True
