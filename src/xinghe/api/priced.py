"""The way of an operation that costs, written once: limits, preparation, hold, work, settling.

It ends when nobody may have its answer any more: the token has lapsed, or the client has left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Generic, Protocol, TypeVar

import msgspec

from xinghe.accounts import Bearer, Principals
from xinghe.api.chat.pictures import PictureLoader
from xinghe.api.concurrency import Concurrency
from xinghe.api.errors import ApiError, Errors, not_covered, over_budget
from xinghe.api.exchange import Exchange
from xinghe.catalog import ModelCard
from xinghe.core import ClientGone, Usage
from xinghe.dispatch import Live
from xinghe.generation.planning import GenerationContext
from xinghe.generation.vetting import Vetting
from xinghe.images.store import ImageStore
from xinghe.ledger import InsufficientTokens, Ledger, OverBudget
from xinghe.limits import MEMBER, Ask, Rates, Taken, asked, per_minute
from xinghe.observe import live, metrics
from xinghe.observe.speeds import Speeds
from xinghe.regular import Regular
from xinghe.settings import Settings
from xinghe.storage import StorageError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

REALM = "IAM Certification failed"
LOOK_SECONDS = 0.5
"""Seconds between two looks whether anything has changed that running answers may depend on."""
EXPIRY_SECONDS = 2.0
"""Seconds between two queries for all running answers, where nothing has; one must end within 5 s.
"""


class Services(GenerationContext, frozen=True, kw_only=True):
    """Everything that lives as long as the process and an operation needs, as `app.py` made it."""

    settings: Settings
    live: Live
    limiter: Rates
    concurrency: Concurrency
    speeds: Speeds
    ledger: Ledger
    lapses: Lapses
    principals: Principals
    pictures: PictureLoader
    images: ImageStore
    vetting: Vetting


class Prepared(msgspec.Struct, Generic[T_co], frozen=True):
    """Work that is ready to be done, under a hold of `amount`.

    `amount` is the most that it may cost, in micro-Tokens, `None` where nothing is to be reserved;
    `prompt_tokens` are known already, and `max_tokens` are the most that the client may have asked
    to be generated. While it runs it counts its usage, which tells when it has
    finished.
    """

    run: Callable[[], Awaitable[T_co]]
    amount: int | None = None
    prompt_tokens: int = 0
    max_tokens: int = 0


class Work(Protocol[T_co]):
    """What an operation says of the work that it charges for; `charged` does the rest.

    `tokens` is what it takes of its member's Tokens a minute until it is known what it has used;
    `counts` are the fields of its usage that it fills. A `stream` that is cut off is owed as far as
    it was shown, any other answer not at all, unless it is the client that leaves. Whoever sends a
    stream watches its token, since it may be sent for longer than it is made.
    """

    counts: tuple[str, ...]
    card: ModelCard
    tokens: int
    usage: Usage
    stream: bool

    @property
    def used(self) -> int:
        """What it has used of the Tokens a minute."""

    @property
    def by_own(self) -> bool:
        """Whether the model's own deployment does it: how fast another is, is not of the model."""

    async def prepare(self) -> Prepared[T_co]:
        """Moderate what was asked, if it is to be, and count it. Raises `ApiError`."""


async def charged(services: Services, exchange: Exchange, work: Work[T]) -> T:
    """What the work returns, once its charge is saved.

    It ends when the client leaves, and is charged what its usage says then; it ends, too, when
    its token lapses. Nothing is charged before the hold, each hold is settled exactly once, and
    what was taken of the limits and not used is given back. Raises `RateLimited`,
    `InsufficientTokens`, `ClientGone`, `Unsaved`, `ApiError`, and what the
    work raises.
    """
    card, model = work.card, exchange.model
    asks, places = asked(exchange.principal.standing.limits, model)
    admission = await admit(
        services, exchange, model, asks, rpm=card.rpm, tpm=card.tpm, tokens=work.tokens
    )
    try:
        held = partial(_held, services, exchange, work)
        begun = services.concurrency.run(exchange, places, held) if places else held()
        lapses = None if work.stream else services.lapses
        return await unless_gone(exchange, begun, work.usage, lapses)
    finally:
        admission.settle(work.used)


async def _held(services: Services, exchange: Exchange, work: Work[T]) -> T:
    prepared, payer, usage = await work.prepare(), exchange.principal, work.usage
    await services.lapses.check(payer.bearer, since=exchange.body_read_at)
    if prepared.amount is None:
        return await prepared.run()
    usage.arrived = exchange.body_read_at
    holding = services.ledger.hold(
        payer,
        request_id=exchange.request_id,
        model=exchange.model,
        rate=work.card.rate,
        amount=prepared.amount,
        prompt_tokens=prepared.prompt_tokens,
        stream=work.stream,
        usage=usage,
    )
    try:
        async with holding:
            result = await prepared.run()
            ended = time.perf_counter()
    except OverBudget as fault:
        ask = await services.principals.managers(payer.member_id)
        output = work.card.rate.output
        raise over_budget(fault.reached, prepared.max_tokens, output, ask) from fault
    except InsufficientTokens as fault:
        raise not_covered(fault, await services.principals.managers(payer.member_id)) from fault
    finally:
        exchange.charged = holding.charged
    model = exchange.model
    # Of one that serves the model no more, nobody wants to know.
    current = exchange.serving.behind(model) is services.live.now.behind(model)
    if usage.first and current and work.by_own:
        services.speeds.note(
            model,
            waited=usage.first - usage.arrived,
            tokens=usage.completion_tokens,
            seconds=ended - usage.first,
        )
    for kind in work.counts:
        metrics.child(metrics.TOKENS, model, kind).inc(getattr(usage, kind))
    writing = ended - (usage.first or usage.arrived)
    live.WINDOW.tokens(model, usage.prompt_tokens, usage.completion_tokens, writing)
    return result


async def admit(
    services: Services,
    exchange: Exchange,
    model: str,
    budgets: Sequence[Ask] = (),
    *,
    rpm: int,
    tpm: int,
    tokens: int,
) -> Taken:
    """Take a request and an estimate of its tokens from the limits, and tell what is left.

    Raises `RateLimited`.
    """
    owner, asks = exchange.principal.member_id, list(budgets)
    if rpm and not exchange.counted:
        asks.append(Ask(("rpm", owner, model), MEMBER, per_minute("rpm", rpm)))
    if tpm:
        asks.append(Ask(("tpm", owner, model), MEMBER, per_minute("tpm", tpm)))
    admission = await services.limiter.take(asks, tokens)
    for name, value in admission.headers:
        exchange.add_header(name, value)
    return admission


class Lapses:
    """Ends the answers that are being made for a token that is revoked or expires meanwhile."""

    def __init__(self, principals: Principals) -> None:
        self._principals = principals
        self._running: dict[Bearer, dict[object, Callable[[], object]]] = {}
        self._revision, self._due = 0, 0.0
        self.looking = Regular(self._look, LOOK_SECONDS, "tokens_not_looked_up", StorageError)

    @contextmanager
    def watching(self, bearer: Bearer, end: Callable[[], object]) -> Iterator[None]:
        """Within it, `end` is called when the token or session holds no longer."""
        running, key = self._running.setdefault(bearer, {}), object()
        running[key] = end
        try:
            yield
        finally:
            del running[key]
            if not running:
                self._running.pop(bearer, None)

    async def check(self, bearer: Bearer, since: float) -> None:
        """Raise `ApiError` (401) if the token has lapsed while its request waited.

        `since` is when it was known to hold, in seconds of `time.perf_counter`.
        """
        if time.perf_counter() - since > EXPIRY_SECONDS and await self._principals.lapsed([bearer]):
            raise lapsed()

    async def _look(self) -> None:
        """Look them all up where anything has changed, and else now and again: time passes, too."""
        if not self._running:
            return
        revision = await self._principals.revision()
        if revision == self._revision and time.monotonic() < self._due:
            return
        lapsed = await self._principals.lapsed(self._running)
        self._revision, self._due = revision, time.monotonic() + EXPIRY_SECONDS
        for bearer in lapsed:
            for end in list(self._running.get(bearer, {}).values()):
                end()


def lapsed() -> ApiError:
    return ApiError(
        Errors.INVALID_TOKEN,
        f"{REALM}: the access token was revoked or expired before the answer was finished",
    )


async def unless_gone(
    exchange: Exchange, work: Awaitable[T], usage: Usage | None = None, lapses: Lapses | None = None
) -> T:
    """What `work` gives; it is cancelled when the client leaves, or its token lapses.

    Raises `ClientGone` for the one, once `usage.left` is set, and `ApiError` (401) for the other.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.create_task(exchange.gone())
    first: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def ended(which: object = None) -> None:
        """One of the two has, or the token: then it is none of them."""
        if not first.done():
            first.set_result(which)

    task.add_done_callback(ended)
    gone.add_done_callback(ended)
    try:
        with lapses.watching(exchange.principal.bearer, ended) if lapses else nullcontext():
            await first
        if task.done():
            return task.result()
        if first.result() is None:
            raise lapsed()
        if usage is not None:
            usage.left = True
        raise ClientGone
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
