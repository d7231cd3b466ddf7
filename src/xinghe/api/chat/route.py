"""`POST /chat/completions`: the way of a chat request through the rooms, in order."""

from __future__ import annotations

import time
from functools import partial

from xinghe.api.chat.capabilities import deliverable, forbid
from xinghe.api.chat.moderation import moderate, texts_of
from xinghe.api.chat.prepare import cut_to_fit, task_of
from xinghe.api.chat.request import ChatRequest, read_request, too_many_characters
from xinghe.api.chat.response import whole_answer
from xinghe.api.chat.rooms import ignored, search_budget, served_by
from xinghe.api.chat.run import Producer, Run, Withheld
from xinghe.api.chat.schema import CHAT
from xinghe.api.chat.stream import stream_answer
from xinghe.api.chat.vetted import Vetted, vet
from xinghe.api.departure import unless_gone
from xinghe.api.errors import refuse
from xinghe.api.exchange import Exchange, check_whole
from xinghe.api.ignored import tell_ignored
from xinghe.api.select import select_model
from xinghe.api.services import Services
from xinghe.api.validation import read_body_as
from xinghe.catalog import Capability, Kind, Limits, effective
from xinghe.core import Meter
from xinghe.dispatch import ChatDeployment
from xinghe.engines.prompts import estimated_tokens
from xinghe.generation.answer import Answer
from xinghe.generation.planning import count
from xinghe.limits import Admission


class ChatRoute:
    """Validate, limit, moderate, count the prompt, reserve, generate, settle."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, exchange: Exchange) -> None:
        services, server = self._services, self._services.settings.server
        asked = await read_body_as(CHAT[exchange.dialect], exchange, server)
        name, card = select_model(asked.model, services.catalog, Kind.CHAT, exchange.require())
        exchange.model = name
        deployment = services.deployments.chat(card)
        able = deliverable(card, deployment)
        limits = effective(card, deployment.spec)
        request = await read_request(
            asked, name, card, exchange.dialect, able, limits.max_characters
        )
        _check_characters(request, limits, exchange.missing)
        tell_ignored(exchange, [*request.ignored, *ignored(request, deployment)])
        exchange.add_header("x-served-by", served_by(request, deployment))

        meter = Meter()
        admission = self._admit(exchange, request)
        try:
            answer = await self._answer(exchange, request, able, deployment, limits, meter)
            token = exchange.require().token_id
            await services.lapses.check(token, since=exchange.body_read_at)
            if request.stream:
                await stream_answer(answer, server, services.lapses)
            else:
                await whole_answer(answer, services.lapses)
        finally:
            admission.settle(meter.prompt_tokens + meter.completion_tokens)

    async def _answer(
        self,
        exchange: Exchange,
        request: ChatRequest,
        able: frozenset[Capability],
        deployment: ChatDeployment,
        limits: Limits,
        meter: Meter,
    ) -> Producer:
        """Moderate what was asked and count it: what is left to do is to generate."""
        texts = texts_of(request)
        looking = moderate(request, texts, self._services.moderator)
        if not self._services.moderator.is_quick(texts):
            looking = unless_gone(exchange, looking, meter)
        unsafe = await looking
        # After moderation: unsafe functions are refused as such by every model.
        for param, capability in request.wants:
            if capability not in able:
                raise forbid(request.model, param, capability)
            if param == "functions":
                raise refuse(param, [], "tools, which took its place")
        if unsafe is not None:
            return Withheld(exchange, request, unsafe)
        messages = request.messages
        if request.shows:
            loading = self._services.pictures.load(messages, exchange.keep)
            messages = await unless_gone(exchange, loading, meter)
        check_whole(exchange)  # a picture that is too large has been refused as such
        task = task_of(
            exchange.request_id,
            request,
            messages,
            deployment,
            search_budget(self._services.settings.search, deployment),
            account=exchange.require().account_id,
            vetted=await self._vetted(exchange, request, deployment, meter),
        )
        counted_at = time.perf_counter()
        counting = count(task)
        if request.shows:  # they may have to be read out, which takes seconds
            counting = unless_gone(exchange, counting, meter)
        counted = await counting
        waited = time.perf_counter() - counted_at
        answer = Answer(self._services, cut_to_fit(task, counted, limits), counted, meter)
        return Run(exchange, request, answer, self._services.ledger, meter, waited)

    async def _vetted(
        self, exchange: Exchange, request: ChatRequest, deployment: ChatDeployment, meter: Meter
    ) -> Vetted:
        """What the answer will be held to: nothing, for most requests."""
        if request.format is None and request.tools is None:
            return Vetted()
        payer = exchange.require()
        least = request.card.rate.cost(1, 1, searches=int(request.search is not None))
        vetting = vet(
            self._services.vetting,
            request,
            str(payer.account_id),
            native=deployment.engine.abilities.tools,
            first=partial(self._services.ledger.cover, payer, least),
        )
        return await unless_gone(exchange, vetting, meter)

    def _admit(self, exchange: Exchange, request: ChatRequest) -> Admission:
        """Take the request and an estimate of its tokens from the limits. Raises `RateLimited`."""
        prompt = sum(estimated_tokens(message.content) for message in request.messages)
        admission = self._services.limiter.admit(
            exchange.require().account_id,
            request.model,
            rpm=request.card.rpm,
            tpm=request.card.tpm,
            qps=0,
            tokens=prompt + request.max_tokens,
        )
        for name, value in admission.headers():
            exchange.add_header(name, value)
        return admission


def _check_characters(request: ChatRequest, limits: Limits, missing: int) -> None:
    characters = request.characters
    if characters > limits.max_characters:
        raise too_many_characters(limits.max_characters, characters + missing)
