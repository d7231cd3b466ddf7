"""The limits that hold for one request: the smaller of the card's and the deployment's."""

from __future__ import annotations

import msgspec

from xinghe.catalog.card import AnyDeployment, ModelCard

ANSWER_RESERVE = 1024
"""Tokens of a deployment's context that a prompt may not take, so that an answer fits."""


class Limits(msgspec.Struct, frozen=True):
    """All in tokens; `bound_by` names whose input limit is the smaller one."""

    context: int
    max_input: int
    max_output: int
    bound_by: str

    @property
    def max_characters(self) -> int:
        """Checked before tokens are counted: four times the input tokens."""
        return 4 * self.max_input


def of_card(card: ModelCard) -> Limits:
    return Limits(card.context, card.max_input, card.output_max, "model")


def of_deployment(deployment: AnyDeployment) -> Limits | None:
    """What the deployment itself imposes; `None` when it has no context of its own."""
    if not deployment.context:
        return None
    room = max(1, deployment.context - ANSWER_RESERVE)
    return Limits(deployment.context, room, deployment.context, "deployment")


def effective(card: ModelCard, deployment: AnyDeployment) -> Limits:
    own, served = of_card(card), of_deployment(deployment)
    if served is None:
        return own
    return Limits(
        context=min(own.context, served.context),
        max_input=min(own.max_input, served.max_input),
        max_output=min(own.max_output, served.max_output),
        bound_by=own.bound_by if own.max_input <= served.max_input else served.bound_by,
    )
