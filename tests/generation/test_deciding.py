"""Answers with functions on the small embedded model: what the pass that decides leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engines.conftest import CONTEXT, SLOTS, engine  # noqa: F401
from tests.generation.made import accumulated, services
from tests.generation.tools.functions import ALL
from tests.generation.vetted import functions
from xinghe.catalog import LlamaCppDeployment
from xinghe.core import FinishReason, Message, Sampling, Tool, ToolUse, Usage
from xinghe.dispatch import ChatDeployment
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.generation.planning import GenerationRequest
from xinghe.safety import Moderator

pytestmark = [pytest.mark.embedded, pytest.mark.asyncio(loop_scope="module")]

TOOLSETS = json.loads(Path("bench/tools.json").read_text("utf-8"))["toolsets"]
GREEDY = Sampling(temperature=0.0)


async def answered(
    engine: LlamaCppEngine,  # noqa: F811
    question: str,
    stops: tuple[str, ...] = (),
    offered: tuple[Tool, ...] = ALL,
) -> tuple[str, FinishReason, Usage]:
    spec = LlamaCppDeployment(slots=SLOTS, context=CONTEXT)
    deployment = ChatDeployment("embedded", spec, engine)
    using = services(Moderator(builtin=False))
    messages = (Message("user", question),)
    usage = Usage()
    request = GenerationRequest(
        "as-0123456789",
        deployment,
        messages,
        GREEDY,
        24,
        stops=stops,
        tools=functions(ToolUse(offered), max_tokens=24),
        account=1,
    )
    answer = await accumulated(using, request, usage)
    assert not answer.calls
    return answer.text, answer.finish.reason, usage


async def test_the_prompt_is_charged_as_it_was_first_read(
    engine: LlamaCppEngine,  # noqa: F811
) -> None:
    """The reply's own pass finds it in the cache whole: that is our doing, not the client's."""
    question = "Write one sentence about the moon, please."
    _, _, first = await answered(engine, question)
    assert first.cached_tokens < first.prompt_tokens / 2
    _, _, second = await answered(engine, question)
    assert second.cached_tokens > second.prompt_tokens / 2


async def test_stop_string_at_the_beginning_of_a_reply(
    engine: LlamaCppEngine,  # noqa: F811
) -> None:
    """It ends the reply where it stands, and nothing that is shown before it is lost."""
    question = "Write one sentence about the sun, please."
    text, _, _ = await answered(engine, question)
    stop = text[4:8]
    cut, reason, _ = await answered(engine, question, (stop,))
    assert (cut, reason) == (text.partition(stop)[0], FinishReason.STOP)
    assert cut


@pytest.mark.parametrize(
    ("toolset", "question"),
    [("travel", "谢谢你,再见!"), ("clock", "记一下是什么意思?")],
)
async def test_the_examples_of_calls_do_not_leak_into_a_reply(
    engine: LlamaCppEngine,  # noqa: F811
    toolset: str,
    question: str,
) -> None:
    """Small models repeat what they have just read: the pass that replies has not read them."""
    offered = tuple(
        Tool(each["name"], each["description"], each["parameters"]) for each in TOOLSETS[toolset]
    )
    text, _, _ = await answered(engine, question, offered=offered)
    assert text
    assert not any(mark in text for mark in ("{", "A:", "Q:", "[result", "time ", "note "))
