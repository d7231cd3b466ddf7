"""What `POST /embeddings` and `POST /rerank` share: texts whose price is known beforehand."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec

from xinghe.api.embeddings.schema import EmbeddingLimits, text_limits
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Prepared, Services
from xinghe.api.validation import Form, Request, parse_request, tell_ignored
from xinghe.catalog import Kind, ModelCard
from xinghe.core import Usage
from xinghe.embedding import Began, Embedder
from xinghe.engines.prompts import estimated_tokens

R = TypeVar("R", bound=Request)
T = TypeVar("T")


class Begun(msgspec.Struct, Generic[R], frozen=True):
    """A request that is valid, and who would serve its model."""

    request: R
    card: ModelCard
    embedder: Embedder
    limits: EmbeddingLimits


async def begin(form: Form[R], exchange: Exchange, services: Services) -> Begun[R]:
    """Read the body and find its model, which may be left out. Raises `ApiError`."""
    live, server = services.live, services.settings.server
    parsed, card = await parse_request(form, Kind.EMBEDDING, exchange, live, server)
    if parsed.ignored:
        tell_ignored(exchange, form, parsed.ignored)
    embedder = exchange.serving.deployments.embedder(card)
    exchange.add_header("x-served-by", embedder.served_by)
    return Begun(parsed.checked({}), card, embedder, text_limits(card, embedder))


class TextWork(Generic[T]):
    """Work on texts, as `priced.Work` describes it; its price is known before it begins.

    `tokens` is the source's estimate over all texts; at least 1, since signs of other scripts
    count none.
    """

    counts: tuple[str, ...] = ("prompt_tokens",)
    stream = False

    def __init__(
        self, card: ModelCard, texts: list[str], engine: Callable[[Began], Awaitable[T]]
    ) -> None:
        self.card = card
        self.tokens = max(1, estimated_tokens("\n".join(texts)))
        self.usage = Usage()
        self._engine = engine

    @property
    def used(self) -> int:
        return self.usage.prompt_tokens

    async def prepare(self) -> Prepared[T]:
        """Texts are not moderated: what comes of them is numbers."""
        return Prepared(self._run, self.card.rate.cost(self.tokens, 0), self.tokens)

    async def _run(self) -> T:
        result = await self._engine(self._began)
        self.usage.prompt_tokens = self.tokens
        self.usage.finished = True
        return result

    def _began(self) -> None:
        """An engine begins: from now on a client that leaves owes the price."""
        self.usage.started = True
        self.usage.prompt_tokens = self.tokens
