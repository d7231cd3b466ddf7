"""`xinghe models set`: prices, limits and the deployment of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from xinghe.catalog import ModelCard
from xinghe.cli.changing import changing
from xinghe.cli.common import actor, data_option
from xinghe.cli.service import follows
from xinghe.configuration import Configurations
from xinghe.settings import Settings
from xinghe.sources import SourceError, assigned, known
from xinghe.sources.undoing import unknown


@click.command("set")
@click.argument("name")
@click.argument("assignments", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option(
    "--unset",
    multiple=True,
    metavar="FIELD",
    help="Take back what was set: the field is as it comes with the program. Repeat for several.",
)
@data_option
def set_(name: str, assignments: Sequence[str], unset: Sequence[str], data: str | None) -> None:
    """Set fields of model NAME: its prices, limits, deployment, and all else of its card.

    As in `xinghe models set deepseek-v3 input_ratio=2 rpm=60 deployment=vllm`. Values are as in
    models.toml, but for texts, which need no quotes, and lists of texts, which commas part.

    A running service takes them within a second: requests that run keep price, limits and
    deployment.
    """
    if not assignments and not unset:
        raise click.UsageError("nothing to set: FIELD=VALUE, or --unset FIELD")

    async def action(settings: Settings, configurations: Configurations) -> str:
        now = await configurations.current()
        tree, catalog = now.tree, configurations.catalog(now)
        if name not in catalog.models:
            raise SourceError(unknown(name, catalog))
        where = f"models.{name}"
        fields: dict[str, Any] = assigned(assignments, ModelCard, where)
        for field in unset:
            known(field, ModelCard.__struct_fields__, f"{where}: --unset")
            if field in fields:
                raise SourceError(f"{where}: `{field}` is both set and unset")
            if field not in tree.get("models", {}).get(name, {}):
                raise SourceError(f"{where}: `{field}` was not set, so there is nothing to unset")
            fields[field] = None
        outcome = await configurations.patch(
            {"models": {name: fields}}, actor(), source="command", note=f"models set {name}"
        )
        card = configurations.built(outcome.version.tree).models[name]
        lines = [f"{name}.{field} is {_shown(card, field)}" for field in fields]
        number = outcome.version.number
        lines.append(f"version {number}")
        return "\n".join([*lines, await follows(settings, configurations, number)])

    click.echo(changing(data, action))


def _shown(card: ModelCard, field: str) -> str:
    value = getattr(card, field)
    if isinstance(value, frozenset):
        value = sorted(map(str, value))
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "empty"
    return str(value) if value != "" else "empty"
