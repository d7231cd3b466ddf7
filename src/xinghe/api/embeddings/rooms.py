"""How a request for vectors or a ranking begins."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from xinghe.api.embeddings.stations import EmbeddingLimits, effective
from xinghe.api.exchange import Exchange, check_whole
from xinghe.api.services import Services
from xinghe.api.validation import Form, Request, read_asked, tell_ignored
from xinghe.catalog import Kind, ModelCard
from xinghe.embedding import Embedder

T = TypeVar("T", bound=Request)


class Begun(msgspec.Struct, Generic[T], frozen=True):
    """A request that is valid, and who would serve its model."""

    request: T
    card: ModelCard
    embedder: Embedder
    limits: EmbeddingLimits


async def begin(form: Form[T], exchange: Exchange, services: Services) -> Begun[T]:
    """Read the body and find its model, which may be left out. Raises `ApiError`."""
    catalog, server = services.catalog, services.settings.server
    asked, card = await read_asked(form, Kind.EMBEDDING, exchange, catalog, server)
    check_whole(exchange)
    tell_ignored(exchange, asked.ignored)
    embedder = services.deployments.embedder(card)
    exchange.add_header("x-served-by", embedder.served_by)
    return Begun(asked.checked(), card, embedder, effective(card, embedder))
