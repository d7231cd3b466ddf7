"""Work whose price is known before it begins: limits, hold, work, capture."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from xinghe.api.departure import unless_gone
from xinghe.api.exchange import Exchange
from xinghe.api.services import Services
from xinghe.catalog import ModelCard
from xinghe.core import Meter
from xinghe.engines.prompts import estimated_tokens
from xinghe.observe import metrics

T = TypeVar("T")


async def prepaid(
    exchange: Exchange,
    card: ModelCard,
    tokens: int,
    services: Services,
    work: Callable[[Callable[[], None]], Awaitable[T]],
) -> T:
    """What `work` returns, charged as `tokens` input tokens of the exchange's model.

    `work` is given a function to call when an engine begins: from then on a client that leaves
    owes the price. It is cancelled when the client leaves. Raises `RateLimited`,
    `InsufficientTokens`, `ClientGone`, and what `work` raises: then nothing is charged.
    """
    principal = exchange.require()
    admission = services.limiter.admit(
        principal.account_id, exchange.model, rpm=card.rpm, tpm=card.tpm, qps=0, tokens=tokens
    )
    for name, value in admission.headers():
        exchange.add_header(name, value)
    meter = Meter()

    def began() -> None:
        meter.started = True
        meter.prompt_tokens = tokens

    try:
        async with services.ledger.hold(
            principal,
            request_id=exchange.request_id,
            model=exchange.model,
            rate=card.rate,
            amount=card.rate.cost(tokens, 0),
            prompt_tokens=tokens,
            stream=False,
            meter=meter,
        ):
            result = await unless_gone(exchange, work(began), meter)
            meter.prompt_tokens = tokens
            meter.finished = True
    finally:
        admission.settle(meter.prompt_tokens)
    metrics.TOKENS.labels(exchange.model, "prompt_tokens").inc(tokens)
    return result


def charged_tokens(texts: list[str]) -> int:
    """The source's estimate over all texts; at least 1, since signs of other scripts count none."""
    return max(1, estimated_tokens("\n".join(texts)))
