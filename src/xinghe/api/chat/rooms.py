"""The rooms that a chat request walks through, as the route is given them."""

from __future__ import annotations

import msgspec

from xinghe.api.authentication import Lapses
from xinghe.api.chat.capabilities import OCR, deliverable
from xinghe.api.chat.pictures import PictureLoader
from xinghe.api.chat.request import ChatRequest
from xinghe.catalog import Capability, Catalog, LlamaCppDeployment, ModelCard
from xinghe.dispatch.dispatcher import Station
from xinghe.generation.request import Services
from xinghe.generation.vetting import Vetting
from xinghe.ledger import Ledger
from xinghe.limits import Limiter
from xinghe.settings import Search, Server


class Rooms(msgspec.Struct, frozen=True):
    """All that lives as long as the process and a chat request needs."""

    catalog: Catalog
    services: Services
    ledger: Ledger
    limiter: Limiter
    pictures: PictureLoader
    vetting: Vetting
    lapses: Lapses
    server: Server
    search: Search

    def station(self, card: ModelCard) -> Station:
        return self.services.dispatcher.stations[card.deployment]

    def able(self, card: ModelCard) -> frozenset[Capability]:
        """What a model can do and its deployment delivers."""
        return deliverable(card, self.station(card))

    def served_by(self, request: ChatRequest, station: Station) -> str:
        """What really answers; who reads pictures for an engine without eyes is named too."""
        engine = station.engine
        read_out = request.shows and not engine.abilities.eyes
        return f"{engine.served_by}, {OCR}" if read_out else engine.served_by

    def ignored(self, request: ChatRequest, station: Station) -> list[str]:
        """What an engine that thinks by itself leaves no say in: only a budget cuts it off."""
        given = request.effort != 1.0 and station.engine.abilities.thinks
        return ["reasoning_effort"] if given else []

    def search_budget(self, station: Station) -> int:
        """Tokens of found text that the engine reads: the embedded one reads slowly."""
        embedded = isinstance(station.deployment, LlamaCppDeployment)
        return self.search.embedded_budget if embedded else self.search.budget
