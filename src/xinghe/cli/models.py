"""`xinghe models`: what the catalog holds, and the weights it needs."""

from __future__ import annotations

from typing import Any

import click

from xinghe import settings
from xinghe.catalog.card import ModelCard
from xinghe.catalog.limits import effective
from xinghe.catalog.load import Catalog, CatalogError, load
from xinghe.cli.options import data_option, json_option
from xinghe.cli.tables import show
from xinghe.cli.weights import pull


@click.group()
def models() -> None:
    """The model catalog, and weights for the embedded engine."""


@models.command("list")
@data_option
@json_option
def list_models(data: str | None, as_json: bool) -> None:
    """List every model: its limits in tokens, its price in Tokens a token, who serves it."""
    try:
        catalog = load(settings.load(data=data))
    except (settings.SettingsError, CatalogError) as error:
        raise click.ClickException(str(error)) from error
    rows = [_row(catalog, name, card) for name, card in catalog.models.items()]
    show(rows, as_json=as_json)


def _row(catalog: Catalog, name: str, card: ModelCard) -> dict[str, Any]:
    limits = effective(card, catalog.deployments[card.deployment])
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


models.add_command(pull)
