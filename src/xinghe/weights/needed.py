"""Whether the files are here that deployments on this machine are made of."""

import os
import shlex
import shutil
from pathlib import Path

from xinghe.catalog import (
    Catalog,
    CatalogError,
    DiffusersDeployment,
    LlamaCppDeployment,
    LlamaCppEmbeddingDeployment,
)
from xinghe.settings import Settings
from xinghe.weights.index import UnknownWeight, local_file
from xinghe.weights.store import find

GGUF = b"GGUF"
"""What such a file begins with."""


def check_files(
    catalog: Catalog, settings: Settings, before: Catalog | None = None, *, fetches: bool = False
) -> None:
    """Raise `CatalogError`, which names the deployment and its field, where one is missing.

    The arguments are those of `missing_files`.
    """
    for why in missing_files(catalog, settings, before, fetches=fetches).values():
        raise CatalogError(why)


def missing_files(
    catalog: Catalog, settings: Settings, before: Catalog | None = None, *, fetches: bool = False
) -> dict[str, str]:
    """By deployment, in which field it names a file that is not here, or that is no model.

    Looked at are the deployments that models use, but for those that are at work as they are in
    the catalog `before`: what they needed, they have loaded. Nothing is fetched; where a start
    still `fetches` what the index of weights has, that need not be here.
    """
    known = _in_use(before) if before is not None else {}
    found = dict[str, str]()
    for name, deployment in _in_use(catalog).items():
        if known.get(name) == deployment:
            continue
        faults = _faults(deployment, settings, fetches=fetches).items()
        for field, why in [each for each in faults if each[1]][:1]:
            found[name] = f"deployments.{name}: `{field}`: {why}"
    return found


def _in_use(catalog: Catalog) -> dict[str, object]:
    return {**catalog.in_use(), **catalog.embeddings_in_use(), **catalog.images_in_use()}


def _faults(deployment: object, settings: Settings, *, fetches: bool) -> dict[str, str]:
    """What is wrong with its files, by the field that names each; empty: nothing."""
    match deployment:
        case LlamaCppDeployment():
            projector = deployment.projector
            return {
                "weights": _no_weights(deployment.weights, settings, fetches=fetches),
                "mmproj": _no_gguf(projector) if projector else "",
            }
        case LlamaCppEmbeddingDeployment():
            return {"weights": _no_gguf(deployment.path)}
        case DiffusersDeployment():
            program = deployment.python
            found = not program or shutil.which(program) is not None
            return {
                "weights": _nothing(deployment.path),
                "config": _nothing(Path(deployment.config) if deployment.config else None),
                "python": "" if found else f"there is no program {program}",
            }
        case _:
            return {}


def _nothing(path: Path | None) -> str:
    there = path is None or os.path.exists(path.expanduser())
    return "" if there else f"there is no file or folder {path}"


def _no_weights(wanted: str, settings: Settings, *, fetches: bool) -> str:
    """Why an embedded engine could not load them; empty: it seems it could."""
    try:
        found = find(settings, wanted)
    except UnknownWeight as error:
        return str(error)
    path = found or local_file(wanted)
    if path is not None:
        return _no_gguf(path)
    pull = f"xinghe models pull {shlex.quote(wanted)}"
    return "" if fetches else f"{wanted!r} is not on this machine yet: {pull}"


def _no_gguf(path: Path) -> str:
    """Why a file is none that an engine could load; empty: it seems to be one."""
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would have whoever opens it wait
        return f"{path} is no file"
    try:
        with path.open("rb") as file:
            start = file.read(len(GGUF))
    except OSError as error:
        reason = "there is no file" if isinstance(error, FileNotFoundError) else "cannot be read:"
        return f"{reason} {path}"
    return "" if start == GGUF else f"{path} is no GGUF file"
