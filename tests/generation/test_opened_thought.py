"""An engine that is held to grammars, and whose template opens a chain of thought."""

from __future__ import annotations

import json

import pytest

from tests.engines.tape import STREAM_HEAD, event, playing, refusal
from tests.generation.made import accumulated, services
from tests.generation.vetted import form
from xinghe.catalog import LlamaCppDeployment
from xinghe.core import FinishReason, Message, Sampling, Usage
from xinghe.dispatch import ChatDeployment
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.generation.planning import GenerationRequest
from xinghe.generation.vetting import VettedForm
from xinghe.safety import Moderator

NO_LISTS = Moderator(builtin=False)
RENDERED = [refusal(200, json.dumps({"prompt": "<think>\n"}).encode())]
COUNTED = [refusal(200, json.dumps({"tokens": [1, 2, 3]}).encode())]
END = event({"stop": True, "tokens_predicted": 1, "tokens_evaluated": 3})


@pytest.mark.parametrize(
    ("wanted", "text", "thought", "answer"),
    [
        (None, "想。</think>答", "想。", "答"),
        (form(max_tokens=64), "{}", "", "{}"),
    ],
    ids=["text", "form"],
)
async def test_where_the_answer_begins(
    wanted: VettedForm | None, text: str, thought: str, answer: str
) -> None:
    """The grammar holds from the first token: a form has no thought before it."""
    said = event({"content": text, "tokens_predicted": 1})
    async with playing(RENDERED, COUNTED, [STREAM_HEAD, said, END]) as tape:
        spec = LlamaCppDeployment(slots=1, context=4096, thinks=True)
        engine = LlamaCppEngine("embedded/r1", spec)
        engine.locate(tape.url)
        deployment = ChatDeployment("r1", spec, engine)
        question = (Message("user", "你好"),)
        request = GenerationRequest(
            "as-0123456789", deployment, question, Sampling(), 64, thinking=64, structure=wanted
        )
        using = services(NO_LISTS)
        try:
            made = await accumulated(using, request, Usage())
        finally:
            await deployment.engine.aclose()
    assert (made.thought, made.text) == (thought, answer)


async def test_thought_that_reaches_its_bound_is_closed_and_answered() -> None:
    """The model goes on from its own thoughts: the second prompt ends with them."""
    thought = event({"content": "想", "tokens_predicted": 1})
    more = event({"content": "想", "tokens_predicted": 2})
    over = event({"content": "想", "tokens_predicted": 3})
    said = event({"content": "答", "tokens_predicted": 1})
    passes = ([STREAM_HEAD, thought, more, over, END], [STREAM_HEAD, said, END])
    async with playing(RENDERED, COUNTED, passes[0], RENDERED, COUNTED, passes[1]) as tape:
        spec = LlamaCppDeployment(slots=1, context=4096, thinks=True)
        engine = LlamaCppEngine("embedded/r1", spec)
        engine.locate(tape.url)
        deployment = ChatDeployment("r1", spec, engine)
        question = (Message("user", "你好"),)
        request = GenerationRequest(
            "as-0123456789", deployment, question, Sampling(), 64, thinking=2
        )
        usage = Usage()
        using = services(NO_LISTS)
        try:
            made = await accumulated(using, request, usage)
        finally:
            await deployment.engine.aclose()
    assert (made.thought, made.text) == ("想想", "答")
    assert made.finish.reason is FinishReason.NORMAL
    assert (usage.prompt_tokens, usage.reasoning_tokens) == (3, 2)
    assert tape.requests[4]["content"] == "<think>\n想想\n</think>\n\n"
