"""How commands change the configuration: after what was edited in files has come in."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

from xinghe.catalog import CatalogError
from xinghe.cli.common import run_in
from xinghe.cli.service import running
from xinghe.configuration import ConfigurationError, Configurations
from xinghe.observe import logs
from xinghe.settings import Settings
from xinghe.sources import SourceError
from xinghe.storage import Database
from xinghe.weights import WeightsError

T = TypeVar("T")


def changing(
    data: str | None, action: Callable[[Settings, Configurations], Coroutine[Any, Any, T]]
) -> T:
    """Run what changes the configuration; what it was asked and cannot do ends the command.

    A file that cannot be imported is named, and keeps nobody from changing the rest.
    """

    async def on_database(settings: Settings) -> T:
        logs.configure("silent", settings.log.format)  # all is said in our own words
        async with await Database.open(settings.data_dir, settings.database.url) as database:
            at_work = running(settings) is not None
            configurations = Configurations(database, settings, at_work=at_work)
            for file, why in (await configurations.import_files()).troubles.items():
                click.echo(f"{file} was not imported: {why}", err=True)
            return await action(settings, configurations)

    try:
        return run_in(data, on_database)
    except (SourceError, CatalogError, ConfigurationError, WeightsError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("\ninterrupted; `xinghe config versions` says what is applied", err=True)
        raise SystemExit(130) from None
