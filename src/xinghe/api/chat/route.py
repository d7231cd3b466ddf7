"""`POST /chat/completions`: the way of a chat request through the rooms, in order."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from xinghe.api.body import read_json_object
from xinghe.api.chat.moderation import moderate
from xinghe.api.chat.parameters import read_request
from xinghe.api.chat.permissions import require_capabilities
from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.run import Answer, Run, Withheld
from xinghe.api.chat.stream import stream_answer
from xinghe.api.chat.whole import whole_answer
from xinghe.api.errors import ApiError, Errors
from xinghe.api.exchange import Exchange
from xinghe.api.select import select_model
from xinghe.catalog.card import Kind
from xinghe.catalog.limits import Limits, effective
from xinghe.catalog.load import Catalog
from xinghe.core import GenerationJob, Meter
from xinghe.dispatch.dispatcher import Dispatcher, Station
from xinghe.engines.estimate import estimated_tokens
from xinghe.generation.gate import Gate
from xinghe.ledger import Ledger
from xinghe.limits import Admission, Limiter
from xinghe.safety import Moderator
from xinghe.settings import Server

MAX_IGNORED_SHOWN = 20
MAX_NAME_SHOWN = 40


class ChatRoute:
    """Validate, limit, moderate, count the prompt, reserve, generate, settle."""

    def __init__(
        self,
        catalog: Catalog,
        dispatcher: Dispatcher,
        ledger: Ledger,
        limiter: Limiter,
        moderator: Moderator,
        server: Server,
    ) -> None:
        self._catalog = catalog
        self._dispatcher = dispatcher
        self._ledger = ledger
        self._limiter = limiter
        self._moderator = moderator
        self._server = server

    async def __call__(self, exchange: Exchange) -> None:
        server = self._server
        body = await read_json_object(exchange, server.max_body_bytes, server.body_timeout)
        exchange.body_read_at = time.perf_counter()
        name, card = select_model(body, self._catalog, Kind.CHAT, exchange.require())
        exchange.model = name
        request = read_request(body, name, card, exchange.dialect)
        station = self._dispatcher.stations[card.deployment]
        limits = effective(card, station.deployment)
        _check_characters(request, limits)
        if request.ignored:
            exchange.add_header("x-ignored-parameters", _header_list(request.ignored))
        exchange.add_header("x-served-by", station.engine.served_by)

        meter = Meter()
        admission = self._admit(exchange, request)
        try:
            answer = await self._answer(exchange, body, request, station, limits, meter)
            if request.stream:
                await stream_answer(answer, server)
            else:
                await whole_answer(answer)
        finally:
            admission.settle(meter.prompt_tokens + meter.completion_tokens)

    async def _answer(
        self,
        exchange: Exchange,
        body: dict[str, Any],
        request: ChatRequest,
        station: Station,
        limits: Limits,
        meter: Meter,
    ) -> Answer:
        """Moderate what was asked and count it: what is left to do is to generate."""
        unsafe = await moderate(request, self._moderator)
        # After moderation: unsafe functions are refused as such by every model.
        require_capabilities(body, request.model, request.card.capabilities)
        if unsafe is not None:
            return Withheld(exchange, request, unsafe)
        counted_at = time.perf_counter()
        job = await self._count(exchange, request, station, limits)
        waited = time.perf_counter() - counted_at
        gate = Gate(request.stops, self._moderator.scanner())
        return Run(
            exchange, request, job, station, self._dispatcher, self._ledger, gate, meter, waited
        )

    def _admit(self, exchange: Exchange, request: ChatRequest) -> Admission:
        """Take the request and an estimate of its tokens from the limits. Raises `RateLimited`."""
        prompt = sum(estimated_tokens(message.content) for message in request.messages)
        admission = self._limiter.admit(
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

    async def _count(
        self, exchange: Exchange, request: ChatRequest, station: Station, limits: Limits
    ) -> GenerationJob:
        """The prompt by the engine's own tokenizer, and what the context leaves for an answer."""
        prompt = await self._dispatcher.prepare(station, request.messages)
        if prompt.tokens > limits.max_input:
            raise ApiError(
                Errors.TOKENS_TOO_LONG,
                f"Prompt tokens too long: the prompt has {prompt.tokens} tokens, "
                f"the {limits.bound_by} takes at most {limits.max_input}",
                param="messages",
            )
        room = limits.context - prompt.tokens
        return GenerationJob(
            request_id=exchange.request_id,
            prompt=prompt,
            sampling=request.sampling,
            max_tokens=max(1, min(request.max_tokens, limits.max_output, room)),
            preemptible=request.card.preemptible,
        )


def _check_characters(request: ChatRequest, limits: Limits) -> None:
    if request.characters > limits.max_characters:
        raise ApiError(
            Errors.CHARACTERS_TOO_LONG,
            f"the max input characters is {limits.max_characters}, "
            f"the request has {request.characters}",
            param="messages",
        )


def _header_list(names: tuple[str, ...]) -> str:
    """Names from outside, made safe for a header."""
    shown = [quote(name[:MAX_NAME_SHOWN], safe="") for name in names[:MAX_IGNORED_SHOWN]]
    if len(names) > MAX_IGNORED_SHOWN:
        shown.append(f"and {len(names) - MAX_IGNORED_SHOWN} more")
    return ", ".join(shown)
