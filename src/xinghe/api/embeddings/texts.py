"""What `POST /embeddings` and `POST /rerank` share: texts whose price is known beforehand."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from xinghe.api.dialect import Dialect
from xinghe.api.embeddings.schema import EmbeddingLimits, text_limits
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Prepared, Services
from xinghe.api.validation import Form, Request, parse_request, tell_ignored
from xinghe.catalog import Kind, ModelCard
from xinghe.core import Usage
from xinghe.dispatch import CANNOT_SERVE, Chain
from xinghe.embedding import Embedder
from xinghe.engines.prompts import estimated_tokens

R = TypeVar("R", bound=Request)
T = TypeVar("T")


class Begun(msgspec.Struct, Generic[R], frozen=True):
    """A request that is valid, and who would serve its model, within whose own `limits`."""

    request: R
    card: ModelCard
    chain: Chain[Embedder]
    limits: EmbeddingLimits

    def most(self, embedder: Embedder) -> int:
        """Tokens of a text, at most, for one that serves it; 0 sets no limit."""
        return min(filter(None, (self.limits.tokens, embedder.max_tokens)), default=0)


async def begin(
    forms: Mapping[Dialect, Form[R]], exchange: Exchange, services: Services
) -> Begun[R]:
    """Read the body and find its model, which may be left out. Raises `ApiError`."""
    form = forms[exchange.dialect]
    live, server = services.live, services.settings.server
    parsed, card = await parse_request(form, Kind.EMBEDDING, exchange, live, server)
    if parsed.ignored:
        tell_ignored(exchange, form, parsed.ignored)
    chain = Chain(exchange.model, exchange.serving.deployments.embedders(card))
    return Begun(parsed.checked({}), card, chain, text_limits(card, chain.own))


DENSE = 8
"""Characters of a token, at most, in a text that is read in pieces."""


def counted_tokens(texts: Sequence[str], window: int = 0) -> int:
    """The source's estimate over all texts.

    A text of more characters than the `window` (0: there is none) has a token for every `DENSE` of
    them at least. It is read in pieces, and a word without an end, or nothing but signs, takes as
    long to read as any other text, of which the estimate knows nothing.
    """
    tokens = estimated_tokens("\n".join(texts))
    if window:
        long = (text for text in texts if len(text) > window)
        tokens += sum(max(0, len(text) // DENSE - estimated_tokens(text)) for text in long)
    return tokens


class FirstTexts:
    """What the first so many texts have of tokens; each is looked at once, however often one asks.

    Who asks for fewer than before is told of those before: they were begun.
    """

    def __init__(self, texts: Sequence[str], window: int = 0) -> None:
        self._texts = texts
        self._window = window
        self._counted = self._tokens = 0

    def tokens(self, upto: int) -> int:
        """At least 1, since signs of other scripts count none."""
        more = self._texts[self._counted : upto]
        self._counted += len(more)
        self._tokens += counted_tokens(more, self._window)
        return max(1, self._tokens)


class TextWork(Generic[T]):
    """Work on texts, as `priced.Work` describes it; its price is known before it begins.

    `ask` is what is asked of whoever of the chain serves it, and tells when it begins, on the
    first so many texts or on all; `fits` is whether another than the model's own can. Where one
    cannot serve it, the next does.

    `tokens` are those that `counted_tokens` says; at least 1, since signs of other scripts count
    none.
    """

    counts: tuple[str, ...] = ("prompt_tokens",)
    stream = False

    def __init__(
        self,
        exchange: Exchange,
        begun: Begun[Any],
        texts: list[str],
        ask: Callable[[Embedder, Callable[..., None]], Awaitable[T]],
        fits: Callable[[Embedder], bool],
        window: int = 0,
    ) -> None:
        self.card = begun.card
        self.tokens = max(1, counted_tokens(texts, window))
        self.usage = Usage()
        self._texts = texts
        self._window = window
        self._first = FirstTexts(texts, window)
        self._exchange = exchange
        self._chain = begun.chain
        self._ask = ask
        self._fits = fits
        self._tell()

    @property
    def used(self) -> int:
        return self.usage.prompt_tokens

    @property
    def by_own(self) -> bool:
        return self._chain.now is self._chain.own

    async def prepare(self) -> Prepared[T]:
        """Texts are not moderated: what comes of them is numbers."""
        return Prepared(self._run, self.card.rate.cost(self.tokens, 0), self.tokens)

    async def _run(self) -> T:
        while True:
            try:
                result = await self._ask(self._chain.now, self._began)
            except CANNOT_SERVE as fault:
                self.usage.started, self.usage.prompt_tokens = False, 0
                self._first = FirstTexts(self._texts, self._window)
                self._chain.after(fault, self._fits)
                self._tell()
            else:
                break
        self.usage.prompt_tokens = self.tokens
        self.usage.finished = True
        return result

    def _tell(self) -> None:
        self._exchange.set_header("x-served-by", self._chain.now.served_by)

    def _began(self, texts: int | None = None) -> None:
        """An engine begins: from now on a client that leaves owes the price of these texts."""
        self.usage.started = True
        whole = texts is None or texts >= len(self._texts)
        begun = self.tokens if whole else min(self.tokens, self._first.tokens(texts or 0))
        self.usage.prompt_tokens = begun
