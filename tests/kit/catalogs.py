"""The catalog that a data directory makes, read as a service imports its files."""

from __future__ import annotations

from xinghe.catalog import Catalog, CatalogError, built, merged
from xinghe.configuration.files import MODELS, Files
from xinghe.settings import Settings


def catalog_of(settings: Settings) -> Catalog:
    """Raises `CatalogError`, which names the file."""
    found = Files(settings.data_dir).read()
    try:
        if MODELS in found.troubles:
            raise CatalogError(found.troubles[MODELS])
        return built(merged(found.models or {}), settings)
    except CatalogError as error:
        raise CatalogError(f"{settings.data_dir / MODELS}: {error}") from error
