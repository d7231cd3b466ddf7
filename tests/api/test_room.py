"""What the context leaves an answer, down to the last token."""

from __future__ import annotations

import pytest

from tests.engines.tape import playing
from xinghe.api.chat.served import cut_to_fit
from xinghe.catalog import Limits, UpstreamDeployment
from xinghe.core import Message, Sampling
from xinghe.dispatch import ChatDeployment
from xinghe.engines.upstream import UpstreamEngine
from xinghe.generation.planning import GenerationRequest, count

WANTED = (40, 30)
"""Tokens of the answer, and of the thought before it."""


@pytest.mark.parametrize(
    ("room", "lengths"), [(100, (40, 30)), (50, (25, 25)), (2, (1, 1)), (1, (1, 1)), (0, (1, 1))]
)
async def test_what_is_left(room: int, lengths: tuple[int, int]) -> None:
    """Half of it is for the thought at most; of what was wanted, there is always something."""
    async with playing([]) as tape:
        spec = UpstreamDeployment(url=tape.url, model="m", thinks=False)
        deployment = ChatDeployment("up", spec, UpstreamEngine("up", spec))
        request = GenerationRequest(
            "as-0123456789", deployment, (Message("user", "你好"),), Sampling(), 40, thinking=30
        )
        counted = await count(request)
        context = counted.tokens + room
        cut = cut_to_fit(request, counted, Limits(context, context, WANTED[0], "model"))
        await deployment.engine.aclose()
    assert (cut.max_tokens, cut.thinking) == lengths
