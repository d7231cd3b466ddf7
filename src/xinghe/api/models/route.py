"""`GET /models` and `GET /models/{id}` (section 2.7): OpenAI's shape, and an `xinghe` object."""

from __future__ import annotations

from typing import Any

from xinghe.accounts.records import Principal
from xinghe.api.chat.permissions import SERVED
from xinghe.api.errors import ApiError, Errors
from xinghe.api.exchange import Exchange
from xinghe.catalog.card import Kind, ModelCard
from xinghe.catalog.limits import Limits, effective, of_card, of_deployment
from xinghe.catalog.load import Catalog
from xinghe.dispatch.dispatcher import Dispatcher

OWNER = "xinghe"


class ModelsRoute:
    """Lists the models that the caller's token may use."""

    def __init__(self, catalog: Catalog, dispatcher: Dispatcher, created: int) -> None:
        self._catalog = catalog
        self._dispatcher = dispatcher
        self._created = created

    async def list(self, exchange: Exchange) -> None:
        principal = exchange.require()
        data = [
            self._describe(name, card)
            for name, card in self._catalog.models.items()
            if _permitted(name, principal)
        ]
        await exchange.send_json({"object": "list", "data": data})

    async def show(self, exchange: Exchange, name: str) -> None:
        card = self._catalog.models.get(name)
        if card is None or not _permitted(name, exchange.require()):
            raise ApiError(
                Errors.NO_SUCH_MODEL, f"no such model: {name[:80]!r}; GET /models lists them all"
            )
        await exchange.send_json(self._describe(name, card))

    def _describe(self, name: str, card: ModelCard) -> dict[str, Any]:
        about: dict[str, Any] = {
            "kind": card.kind.value,
            "title": card.title,
            "rpm": card.rpm,
            "tpm": card.tpm,
        }
        if card.kind is Kind.CHAT:
            station = self._dispatcher.stations[card.deployment]
            served = of_deployment(station.deployment)
            about |= {
                "served_by": station.engine.served_by,
                "capabilities": {
                    "model": sorted(card.capabilities),
                    "served": sorted(card.capabilities & SERVED),
                },
                "limits": {
                    "model": _limits(of_card(card)),
                    "deployment": _limits(served) if served else None,
                    "effective": _limits(effective(card, station.deployment)),
                    "default_output_tokens": card.output_default,
                },
                "ignored_parameters": sorted(card.ignores),
            }
        else:
            about["served_by"] = None
        if card.kind is Kind.IMAGE:
            about["image_tokens"] = card.image_tokens
        else:
            about |= {"input_ratio": card.input_ratio, "output_ratio": card.output_ratio}
        if card.kind is Kind.EMBEDDING:
            about["limits"] = {
                "texts": card.max_texts,
                "tokens_a_text": card.max_input,
                "characters_a_text": card.max_characters,
            }
        return {
            "id": name,
            "object": "model",
            "created": self._created,
            "owned_by": OWNER,
            "xinghe": about,
        }


def _permitted(name: str, principal: Principal) -> bool:
    return principal.models is None or name in principal.models


def _limits(limits: Limits) -> dict[str, int]:
    """In tokens, but for the characters."""
    return {
        "context": limits.context,
        "max_input_tokens": limits.max_input,
        "max_output_tokens": limits.max_output,
        "max_input_characters": limits.max_characters,
    }
