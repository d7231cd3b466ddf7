"""What the platform says before an answer that rests on nothing found."""

from __future__ import annotations

from tests.kit.api import Api
from tests.kit.expect import answered
from xinghe.core import Delta, FinishDelta, FinishReason, ReasoningDelta, TextDelta, ToolCallDelta
from xinghe.generation.preface import NO_SOURCES, Preface

END = FinishDelta(FinishReason.NORMAL)


def test_it_stands_before_the_text_once_and_costs_nothing() -> None:
    preface = Preface("说明。")
    assert preface([ReasoningDelta("想"), TextDelta("")]) == [ReasoningDelta("想"), TextDelta("")]
    assert preface([TextDelta("答", 1), END]) == [TextDelta("说明。", 0), TextDelta("答", 1), END]
    assert preface([TextDelta("案", 1), END]) == [TextDelta("案", 1), END]


def test_where_nothing_is_said_nothing_is_prefaced() -> None:
    deltas: list[Delta] = [ToolCallDelta(0, "call_0", "f", "{}"), END]
    assert Preface("说明。")(deltas) == deltas


def test_the_embedded_engine_never_answers_as_if_it_had_searched(api: Api) -> None:
    """Its corpus is empty; with the documentation, tests/search/test_quality.py asks it."""
    asked = {
        "model": "ernie-3.5-8k",
        "messages": [{"role": "user", "content": "红楼梦的作者是谁?"}],
        "web_search": {"enable": True},
        "max_completion_tokens": 2,
    }
    body = answered(api.chat(**asked))
    assert body["choices"][0]["message"]["content"].startswith(NO_SOURCES[True])
    assert body["usage"]["completion_tokens"] <= 2
    stream = api.stream(**asked, stream_options={"include_usage": True})
    assert stream.content.startswith(NO_SOURCES[True])
