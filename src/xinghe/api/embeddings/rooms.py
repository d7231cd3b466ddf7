"""The rooms of a request for vectors or a ranking, and the beginning that both share."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from xinghe.api.embeddings.request import DEFAULT_MODEL
from xinghe.api.embeddings.stations import Embedders, EmbeddingLimits, effective
from xinghe.api.exchange import Exchange, read_json_object
from xinghe.api.select import select_model
from xinghe.catalog import Catalog, Kind, ModelCard
from xinghe.embedding import Embedder
from xinghe.ledger import Ledger
from xinghe.limits import Limiter
from xinghe.settings import Server


class Begun(msgspec.Struct, frozen=True):
    """A body that was read, and who would serve its model."""

    body: dict[str, Any]
    card: ModelCard
    embedder: Embedder
    limits: EmbeddingLimits


class EmbeddingRooms(msgspec.Struct, frozen=True):
    """All that lives as long as the process and such a request needs."""

    catalog: Catalog
    embedders: Embedders
    ledger: Ledger
    limiter: Limiter
    server: Server

    async def begin(self, exchange: Exchange) -> Begun:
        """Read the body and find its model, which may be left out. Raises `ApiError`."""
        server = self.server
        body = await read_json_object(exchange, server)
        exchange.body_read_at = time.perf_counter()
        model = DEFAULT_MODEL if body.get("model") is None else body["model"]
        name, card = select_model(model, self.catalog, Kind.EMBEDDING, exchange.require())
        exchange.model = name
        embedder = self.embedders.of(card)
        exchange.add_header("x-served-by", embedder.served_by)
        return Begun(body, card, embedder, effective(card, embedder))
