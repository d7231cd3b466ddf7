"""A template that can be told whether to think is told what the request says; others are not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.engines.conftest import child_of
from tests.kit.tiny import write_tiny
from xinghe.catalog import LlamaCppDeployment
from xinghe.core import Message, Thinking
from xinghe.engines.llamacpp.engine import LlamaCppEngine

pytestmark = pytest.mark.embedded

SAID = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
TAIL = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
LIKE_QWEN = (
    SAID + "{% if add_generation_prompt %}<|assistant|>"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}"
)
LIKE_DEEPSEEK = (
    SAID + "{% if add_generation_prompt %}<|assistant|>"
    "{% if thinking is defined and thinking %}<think>{% else %}</think>{% endif %}{% endif %}"
)
MENTIONS = "{# enable_thinking #}" + SAID + TAIL
ASKED = [Message("user", "a")]
ON, OFF = Thinking(on=True), Thinking(on=False)


async def prompt(engine: LlamaCppEngine, asked: Thinking, *more: Message) -> list[int]:
    made = await engine.prepare([*ASKED, *more], asked=asked)
    assert isinstance(made.payload, list)
    return made.payload


@pytest_asyncio.fixture
async def engine(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[LlamaCppEngine]:
    template, thinks = request.param
    weights = write_tiny(tmp_path / "tiny.gguf", template)
    deployment = LlamaCppDeployment(slots=1, context=512, thinks=thinks)
    async with child_of(weights, deployment) as running:
        yield running


@pytest.mark.parametrize("engine", [(LIKE_QWEN, True)], indirect=True)
async def test_one_that_listens(engine: LlamaCppEngine) -> None:
    assert engine.abilities.steered == "switch"
    off = await prompt(engine, OFF)
    on = await prompt(engine, ON)
    assert on == await prompt(engine, Thinking())
    assert off[: len(on)] == on
    assert len(off) > len(on)
    assert on == await engine.tokens(ASKED)
    begun = Message("assistant", "b")
    assert await prompt(engine, ON, begun) == await prompt(engine, OFF, begun)


@pytest.mark.parametrize("engine", [(LIKE_DEEPSEEK, True)], indirect=True)
async def test_one_that_calls_it_otherwise(engine: LlamaCppEngine) -> None:
    assert engine.abilities.steered == "switch"
    assert (await engine.prepare(ASKED, asked=ON)).thinks
    assert not (await engine.prepare(ASKED, asked=OFF)).thinks


@pytest.mark.parametrize("engine", [(LIKE_QWEN, False)], indirect=True)
async def test_one_that_the_platform_lets_think_does_not_by_itself(engine: LlamaCppEngine) -> None:
    assert engine.abilities.steered == "no"
    off = await prompt(engine, OFF)
    assert await prompt(engine, ON) == await prompt(engine, Thinking()) == off
    assert off == await engine.tokens(ASKED)


@pytest.mark.parametrize("engine", [(MENTIONS, True)], indirect=True)
async def test_one_that_does_not(engine: LlamaCppEngine) -> None:
    assert engine.abilities.steered == "no"
    off = await prompt(engine, OFF)
    assert await prompt(engine, ON) == await prompt(engine, Thinking()) == off
