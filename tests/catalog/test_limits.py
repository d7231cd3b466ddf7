"""The limits that hold for a request: the smaller of the card's and the deployment's."""

from __future__ import annotations

import pytest

from xinghe.catalog import (
    ANSWER_RESERVE,
    Kind,
    Limits,
    LlamaCppDeployment,
    ModelCard,
    UpstreamDeployment,
    effective,
    of_deployment,
)

CARD = ModelCard(kind=Kind.CHAT, context=8192, max_input=5120, output_max=2048, output_default=1024)


def test_deployment_without_a_context_imposes_nothing() -> None:
    deployment = UpstreamDeployment(url="http://h", model="m")
    assert of_deployment(deployment) is None
    assert effective(CARD, deployment) == Limits(8192, 5120, 2048, "model")


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (32768, Limits(8192, 5120, 2048, "model")),
        (5120 + ANSWER_RESERVE, Limits(6144, 5120, 2048, "model")),
        (4096, Limits(4096, 3072, 2048, "deployment")),
        (1500, Limits(1500, 750, 1500, "deployment")),
        (512, Limits(512, 256, 512, "deployment")),
    ],
)
def test_smaller_one_holds_and_is_named(context: int, expected: Limits) -> None:
    assert effective(CARD, LlamaCppDeployment(context=context)) == expected


def test_characters_are_four_times_the_input_tokens() -> None:
    assert effective(CARD, LlamaCppDeployment(context=4096)).max_characters == 4 * 3072
