"""`xinghe models`: what is behind each name of the catalog, and the weights it needs."""

import asyncio

import click

from xinghe.cli.lazy import Elsewhere, LazyGroup
from xinghe.settings import SettingsError, load
from xinghe.weights import SOURCE_NAMES, WeightsError, terminal_progress
from xinghe.weights.fetch import fetch

COMMANDS = (
    (
        "list",
        "model_list:list_models",
        "List every model: what is behind it, how fast it is, and whether it answers now.",
    ),
    (
        "use",
        "model_use:use",
        "Have model NAME served by SOURCE: try it by one small request, then apply it.",
    ),
    (
        "set",
        "model_set:set_",
        "Set fields of model NAME: its prices, limits, deployment, and all else of its card.",
    ),
    (
        "reset",
        "model_use:reset",
        "Take back what `use` and `set` made of model NAME: it is as it comes with the program "
        "again.",
    ),
)


@click.group(cls=LazyGroup)
def models() -> None:
    """The model catalog, and weights for the embedded engine."""


for name, place, line in COMMANDS:
    models.add_command(Elsewhere(name, f"xinghe.cli.{place}", line))


@models.command("pull")
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
