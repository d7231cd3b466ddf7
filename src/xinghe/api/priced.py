"""The way of an operation that costs, written once: limits, moderation, hold, work, settle."""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from xinghe.api.departure import unless_gone
from xinghe.api.exchange import Exchange
from xinghe.api.services import Services
from xinghe.catalog import ModelCard
from xinghe.core import Meter
from xinghe.limits import Admission
from xinghe.observe import metrics

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

COUNTED = (
    "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "search_tokens",
)  # fmt: skip


class Price(msgspec.Struct, frozen=True):
    """The most that an operation may cost, in micro-Tokens; `prompt_tokens` of it are known."""

    amount: int
    prompt_tokens: int = 0


class Operation(Protocol[T_co]):
    """What an operation says of itself, for `charged` to do the rest.

    `tokens` is what it takes of its account's Tokens a minute until it is known what it has used.
    A `stream` that is cut off is owed as far as it was shown, any other answer not at all, unless
    it is the client that leaves.
    """

    card: ModelCard
    tokens: int
    meter: Meter
    stream: bool

    @property
    def used(self) -> int:
        """What it has used of the Tokens a minute."""
        ...

    async def prepare(self) -> Price | None:
        """Moderate what was asked and count it; `None` where nothing is to be reserved.

        Raises `ApiError`.
        """
        ...

    async def work(self) -> T_co:
        """Do it, under the hold. The meter counts along, and tells when it is finished."""
        ...


async def charged(services: Services, exchange: Exchange, operation: Operation[T]) -> T:
    """What the work of an operation returns, once its charge is saved.

    It ends when the client leaves, and is charged what its meter says then; it ends, too, when
    its token lapses. Nothing is charged before the hold, each hold is settled exactly once, and
    what was taken of the limits and not used is given back. Raises `RateLimited`,
    `InsufficientTokens`, `SpendCapReached`, `ClientGone`, `Unsaved`, `ApiError`, and what the
    operation raises.
    """
    card = operation.card
    admission = admit(
        services, exchange, exchange.model, rpm=card.rpm, tpm=card.tpm, tokens=operation.tokens
    )
    try:
        held = _held(services, exchange, operation)
        return await unless_gone(exchange, held, operation.meter, services.lapses)
    finally:
        admission.settle(operation.used)


async def _held(services: Services, exchange: Exchange, operation: Operation[T]) -> T:
    price, payer, meter = await operation.prepare(), exchange.require(), operation.meter
    await services.lapses.check(payer.token_id, since=exchange.body_read_at)
    if price is None:
        return await operation.work()
    async with services.ledger.hold(
        payer,
        request_id=exchange.request_id,
        model=exchange.model,
        rate=operation.card.rate,
        amount=price.amount,
        prompt_tokens=price.prompt_tokens,
        stream=operation.stream,
        meter=meter,
    ):
        result = await operation.work()
    for kind in COUNTED:
        metrics.TOKENS.labels(exchange.model, kind).inc(getattr(meter, kind))
    return result


def admit(
    services: Services, exchange: Exchange, model: str, *, rpm: int, tpm: int, tokens: int
) -> Admission:
    """Take a request and an estimate of its tokens from the limits, and tell what is left.

    Raises `RateLimited`.
    """
    account = exchange.require().account_id
    admission = services.limiter.admit(account, model, rpm=rpm, tpm=tpm, qps=0, tokens=tokens)
    for name, value in admission.headers():
        exchange.add_header(name, value)
    return admission
