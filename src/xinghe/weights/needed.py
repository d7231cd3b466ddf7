"""Whether the files are here that deployments on this machine are made of."""

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


def check_files(catalog: Catalog, settings: Settings, before: Catalog | None = None) -> None:
    """Raise `CatalogError`, which names the deployment and its field, where one is missing.

    Looked at are the deployments that models use, but for those that are at work as they are in
    the catalog `before`: what they needed, they have loaded. Nothing is fetched.
    """
    known = _in_use(before) if before is not None else {}
    for name, deployment in _in_use(catalog).items():
        if known.get(name) == deployment:
            continue
        match deployment:
            case LlamaCppDeployment():
                _check_gguf(name, "weights", _weights(name, deployment, settings))
                if deployment.projector is not None:
                    _check_gguf(name, "mmproj", deployment.projector)
            case LlamaCppEmbeddingDeployment():
                _check_gguf(name, "weights", deployment.path)
            case DiffusersDeployment(path=Path() as path) if not path.exists():
                raise _missing(name, "weights", f"there is no file or folder {path}")


def _in_use(catalog: Catalog) -> dict[str, object]:
    return {**catalog.in_use(), **catalog.embeddings_in_use(), **catalog.images_in_use()}


def _weights(name: str, deployment: LlamaCppDeployment, settings: Settings) -> Path:
    try:
        found = find(settings, deployment.weights)
    except UnknownWeight as error:
        raise _missing(name, "weights", str(error)) from error
    if found is None:
        wanted = deployment.weights
        path = local_file(wanted)
        raise _missing(
            name,
            "weights",
            f"there is no file {path}"
            if path
            else f"{wanted!r} is not on this machine yet: xinghe models pull {wanted}",
        )
    return found


def _check_gguf(name: str, field: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(len(GGUF))
    except OSError as error:
        reason = "there is no file" if isinstance(error, FileNotFoundError) else "cannot be read:"
        raise _missing(name, field, f"{reason} {path}") from error
    if start != GGUF:
        raise _missing(name, field, f"{path} is no GGUF file")


def _missing(name: str, field: str, reason: str) -> CatalogError:
    return CatalogError(f"deployments.{name}: `{field}`: {reason}")
