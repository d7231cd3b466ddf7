"""What a model can do and its deployment delivers."""

from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors, unsupported
from xinghe.catalog import Capability, ModelCard
from xinghe.dispatch import ChatDeployment

OCR = "ocr/PP-OCRv6"
NOTE = "note/xinghe"
"""That the model was told something by the platform, as `x-served-by` says it."""
HOW = {
    Capability.TOOLS: "a prompt and a grammar of the platform",
    Capability.REASONING: "a pass of its own before the answer",
    Capability.IMAGES: f"{OCR}: text, colours and size are read out, the model sees no picture",
    Capability.WEB_SEARCH: "results that the platform finds and puts into the prompt",
}


def deliverable(
    card: ModelCard, deployment: ChatDeployment, dialect: Dialect
) -> frozenset[Capability]:
    """What can be asked of a model on a deployment: by its card, at `/v1` whatever the card says.

    What an engine lacks, the platform does around it: it lets a model think, holds a grammar
    engine to tools, and reads pictures out to one without vision.
    """
    abilities = deployment.engine.abilities
    able = set(Capability if dialect is Dialect.OPENAI else card.capabilities)
    if not abilities.tools and abilities.constraints != "grammar":
        able.discard(Capability.TOOLS)
    return frozenset(able)


def around(able: frozenset[Capability], deployment: ChatDeployment) -> dict[str, str]:
    """What the platform does around an engine that lacks it, by capability, for `/models`.

    And, under `note`, what it tells the model of itself.
    """
    abilities = deployment.engine.abilities
    lacking = {
        Capability.TOOLS: not abilities.tools,
        Capability.REASONING: not abilities.thinks,
        Capability.IMAGES: not abilities.vision,
        Capability.WEB_SEARCH: True,
    }
    told = {
        capability.value: HOW[capability]
        for capability in sorted(able)
        if lacking.get(capability, False)
    }
    return told | ({"note": abilities.note} if abilities.note else {})


def forbid(dialect: Dialect, model: str, param: str, capability: Capability) -> ApiError:
    """The refusal of a parameter whose capability is not there.

    At `/v1` it is no 401: clients show one as a bad key.
    """
    if dialect is Dialect.OPENAI:
        return unsupported(
            param,
            f"{param} is not supported: what serves {model} does not deliver {capability.value}",
        )
    return ApiError(
        Errors.NO_PARAMETER_PERMISSION,
        f"model {model} does not support {param} ({capability.value})",
        param=param,
    )
