"""Citations beside functions: the pass that decides leaves no trace in the reply's."""

from __future__ import annotations

import json

from tests.engines.tape import STREAM_HEAD, event, playing, refusal
from tests.generation.made import accumulated, services
from tests.generation.vetted import functions
from xinghe.catalog import LlamaCppDeployment
from xinghe.core import Message, Sampling, Source, Tool, ToolUse, Usage
from xinghe.dispatch import ChatDeployment
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.generation.planning import GenerationRequest
from xinghe.generation.search import SearchOptions
from xinghe.safety import Moderator
from xinghe.search import Measure, Reference

RENDERED = [refusal(200, json.dumps({"prompt": "p"}).encode())]
COUNTED = [refusal(200, json.dumps({"tokens": [1, 2, 3]}).encode())]
PREPARED = (RENDERED, COUNTED)
END = event({"stop": True, "tokens_predicted": 1, "tokens_evaluated": 3})


class Lake:
    """Finds one page for everything."""

    async def search(
        self, query: str, *, number: int, references: int, budget: int, measure: Measure
    ) -> list[Reference]:
        return [Reference(1, "https://one.example/", "甲报", "甲报", "西湖在杭州。")]


async def test_a_code_fence_that_was_not_shown() -> None:
    """The reply begins with it once more: it opens there, and closes where the reply closes it."""
    decided = [STREAM_HEAD, event({"content": "```\n西", "tokens_predicted": 1}), END]
    text = "```\n[1]\n```\n西湖在杭州[1]。"
    replied = [STREAM_HEAD, event({"content": text, "tokens_predicted": 1}), END]
    async with playing(*PREPARED, *PREPARED, decided, *PREPARED, replied) as tape:
        spec = LlamaCppDeployment(slots=1, context=4096)
        engine = LlamaCppEngine("embedded/m", spec)
        engine.locate(tape.url)
        deployment = ChatDeployment("m", spec, engine)
        options = SearchOptions(
            citation=True, trace=False, status=False, search_number=5, reference_number=5
        )
        request = GenerationRequest(
            "as-0123456789",
            deployment,
            (Message("user", "联网搜索一下:今天西湖的新闻有哪些?"),),
            Sampling(),
            64,
            tools=functions(ToolUse((Tool("clock", "", {}),)), max_tokens=64),
            search=options,
            search_budget=100,
        )
        lists = Moderator(builtin=False)
        using = services(lists, searcher=Lake())
        try:
            answer = await accumulated(using, request, Usage())
        finally:
            await deployment.engine.aclose()
    assert answer.text == "```\n[1]\n```\n西湖在杭州^[1]^。"
    assert answer.sources == (Source(1, "https://one.example/", "甲报"),)
