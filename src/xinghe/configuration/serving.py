"""What can be served: the applied version, or the newest before it that makes a catalog."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from xinghe.catalog import Catalog, CatalogError
from xinghe.configuration.configurations import Configurations
from xinghe.configuration.tables import Version

LOOKED_AT = 100
"""Versions that are looked at before what is built in serves."""


class Servable(msgspec.Struct, frozen=True):
    """A version with its catalog; `trouble` says why it is not the applied one."""

    version: Version
    catalog: Catalog
    trouble: str = ""


async def servable(configurations: Configurations) -> AsyncIterator[Servable]:
    """What might be served, the applied version first, then those before it, at last what is built
    in. What makes no catalog is left out. Raises `CatalogError` where not even that makes one.
    """
    version, trouble = await configurations.current(), ""
    for turn in range(LOOKED_AT + 1):
        if turn == LOOKED_AT:
            version = Version(0)
        try:
            found = Servable(version, configurations.catalog(version), trouble)
        except CatalogError as error:
            if not version.number:
                raise
            trouble = trouble or str(error)
        else:
            yield found
        if not version.number:
            return
        version = await configurations.before(version.number)


async def served(configurations: Configurations) -> Servable:
    """The first of what can be served. Raises `CatalogError`."""
    async for found in servable(configurations):
        return found
    raise AssertionError("unreachable")
