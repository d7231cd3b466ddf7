"""One chat answer: generated under a hold, or withheld. Streaming and whole answers share it."""

from __future__ import annotations

import time
from typing import Protocol

from xinghe.api.chat.request import ChatRequest
from xinghe.api.exchange import Exchange
from xinghe.core import FinishDelta, Meter
from xinghe.engines import Batch
from xinghe.generation.answer import Answer
from xinghe.generation.moderation import withheld
from xinghe.generation.runner import Emit
from xinghe.ledger import Ledger
from xinghe.observe import metrics

COUNTED = (
    "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "search_tokens",
)  # fmt: skip


class Producer(Protocol):
    """What streaming and whole answers need to know of an answer."""

    exchange: Exchange
    request: ChatRequest
    meter: Meter

    async def run(self, emit: Emit) -> None:
        """Emit what may be shown and, last, one `FinishDelta`."""
        ...


class Withheld:
    """The answer to an unsafe conversation: no engine is asked, nothing is charged."""

    def __init__(self, exchange: Exchange, request: ChatRequest, finish: FinishDelta) -> None:
        self.exchange = exchange
        self.request = request
        self.meter = Meter()
        self._finish = finish

    async def run(self, emit: Emit) -> None:
        emit(Batch(time.perf_counter(), withheld(self._finish)))


class Run:
    """Reserves the worst case, generates, and settles exactly once."""

    def __init__(
        self,
        exchange: Exchange,
        request: ChatRequest,
        answer: Answer,
        ledger: Ledger,
        meter: Meter,
        waited: float,
    ) -> None:
        self.exchange = exchange
        self.request = request
        self.meter = meter
        self._answer = answer
        self._ledger = ledger
        self._waited = waited

    async def run(self, emit: Emit) -> None:
        """The answer. Raises `InsufficientTokens` before anything was spent, `Unsaved` last."""
        rate, model = self.request.card.rate, self.request.model
        task, counted = self._answer.task, self._answer.counted
        read_at = self.exchange.body_read_at
        first: float | None = None

        def shown(batch: Batch) -> None:
            nonlocal first
            if first is None:
                first = batch.arrived
                metrics.FIRST_TOKEN.labels(model).observe(first - read_at)
            emit(batch)

        async with self._ledger.hold(
            self.exchange.require(),
            request_id=self.exchange.request_id,
            model=model,
            rate=rate,
            amount=rate.cost(
                counted.bound + task.search_bound,
                task.thinking + task.max_tokens,
                searches=int(task.search is not None),
            ),
            prompt_tokens=counted.tokens,
            stream=self.request.stream,
            meter=self.meter,
        ):
            metrics.EDGE_IN.observe(time.perf_counter() - read_at - self._waited)
            last = await self._answer.run(shown)
        for kind in COUNTED:
            metrics.TOKENS.labels(model, kind).inc(getattr(self.meter, kind))
        # The last batch leaves once its charge is saved.
        shown(last)
