"""Who serves a chat model, what it can do there, and what of a request fits into it."""

import msgspec
from msgspec.structs import replace

from xinghe.api.chat.capabilities import deliverable
from xinghe.api.chat.request import ChatRequest
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors
from xinghe.catalog import Capability, Limits, ModelCard, effective
from xinghe.dispatch import ChatDeployment
from xinghe.engines import Engine
from xinghe.generation.planning import Counted, GenerationRequest

SHARE = 8
"""One part in so many of what the context leaves is what the results of a search may take."""


class Served(msgspec.Struct, frozen=True):
    """A model on one deployment: what can be asked of it, and the limits of a request to it."""

    deployment: ChatDeployment
    able: frozenset[Capability]
    limits: Limits

    @classmethod
    def by(cls, deployment: ChatDeployment, card: ModelCard, dialect: Dialect) -> "Served":
        able, limits = deliverable(card, deployment, dialect), effective(card, deployment.spec)
        return cls(deployment, able, limits)

    @property
    def engine(self) -> Engine:
        return self.deployment.engine

    @property
    def served_by(self) -> str:
        return self.engine.served_by

    def stands_in(self, own: "Served", request: ChatRequest) -> bool:
        """Whether it can do for a request what the model's `own` deployment would.

        Pictures that this one would see are not read out to one without vision.
        """
        blind = request.shows and not self.engine.abilities.vision
        lacks = {capability for _, capability in request.wants} - self.able
        mute = request.logprobs is not None and not self.engine.abilities.logprobs
        return not lacks and not mute and not (blind and own.engine.abilities.vision)


def cut_to_fit(
    generation: GenerationRequest, counted: Counted, limits: Limits
) -> GenerationRequest:
    """What is asked of generation, with what the context has room for. Raises `ApiError`."""
    tokens = counted.tokens
    if tokens > limits.max_input:
        raise ApiError(
            Errors.TOKENS_TOO_LONG,
            f"Prompt tokens too long: the prompt has {tokens} tokens, "
            f"the {limits.bound_by} takes at most {limits.max_input}",
            param="messages",
        )
    room = limits.context - tokens - counted.first.prompt.ours
    generation = replace(generation, search_budget=min(generation.search_budget, room // SHARE))
    room = max(1, room - generation.search_bound)
    thinking = min(generation.thinking, max(1, room // 2))
    return replace(
        generation,
        thinking=thinking,
        max_tokens=max(1, min(generation.max_tokens, limits.max_output, room - thinking)),
    )
