"""`xinghe models`: what the catalog holds, and the weights it needs."""

import asyncio
from typing import Any

import click

from xinghe.catalog import Catalog, CatalogError, ModelCard, effective, of_card
from xinghe.catalog import load as load_catalog
from xinghe.cli.common import show, shown_options
from xinghe.settings import Settings, SettingsError, load
from xinghe.weights import SOURCE_NAMES, WeightsError, fetch, find, load_index, terminal_progress


@click.group()
def models() -> None:
    """The model catalog, and weights for the embedded engine."""


@models.command("list")
@click.option("--weights", is_flag=True, help="List the weights that `models pull` knows instead.")
@shown_options
def list_models(weights: bool, data: str | None, as_json: bool) -> None:
    """List every model: its limits in tokens, its price in Tokens a token, who serves it."""
    try:
        settings = load(data)
        if weights:
            rows = _weights(settings)
        else:
            catalog = load_catalog(settings)
            rows = [_model(catalog, name, card) for name, card in catalog.models.items()]
    except (SettingsError, CatalogError, WeightsError) as error:
        raise click.ClickException(str(error)) from error
    show(rows, as_json=as_json)


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


def _model(catalog: Catalog, name: str, card: ModelCard) -> dict[str, Any]:
    serving = catalog.deployments.get(card.deployment)  # none: it makes vectors or images
    limits = effective(card, serving) if serving else of_card(card)
    return {
        "model": name,
        "kind": card.kind.value,
        "context": limits.context,
        "max_input": limits.max_input,
        "max_output": limits.max_output,
        "input_ratio": card.input_ratio,
        "output_ratio": card.output_ratio,
        "deployment": card.deployment,
    }


def _weights(settings: Settings) -> list[dict[str, Any]]:
    """`size` is in bytes; `here` tells whether the file is in the cache."""
    return [
        {
            "weights": weight.name,
            "aliases": list(weight.aliases),
            "size": weight.size,
            "licence": weight.licence,
            "pinned": weight.sha256 is not None,
            "here": find(settings, weight.name) is not None,
        }
        for weight in load_index().values()
    ]
