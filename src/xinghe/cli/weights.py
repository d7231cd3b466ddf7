"""`xinghe models pull`: fetch a model file into the shared cache."""

from __future__ import annotations

import asyncio

import click

from xinghe.settings import SettingsError, load
from xinghe.weights import WeightsError, fetch, terminal_progress
from xinghe.weights.fetch import SOURCE_NAMES


@click.command("pull")
@click.argument("name")
@click.option("--data", metavar="DIR", help="The data directory, whose xinghe.toml is read.")
@click.option("--source", type=click.Choice(SOURCE_NAMES), help="Try this source only.")
def pull(name: str, data: str | None, source: str | None) -> None:
    """Fetch the model file NAME (default, small, ...) and print where it is.

    An interrupted download goes on where it stopped.
    """
    try:
        path = asyncio.run(fetch(load(data), name, terminal_progress(), source))
    except (WeightsError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("\ninterrupted; the same command goes on from here", err=True)
        raise SystemExit(130) from None
    click.echo(path)
