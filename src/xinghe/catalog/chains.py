"""Who serves a model where its own deployment cannot: the names in `fallback`, as they must be."""

from collections.abc import Mapping
from typing import Any

from xinghe.catalog.card import Kind, ModelCard
from xinghe.catalog.deployments import (
    AnyDeployment,
    EmbeddingDeployment,
    ImageDeployment,
    PreviewDeployment,
)
from xinghe.settings import suggestion

SERVING: dict[Kind, Any] = {
    Kind.CHAT: AnyDeployment,
    Kind.EMBEDDING: EmbeddingDeployment,
    Kind.IMAGE: ImageDeployment,
}
"""What deployments a model of each kind may have."""


def inherited(card: ModelCard, made: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of a `fallback` of all models that can stand in for this one.

    Raises `ValueError` for a name that no deployment has, or that stands there twice.
    """
    for name in card.fallback:
        if name not in made:
            known = suggestion(name, sorted(made))
            raise ValueError(f"`fallback` holds {name!r}, {known}; {_defined(name)}")
    _check_once(card)
    return tuple(name for name in card.fallback if _why_not(name, card, made) is None)


def check_chain(card: ModelCard, made: Mapping[str, Any], models: Mapping[str, Any]) -> None:
    """Raises `ValueError` for what cannot stand in for the model's own deployment.

    `made` are all deployments, `models` all models: whose names are often taken for one another.
    """
    _check_once(card)
    fit = [name for name in sorted(made) if _why_not(name, card, made) is None]
    allowed = f"allowed: {', '.join(fit) or 'none, as no other deployment fits'}"
    for name in card.fallback:
        if name not in made:
            a_model = name in models
            wrong = "which is a model, not a deployment" if a_model else "which is no deployment"
            raise ValueError(f"`fallback` holds {name!r}, {wrong}, {allowed}; {_defined(name)}")
        if (why := _why_not(name, card, made)) is not None:
            raise ValueError(f"`fallback` holds {name!r}, {why}, {allowed}")


def _defined(name: str) -> str:
    """How there is a deployment of a name."""
    return f"a table [deployments.{name}] in models.toml defines one"


def _check_once(card: ModelCard) -> None:
    twice = [name for at, name in enumerate(card.fallback) if name in card.fallback[:at]]
    if twice:
        raise ValueError(f"`fallback` holds {twice[0]!r} twice, allowed: each name once")


def _why_not(name: str, card: ModelCard, made: Mapping[str, Any]) -> str | None:
    """Why a deployment cannot stand in for a model's own; `None` if it can."""
    other, own = made[name], made[card.deployment]
    if name == card.deployment:
        return "the model's own deployment"
    if not isinstance(other, SERVING[card.kind]):
        return f"which serves no {card.kind.value} models"
    if isinstance(other, PreviewDeployment):
        return "which composes pictures without a model"
    if isinstance(other, EmbeddingDeployment):
        if other.vectors != own.vectors:
            return (
                f"whose vectors ({other.vectors}) cannot be compared with those of "
                f"{card.deployment} ({own.vectors})"
            )
        for prefix in ("query_prefix", "passage_prefix"):
            if getattr(other, prefix, "") != getattr(own, prefix, ""):
                return f"whose `{prefix}` is not that of {card.deployment}"
    return None
