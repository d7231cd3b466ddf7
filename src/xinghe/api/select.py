"""Finds the model that a request names, and whether its token may use it."""

from __future__ import annotations

from typing import Any

from xinghe.accounts import Principal
from xinghe.api.errors import ApiError, Errors, refuse
from xinghe.catalog import Catalog, Kind, ModelCard


def select_model(
    name: Any, catalog: Catalog, kind: Kind, principal: Principal
) -> tuple[str, ModelCard]:
    """The name and the card. Raises `ApiError`."""
    if name is None or name == "":
        raise ApiError(Errors.MODEL_EMPTY, "model is empty", param="model")
    if not isinstance(name, str):
        raise refuse("model", name, "the id of a model")
    card = catalog.models.get(name)
    if card is None:
        raise ApiError(
            Errors.NO_SUCH_MODEL,
            f"no such model: {name[:80]!r}; GET /models lists them all",
            param="model",
        )
    if principal.models is not None and name not in principal.models:
        raise ApiError(
            Errors.MODEL_NOT_PERMITTED, f"No permission to use the model {name}", param="model"
        )
    if card.kind is not kind:
        raise refuse("model", name, f"a model of kind {kind.value}; this one is {card.kind.value}")
    return name, card
