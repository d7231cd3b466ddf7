"""How a request for vectors or a ranking begins."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from xinghe.api.embeddings.request import DEFAULT_MODEL
from xinghe.api.embeddings.stations import EmbeddingLimits, effective
from xinghe.api.exchange import Exchange, read_json_object
from xinghe.api.select import select_model
from xinghe.api.services import Services
from xinghe.catalog import Kind, ModelCard
from xinghe.embedding import Embedder


class Begun(msgspec.Struct, frozen=True):
    """A body that was read, and who would serve its model."""

    body: dict[str, Any]
    card: ModelCard
    embedder: Embedder
    limits: EmbeddingLimits


async def begin(services: Services, exchange: Exchange) -> Begun:
    """Read the body and find its model, which may be left out. Raises `ApiError`."""
    body = await read_json_object(exchange, services.settings.server)
    exchange.body_read_at = time.perf_counter()
    model = DEFAULT_MODEL if body.get("model") is None else body["model"]
    name, card = select_model(model, services.catalog, Kind.EMBEDDING, exchange.require())
    exchange.model = name
    embedder = services.deployments.embedder(card)
    exchange.add_header("x-served-by", embedder.served_by)
    return Begun(body, card, embedder, effective(card, embedder))
