"""An engine that is held to grammars, and whose template opens a chain of thought."""

from __future__ import annotations

import json
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.engines.tape import STREAM_HEAD, event, playing, refusal
from xinghe.api.chat.collected import Collected
from xinghe.catalog.card import LlamaCppDeployment
from xinghe.core import Message, Meter, Sampling
from xinghe.dispatch.dispatcher import Dispatcher, Station
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.generation.answer import Answer
from xinghe.generation.structure import Structure, structured
from xinghe.generation.task import Means, Task
from xinghe.safety import Moderator

NO_LISTS = Moderator(Path("no-such-folder"), builtin=False)
RENDERED = [refusal(200, json.dumps({"prompt": "<think>\n"}).encode())]
COUNTED = [refusal(200, json.dumps({"tokens": [1, 2, 3]}).encode())]
END = event({"stop": True, "tokens_predicted": 1, "tokens_evaluated": 3})


@pytest.mark.parametrize(
    ("form", "text", "thought", "answer"),
    [
        (None, "想。</think>答", "想。", "答"),
        (structured(max_tokens=64), "{}", "", "{}"),
    ],
    ids=["text", "form"],
)
async def test_where_the_answer_begins(
    form: Structure | None, text: str, thought: str, answer: str
) -> None:
    """The grammar holds from the first token: a form has no thought before it."""
    said = event({"content": text, "tokens_predicted": 1})
    async with playing(RENDERED, COUNTED, [STREAM_HEAD, said, END]) as tape:
        deployment = LlamaCppDeployment(slots=1, context=4096, thinks=True)
        engine = LlamaCppEngine("embedded/r1", deployment)
        engine.locate(tape.url)
        station = Station("r1", deployment, engine)
        dispatcher = Dispatcher({"r1": station})
        question = (Message("user", "你好"),)
        task = Task("as-0123456789", question, Sampling(), 64, thinking=64, structure=form)
        made = Answer(Means(dispatcher, station, NO_LISTS), task, Meter())
        collected = Collected()
        try:
            await made.prepare()
            async with aclosing(made.batches()) as batches:
                async for batch in batches:
                    collected.take(batch.deltas)
        finally:
            await dispatcher.aclose()
    assert (collected.thought, collected.text) == (thought, answer)
