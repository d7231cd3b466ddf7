"""What a model can do and its deployment delivers."""

from __future__ import annotations

from xinghe.api.errors import ApiError, Errors
from xinghe.catalog.card import Capability, ModelCard
from xinghe.dispatch.dispatcher import Station


def deliverable(card: ModelCard, station: Station) -> frozenset[Capability]:
    """The capabilities of a card that can be delivered on a deployment.

    What an engine lacks, the platform does around it: it lets a model think, holds a grammar
    engine to tools, and reads pictures out to one without eyes.
    """
    abilities = station.engine.abilities
    able = set(card.capabilities)
    if not abilities.tools and abilities.constraints != "grammar":
        able.discard(Capability.TOOLS)
    return frozenset(able)


def forbid(model: str, param: str, capability: Capability) -> ApiError:
    return ApiError(
        Errors.NO_PARAMETER_PERMISSION,
        f"model {model} does not support {param} ({capability.value})",
        param=param,
    )
