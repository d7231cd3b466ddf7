"""The way of an operation that costs, written once: limits, preparation, hold, work, settling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from xinghe.api.authentication import unless_gone
from xinghe.api.exchange import Exchange
from xinghe.api.services import Services
from xinghe.catalog import ModelCard
from xinghe.core import Meter
from xinghe.limits import Admission
from xinghe.observe import metrics

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Prepared(msgspec.Struct, Generic[T_co], frozen=True):
    """Work that is ready to be done, under a hold of `amount`.

    `amount` is the most that it may cost, in micro-Tokens, `None` where nothing is to be reserved;
    `prompt_tokens` are known already. While it runs the meter counts along, and tells when it is
    finished.
    """

    run: Callable[[], Awaitable[T_co]]
    amount: int | None = None
    prompt_tokens: int = 0


class Work(Protocol[T_co]):
    """What an operation says of the work that it charges for; `charged` does the rest.

    `tokens` is what it takes of its account's Tokens a minute until it is known what it has used;
    `counts` are the meter's fields that it fills. A `stream` that is cut off is owed as far as it
    was shown, any other answer not at all, unless it is the client that leaves. Whoever sends a
    stream watches its token, since it may be sent for longer than it is made.
    """

    counts: tuple[str, ...]
    card: ModelCard
    tokens: int
    meter: Meter
    stream: bool

    @property
    def used(self) -> int:
        """What it has used of the Tokens a minute."""

    async def prepare(self) -> Prepared[T_co]:
        """Moderate what was asked, if it is to be, and count it. Raises `ApiError`."""


async def charged(services: Services, exchange: Exchange, work: Work[T]) -> T:
    """What the work returns, once its charge is saved.

    It ends when the client leaves, and is charged what its meter says then; it ends, too, when
    its token lapses. Nothing is charged before the hold, each hold is settled exactly once, and
    what was taken of the limits and not used is given back. Raises `RateLimited`,
    `InsufficientTokens`, `SpendCapReached`, `ClientGone`, `Unsaved`, `ApiError`, and what the
    work raises.
    """
    card = work.card
    admission = admit(
        services, exchange, exchange.model, rpm=card.rpm, tpm=card.tpm, tokens=work.tokens
    )
    try:
        held, lapses = _held(services, exchange, work), None if work.stream else services.lapses
        return await unless_gone(exchange, held, work.meter, lapses)
    finally:
        admission.settle(work.used)


async def _held(services: Services, exchange: Exchange, work: Work[T]) -> T:
    prepared, payer, meter = await work.prepare(), exchange.principal, work.meter
    await services.lapses.check(payer.token_id, since=exchange.body_read_at)
    if prepared.amount is None:
        return await prepared.run()
    async with services.ledger.hold(
        payer,
        request_id=exchange.request_id,
        model=exchange.model,
        rate=work.card.rate,
        amount=prepared.amount,
        prompt_tokens=prepared.prompt_tokens,
        stream=work.stream,
        meter=meter,
    ):
        result = await prepared.run()
    for kind in work.counts:
        metrics.TOKENS.labels(exchange.model, kind).inc(getattr(meter, kind))
    return result


def admit(
    services: Services, exchange: Exchange, model: str, *, rpm: int, tpm: int, tokens: int
) -> Admission:
    """Take a request and an estimate of its tokens from the limits, and tell what is left.

    Raises `RateLimited`.
    """
    account = exchange.principal.account_id
    admission = services.limiter.admit(account, model, rpm=rpm, tpm=tpm, qps=0, tokens=tokens)
    for name, value in admission.headers:
        exchange.add_header(name, value)
    return admission
