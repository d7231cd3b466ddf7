"""A draft as a change of the configuration: its deployment's name and table, a card for a new
model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from xinghe.catalog import Catalog, Kind, LlamaCppDeployment, ModelCard, Tree
from xinghe.sources.draft import Draft
from xinghe.sources.undoing import users
from xinghe.weights import local_file
from xinghe.weights import resolve as resolve_weight

SIZES = {"context": 32768, "output": 8192, "answer": 2048}
"""Of a new model, in tokens, where its source says no less."""


def change_of(
    tree: Tree, model: str, card: ModelCard | None, kind: Kind, name: str, draft: Draft
) -> Tree:
    """The merge patch; a table that is there under that name is replaced as a whole."""
    old = tree.get("deployments", {}).get(name, {})
    table = {**dict.fromkeys(old), **draft.table}
    fields: dict[str, Any] = {"deployment": name}
    if card is None:
        fields |= _new_card(kind, draft)
    return {"deployments": {name: table}, "models": {model: fields}}


def _new_card(kind: Kind, draft: Draft) -> dict[str, Any]:
    """The card of a model that there was not: what its source says, and cautious sizes."""
    card: dict[str, Any] = {"kind": kind.value}
    if kind is Kind.EMBEDDING:
        most = draft.context or 512
        return card | {"max_input": most, "max_characters": 4 * most, "max_texts": 16}
    if kind is Kind.IMAGE:
        return card | {"image_tokens": 20_000}
    context = draft.context or SIZES["context"]
    output = max(2, min(SIZES["output"], context // 2))
    able = ["web_search", "json_object", "json_schema"]
    able += ["tools"] if draft.table.get("tools", True) else []
    able += ["images"] if draft.table.get("vision") else []
    return card | {
        "context": context,
        "max_input": context,
        "output_max": output,
        "output_default": min(SIZES["answer"], output),
        "capabilities": able,
    }


def name_of(catalog: Catalog, tree: Tree, file: Tree, model: str) -> str:
    """What the deployment is called: as the model, unless others have that one too, or a file says
    it.
    """
    at = 1
    while True:
        name = model if at == 1 else f"{model}-{at}"
        used = users(catalog, name)
        made = used == {model} or (not used and name not in tree.get("deployments", {}))
        if made and name not in file.get("deployments", {}):
            return name
        at += 1


def twin_of(catalog: Catalog, candidate: Catalog, kind: Kind, name: str) -> str | None:
    """A deployment that is already there and just the same: both models share it."""
    made = _alike(of_kind(candidate, kind)[name])
    others = {each: spec for each, spec in of_kind(catalog, kind).items() if each != name}
    return next((each for each, spec in others.items() if _alike(spec) == made), None)


def of_kind(catalog: Catalog, kind: Kind) -> Mapping[str, Any]:
    match kind:
        case Kind.CHAT:
            return catalog.deployments
        case Kind.EMBEDDING:
            return catalog.embeddings
        case Kind.IMAGE:
            return catalog.images


def _alike(spec: Any) -> Any:
    """The deployment with its weights by their one name, of which there are aliases."""
    if isinstance(spec, LlamaCppDeployment) and local_file(spec.weights) is None:
        return replace(spec, weights=resolve_weight(spec.weights).name)
    return spec
