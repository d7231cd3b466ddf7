"""What `xinghe serve` begins with: the applied version, as far as it can be served here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from xinghe import sharing
from xinghe.catalog import Catalog, CatalogError, LlamaCppDeployment
from xinghe.cli.language import said
from xinghe.configuration import Configurations, servable
from xinghe.engines.llamacpp.wanted import EngineWanted
from xinghe.settings import Settings, SettingsError
from xinghe.storage import Database
from xinghe.weights import WeightsError, find, local_file, missing_files, terminal_progress


class Begun(msgspec.Struct, frozen=True):
    """The catalog that a service begins with, and the embedded engines that it starts at once."""

    catalog: Catalog
    engines: list[EngineWanted]


async def begun(settings: Settings) -> Begun:
    """Imports what was edited in files, and fetches the model files of the applied version.

    A deployment whose files are missing serves nobody, and is tried again while others serve.
    Where no chat model would be served, the newest version before is taken of which all files are
    here; whatever the applied version lacks is said. Raises `CatalogError` where there is none,
    and `StorageError` or `SettingsError` where images could not be kept as they must be.
    """
    _check_folder(settings.images.folder)
    async with await Database.open(settings.data_dir, settings.database.url) as database:
        await sharing.check(database, settings.images)
        configurations = Configurations(database, settings)
        await configurations.started()
        first = ""
        async for found in servable(configurations):
            missing = {} if first else await _fetched(found.catalog, settings)
            missing = {**missing_files(found.catalog, settings), **missing}
            if first and missing:
                continue
            if not missing or found.catalog.in_use().keys() - missing.keys():
                for trouble in filter(None, (first or found.trouble, *missing.values())):
                    click.echo(_warning(trouble), err=True)
                if first or found.trouble:
                    name = found.version.name
                    instead = said(f"改由{name}提供服务", f"{name} serves instead")
                    click.echo(_warning(instead), err=True)
                return Begun(found.catalog, _engines(found.catalog, missing))
            first = "; ".join([*filter(None, [found.trouble]), *missing.values()])
    raise CatalogError(first)


def _check_folder(named: str) -> None:
    folder = Path(named).expanduser()
    if named and not (folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)):
        raise SettingsError(
            f"images.folder is {named!r}, allowed: a folder that is there and that the service's "
            "user may write into (make it, or mount it)"
        )


async def _fetched(catalog: Catalog, settings: Settings) -> dict[str, str]:
    """Fetch what is missing of the index of weights; by deployment, why it is not here now."""
    failed = dict[str, str]()
    for name, deployment in catalog.in_use().items():
        if isinstance(deployment, LlamaCppDeployment) and not local_file(deployment.weights):
            try:
                if find(settings, deployment.weights) is None:
                    # Most starts fetch nothing, and it takes an HTTP client along.
                    from xinghe.weights.fetch import fetch  # noqa: PLC0415

                    await fetch(settings, deployment.weights, terminal_progress())
            except WeightsError as error:
                failed[name] = f"deployments.{name}: `weights`: {error}"
    return failed


def _warning(text: str) -> str:
    return said(f"警告：{text}", f"Warning: {text}")


def _engines(catalog: Catalog, missing: Mapping[str, str]) -> list[EngineWanted]:
    return [
        EngineWanted(name, deployment)
        for name, deployment in catalog.in_use().items()
        if isinstance(deployment, LlamaCppDeployment) and name not in missing
    ]
