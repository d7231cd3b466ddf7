"""One chat answer: generated under a hold, or withheld. Streaming and whole answers share it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from xinghe.api.chat.request import ChatRequest
from xinghe.api.exchange import Exchange
from xinghe.core import FinishDelta, Meter, Prompt
from xinghe.engines.protocol import Batch
from xinghe.generation.answer import Answer
from xinghe.generation.withheld import withheld
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

    def batches(self) -> AsyncGenerator[Batch]:
        """Batches of what may be shown and, last, one `FinishDelta`."""
        ...


class Withheld:
    """The answer to an unsafe conversation: no engine is asked, nothing is charged."""

    def __init__(self, exchange: Exchange, request: ChatRequest, finish: FinishDelta) -> None:
        self.exchange = exchange
        self.request = request
        self.meter = Meter()
        self._finish = finish

    async def batches(self) -> AsyncGenerator[Batch]:
        yield Batch(time.perf_counter(), withheld(self._finish))


class Run:
    """Reserves the worst case, generates, and settles exactly once."""

    def __init__(
        self,
        exchange: Exchange,
        request: ChatRequest,
        answer: Answer,
        prompt: Prompt,
        ledger: Ledger,
        meter: Meter,
        waited: float,
    ) -> None:
        self.exchange = exchange
        self.request = request
        self.meter = meter
        self._answer = answer
        self._prompt = prompt
        self._ledger = ledger
        self._waited = waited

    async def batches(self) -> AsyncGenerator[Batch]:
        """The answer. Raises `InsufficientTokens` before anything was spent, `Unsaved` last."""
        rate = self.request.card.rate
        task, prompt = self._answer.task, self._prompt
        async with self._ledger.hold(
            self.exchange.require(),
            request_id=self.exchange.request_id,
            model=self.request.model,
            rate=rate,
            amount=rate.cost(
                prompt.bound + self._answer.picture_tokens + task.search_bound,
                task.thinking + task.max_tokens,
                searches=int(task.search is not None),
            ),
            prompt_tokens=prompt.tokens + self._answer.picture_tokens,
            stream=self.request.stream,
            meter=self.meter,
        ):
            read_at = self.exchange.body_read_at
            metrics.EDGE_IN.observe(time.perf_counter() - read_at - self._waited)
            async with aclosing(self._answer.batches()) as batches:
                first = True
                async for batch in batches:
                    if first:
                        first = False
                        metrics.FIRST_TOKEN.labels(self.request.model).observe(
                            batch.arrived - read_at
                        )
                    if isinstance(batch.deltas[-1], FinishDelta):
                        break
                    yield batch
        # The last batch is sent once its charge is saved.
        self._count()
        yield batch

    def _count(self) -> None:
        for kind in COUNTED:
            metrics.TOKENS.labels(self.request.model, kind).inc(getattr(self.meter, kind))
