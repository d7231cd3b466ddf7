"""`POST /chat/completions`: what a chat request is, costs and does; `priced` does the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import msgspec

from xinghe.api.chat.capabilities import OCR, deliverable, forbid
from xinghe.api.chat.prepare import cut_to_fit, moderate, task_of, vet
from xinghe.api.chat.request import ChatRequest, read_request, too_many_characters
from xinghe.api.chat.response import Collected, completion
from xinghe.api.chat.schema import CHAT
from xinghe.api.chat.stream import stream_answer
from xinghe.api.errors import refuse
from xinghe.api.exchange import Exchange, check_whole
from xinghe.api.priced import Prepared, charged
from xinghe.api.services import Services
from xinghe.api.validation import read_asked, tell_ignored
from xinghe.catalog import Capability, Kind, Limits, ModelCard, effective
from xinghe.core import FinishDelta, Meter
from xinghe.dispatch import ChatDeployment
from xinghe.engines import Batch
from xinghe.engines.prompts import estimated_tokens
from xinghe.generation.answer import Answer
from xinghe.generation.moderation import withheld
from xinghe.generation.planning import count
from xinghe.generation.runner import Emit, Runner
from xinghe.observe import metrics


class _Served(msgspec.Struct, frozen=True):
    """Who serves a model, what it can do there, and the limits of a request to it."""

    deployment: ChatDeployment
    able: frozenset[Capability]
    limits: Limits


class ChatRoute:
    """Reads a request, and sends its answer in one piece or as a stream."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._served = dict[str, _Served]()
        for name, card in services.catalog.models.items():
            if card.kind is Kind.CHAT:
                deployment = services.deployments.chat(card)
                able, limits = deliverable(card, deployment), effective(card, deployment.spec)
                self._served[name] = _Served(deployment, able, limits)

    async def __call__(self, exchange: Exchange) -> None:
        services, server = self._services, self._services.settings.server
        asked, card = await read_asked(
            CHAT[exchange.dialect], Kind.CHAT, exchange, services.catalog, server, whole=False
        )
        served = self._served[exchange.model]
        most, engine = served.limits.max_characters, served.deployment.engine
        request = await read_request(
            asked, exchange.model, card, exchange.dialect, served.able, most
        )
        texts = request.texts
        if (characters := sum(map(len, texts))) > most:
            raise too_many_characters(most, characters + exchange.missing)
        no_say = list(request.ignored)
        if request.effort != 1.0 and engine.abilities.thinks:
            no_say.append("reasoning_effort")  # only a budget cuts off what thinks by itself
        if no_say:
            tell_ignored(exchange, asked.form, no_say)
        read_out = request.shows and not engine.abilities.eyes
        exchange.add_header("x-served-by", engine.served_by + (f", {OCR}" if read_out else ""))
        prompt = estimated_tokens("\n".join(texts))
        meter = Meter()

        async def make(emit: Emit, begin: Callable[[], None]) -> None:
            chat = _Chat(
                services, exchange, request, served, emit, begin,
                card=card, stream=request.stream, meter=meter, tokens=prompt + request.max_tokens,
            )  # fmt: skip
            # The last batch leaves once its charge is saved.
            emit(await charged(services, exchange, chat))

        if request.stream:
            await stream_answer(exchange, request, meter, server, services.lapses, make)
            return
        collected = Collected()
        await make(collected.take, lambda: None)
        await exchange.send_json(completion(exchange, request, collected, meter))


class _Chat(msgspec.Struct, eq=False):
    """One chat as `priced.Work`: `emit` takes what may be shown, `begin` hears that it begins."""

    _services: Services
    _exchange: Exchange
    _request: ChatRequest
    _served: _Served
    _emit: Emit
    _begin: Callable[[], None]
    card: ModelCard
    stream: bool
    meter: Meter
    tokens: int
    counts: tuple[str, ...] = (
        "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "search_tokens",
    )  # fmt: skip
    _shown: bool = False

    @property
    def used(self) -> int:
        return self.meter.prompt_tokens + self.meter.completion_tokens

    async def prepare(self) -> Prepared[Batch]:
        """Moderate what was asked and count it: what is left to do is to generate."""
        services, request = self._services, self._request
        unsafe = await moderate(request, services.moderator)
        # After moderation: unsafe functions are refused as such by every model.
        for param, capability in request.wants:
            if capability not in self._served.able:
                raise forbid(request.model, param, capability)
            if param == "functions":
                raise refuse(param, [], "tools, which took its place")
        if unsafe is not None:
            return Prepared(partial(self._withhold, unsafe))
        messages = request.messages
        if request.shows:
            messages = await services.pictures.load(messages, self._exchange.keep)
        check_whole(self._exchange)  # a picture that is too large has been refused as such
        payer = self._exchange.principal
        form = tools = None
        if request.format is not None or request.tools is not None:
            form, tools = await vet(services, request, payer, self._served.deployment)
        task = task_of(
            self._exchange.request_id,
            request,
            messages,
            self._served.deployment,
            services.settings.search,
            account=payer.account_id,
            form=form,
            tools=tools,
        )
        began = time.perf_counter()
        counted = await count(task)
        waited = time.perf_counter() - began
        task = cut_to_fit(task, counted, self._served.limits)
        answer = Answer(Runner(services, task, self.meter, counted.charge), counted)
        return Prepared(
            partial(self._generate, answer, waited),
            self.card.rate.cost(
                counted.bound + task.search_bound,
                task.thinking + task.max_tokens,
                searches=int(task.search is not None),
            ),
            counted.tokens,
        )

    async def _withhold(self, unsafe: FinishDelta) -> Batch:
        """The answer to an unsafe conversation: no engine is asked."""
        return Batch(time.perf_counter(), withheld(unsafe))

    async def _generate(self, answer: Answer, waited: float) -> Batch:
        """Make the answer, but for its last batch.

        For `waited` seconds others have worked before the hold: they are no time of the edge's.
        """
        self._begin()
        edge = time.perf_counter() - self._exchange.body_read_at - waited
        metrics.EDGE_IN.observe(edge)
        last = await answer.run(self._show)
        self._tell_first(last)
        return last

    def _show(self, batch: Batch) -> None:
        if not self._shown:
            self._tell_first(batch)
        self._emit(batch)

    def _tell_first(self, batch: Batch) -> None:
        """Record the time to the first batch, once."""
        if not self._shown:
            self._shown = True
            seconds = batch.arrived - self._exchange.body_read_at
            metrics.FIRST_TOKEN.labels(self._request.model).observe(seconds)
