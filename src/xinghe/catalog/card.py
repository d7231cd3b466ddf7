"""What a model is (its card), and the limits that hold for one request to it."""

import enum
from functools import cached_property
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.catalog.deployments import AnyDeployment, Count
from xinghe.catalog.rate import Rate
from xinghe.core import MICRO

Ratio = Annotated[float, Meta(ge=0, le=1e6)]
Size = Annotated[str, Meta(pattern=r"^[1-9][0-9]{1,3}x[1-9][0-9]{1,3}$")]
ImageParameter = Literal[
    "steps", "cfg_scale", "sampler_index", "style",
    "num_inference_steps", "guidance_scale", "use_pe",
]  # fmt: skip
"""What some image models are told, and others are not."""
DOCUMENTED_PARAMETERS: frozenset[ImageParameter] = frozenset(
    {"steps", "cfg_scale", "sampler_index", "style"}
)
"""Of an image model where its card names none (section 4.2.2)."""
SAME: dict[ImageParameter, ImageParameter] = {
    "num_inference_steps": "steps",
    "guidance_scale": "cfg_scale",
}
"""Other names of the same; a model has one of them."""

MIN_OUTPUT_TOKENS = 2
"""The smallest `max_completion_tokens` of every model (sections 2.1–2.3)."""
ANSWER_RESERVE = 1024
"""Tokens of a deployment's context that a prompt may not take, so that an answer fits; of a small
one, half."""


class Kind(enum.StrEnum):
    """The operation that a model serves."""

    CHAT = "chat"
    EMBEDDING = "embedding"
    IMAGE = "image"


class Capability(enum.StrEnum):
    """What a model may do beyond plain text (section 2.6)."""

    REASONING = "reasoning"
    WEB_SEARCH = "web_search"
    TOOLS = "tools"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"
    IMAGES = "images"


class ModelCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """One model of the catalog; lengths are in tokens, ratios in Tokens a token."""

    kind: Kind
    title: str = ""
    context: Count = 0
    max_input: Count = 0
    output_max: Count = 0
    output_default: Count = 0
    reasoning_max: Count = 0
    max_characters: Count = 0
    max_texts: Count = 0
    image_tokens: Count = 0
    sizes: tuple[Size, ...] = ()
    """Of its images, width x height in pixels; empty: the documented ones."""
    parameters: frozenset[ImageParameter] = DOCUMENTED_PARAMETERS
    capabilities: frozenset[Capability] = frozenset()
    ignores: frozenset[str] = frozenset()
    last_role: frozenset[str] = frozenset({"user", "tool"})
    input_ratio: Ratio = 1.0
    output_ratio: Ratio = 1.0
    search_price: Ratio = 4000.0
    """Tokens a web search."""
    rpm: Count = 0
    tpm: Count = 0
    preemptible: bool = False
    deployment: str = ""
    fallback: tuple[str, ...] = ()
    """Deployments that serve it, in this order, where its own cannot."""

    def __post_init__(self) -> None:
        if self.kind is Kind.IMAGE:
            for one, other in SAME.items():
                if {one, other} <= self.parameters:
                    raise ValueError(f"`parameters` holds {one} and {other}, allowed: one of them")
        if self.kind is not Kind.CHAT:
            return
        if not self.context:
            raise ValueError("a chat model needs its `context`")
        if not 0 < self.max_input <= self.context:
            raise ValueError(
                f"`max_input` is {self.max_input}, allowed: 1 to context {self.context}"
            )
        if not MIN_OUTPUT_TOKENS <= self.output_default <= self.output_max:
            raise ValueError(
                f"`output_default` is {self.output_default}, allowed: "
                f"{MIN_OUTPUT_TOKENS} to output_max {self.output_max}"
            )

    @property
    def chain(self) -> tuple[str, ...]:
        """The deployments that may serve it, in the order in which they are tried."""
        return (self.deployment, *self.fallback)

    @cached_property
    def rate(self) -> Rate:
        """The price in micro-Tokens; a cached input token costs a quarter."""
        whole = round(self.input_ratio * MICRO)
        return Rate(
            input=whole,
            output=round(self.output_ratio * MICRO),
            cached_input=whole // 4,
            search=round(self.search_price * MICRO),
        )


class AccountLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one member: a second over all models, a minute over what names no model; 0 is none.

    Before each limit of concurrent requests at most `queue` wait, for at most `wait` seconds.
    """

    qps: Annotated[float, Meta(ge=0, le=1e6)] = 0
    rpm: Count = 0
    tpm: Count = 0
    queue: Annotated[int, Meta(ge=0, le=10_000)] = 100
    wait: Annotated[float, Meta(ge=0, le=3600)] = 30.0


class Limits(msgspec.Struct, frozen=True, dict=True):
    """All in tokens; `bound_by` names whose input limit is the smaller one."""

    context: int
    max_input: int
    max_output: int
    bound_by: str

    @cached_property
    def max_characters(self) -> int:
        """Checked before tokens are counted: four times the input tokens."""
        return 4 * self.max_input


def of_card(card: ModelCard) -> Limits:
    return Limits(card.context, card.max_input, card.output_max, "model")


def of_deployment(deployment: AnyDeployment) -> Limits | None:
    """What the deployment itself imposes; `None` when it has no context of its own."""
    if not deployment.context:
        return None
    reserve = min(ANSWER_RESERVE, deployment.context // 2)
    room = max(1, deployment.context - reserve)
    return Limits(deployment.context, room, deployment.context, "deployment")


def effective(card: ModelCard, deployment: AnyDeployment) -> Limits:
    """The smaller of the card's and the deployment's."""
    own, served = of_card(card), of_deployment(deployment)
    if served is None:
        return own
    return Limits(
        context=min(own.context, served.context),
        max_input=min(own.max_input, served.max_input),
        max_output=min(own.max_output, served.max_output),
        bound_by=own.bound_by if own.max_input <= served.max_input else served.bound_by,
    )
