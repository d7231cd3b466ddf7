"""What of the configuration is a model's own, and goes with it; what a file says by hand stays."""

from __future__ import annotations

import re
import shlex

from xinghe.catalog import Catalog, Tree
from xinghe.configuration.merging import patched
from xinghe.settings import nearest
from xinghe.sources.source import SourceError


def tidy(change: Tree, tree: Tree, file: Tree, catalog: Catalog, model: str, name: str) -> str:
    """Take out the deployment that the model had, where it is called as a model is (with a number
    perhaps), nobody else has it, and no file says it. Returns its name, or nothing.
    """
    card = catalog.models.get(model)
    before = card.deployment if card else name
    made = any(re.fullmatch(rf"{re.escape(each)}(-\d+)?", before) for each in catalog.models)
    here = before in tree.get("deployments", {})
    by_hand = before in file.get("deployments", {})
    if before == name or by_hand or not (made and here) or users(catalog, before) != {model}:
        return ""
    change.setdefault("deployments", {})[before] = None
    return before


def users(catalog: Catalog, deployment: str) -> set[str]:
    """The models that a deployment serves, be it only where another is away."""
    return {name for name, card in catalog.models.items() if deployment in card.chain}


def unknown(model: str, catalog: Catalog) -> str:
    near = nearest(model, catalog.models)
    hint = f"did you mean {near!r}? " if near else ""
    return (
        f"there is no model {model!r}; {hint}`xinghe models list` shows them all, "
        f"`xinghe models use {shlex.quote(model)} SOURCE --new chat` (or embedding, image) makes it"
    )


def reset(tree: Tree, file: Tree, catalog: Catalog, model: str) -> tuple[Tree, str]:
    """The merge patch that takes out what was set of a model beside what `file` says of it, and the
    deployment made for it; the name of that one, if there is one.

    Raises `SourceError`.
    """
    now, said = tree.get("models", {}).get(model), file.get("models", {}).get(model)
    if now == said:
        if model not in catalog.models:
            raise SourceError(unknown(model, catalog))
        left = "models.toml says" if said else "it comes with the program"
        raise SourceError(f"nothing was set of {model}: it is as {left}")
    table = None if said is None else {**dict.fromkeys(now or {}), **said}
    change: Tree = {"models": {model: table}}
    after = patched(tree, change)["models"].get(model, {})
    return change, tidy(change, tree, file, catalog, model, after.get("deployment", ""))
