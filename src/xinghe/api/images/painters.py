"""The painters at work, by the name of their deployment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from xinghe.catalog import ModelCard
from xinghe.images import Painter


class Painters:
    """All painters; those that load weights begin with it when the service starts."""

    def __init__(self, by_name: Mapping[str, Painter]) -> None:
        self._by_name = by_name

    def of(self, card: ModelCard) -> Painter:
        return self._by_name[card.deployment]

    async def start(self) -> None:
        await asyncio.gather(*(painter.start() for painter in self._by_name.values()))

    async def aclose(self) -> None:
        await asyncio.gather(*(painter.aclose() for painter in self._by_name.values()))
