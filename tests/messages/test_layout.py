"""For any deltas, what a stream amounts to is the answer that is sent whole."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.message import MessageStream, typed
from xinghe.api.chat.response import Accumulator
from xinghe.api.messages.citations import Marks
from xinghe.api.messages.encoder import MessageEncoder
from xinghe.api.messages.whole import message
from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    NothingFoundDelta,
    ReasoningDelta,
    RefusalDelta,
    SearchingDelta,
    Source,
    SourcesDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from xinghe.engines import Batch

ID = "as-0123456789"
SOURCES = tuple(Source(at, f"https://{at}.example", f"第{at}") for at in (1, 2))
TEXTS = st.text(st.sampled_from(["字", "^", "[", "]", "1", "2", "9", "\u2028", '"']), max_size=6)


def call(index: int, pieces: list[str]) -> list[Delta]:
    said = json.dumps({"x": "".join(pieces)})
    cuts = [said[at : at + 5] for at in range(0, len(said), 5)]
    begun: list[Delta] = [ToolCallDelta(index, f"call_{index}", "tool")]
    return [*begun, *(ToolCallDelta(index, arguments=cut) for cut in cuts)]


def numbered(calls: list[list[str]]) -> list[Delta]:
    return [delta for index, pieces in enumerate(calls) for delta in call(index, pieces)]


SAID = st.one_of(
    st.builds(TextDelta, TEXTS), st.builds(ReasoningDelta, TEXTS), st.builds(RefusalDelta, TEXTS),
    st.just(ToolCallDelta(0, tokens=3)),
)  # fmt: skip
SEARCHES: st.SearchStrategy[list[Delta]] = st.sampled_from(
    [
        [],
        [SearchingDelta("西湖")],
        [SearchingDelta("西湖"), SourcesDelta(SOURCES)],
        [SearchingDelta("西湖"), NothingFoundDelta(), SourcesDelta(())],
        [SearchingDelta("西湖"), NothingFoundDelta(failed=True), SourcesDelta(())],
    ]
)
FINISHES = st.builds(FinishDelta, st.sampled_from(FinishReason), stop=st.sampled_from(["", "停"]))
ANSWERS = st.builds(
    lambda search, said, calls, finish: [*search, *said, *numbered(calls), finish],
    SEARCHES, st.lists(SAID, max_size=12), st.lists(st.lists(TEXTS, max_size=3), max_size=2),
    FINISHES,
)  # fmt: skip


def streamed(batches: list[list[Delta]], usage: Usage) -> MessageStream:
    encoder = MessageEncoder(ID, "m", usage)
    stream = MessageStream({})
    for event in typed(iter([encoder.encode(batch) for batch in batches])):
        assert isinstance(event, dict)
        stream.take(event)
    return stream


def whole(batches: list[list[Delta]], usage: Usage) -> Any:
    accumulated = Accumulator()
    for batch in batches:
        accumulated.take(Batch(0.0, batch))
    return msgspec.json.decode(msgspec.json.encode(message(ID, "m", accumulated, usage)))


@given(ANSWERS, st.lists(st.integers(0, 30), max_size=6))
def test_a_stream_is_the_whole_answer(deltas: list[Delta], places: list[int]) -> None:
    usage = Usage(prompt_tokens=9, cached_tokens=4, completion_tokens=5, searches=1)
    edges = sorted({0, len(deltas), *(at for at in places if at < len(deltas))})
    batches = [deltas[a:b] for a, b in pairwise(edges)]
    stream = streamed(batches, usage)
    assert stream.ended
    assert stream.message == whole([deltas], usage) == whole(batches, usage)


@given(st.lists(TEXTS, max_size=8))
def test_cuts_change_no_mark(pieces: list[str]) -> None:
    def split(texts: list[str]) -> list[str | tuple[int, ...]]:
        marks = Marks()
        parts = [part for text in texts for part in marks.feed(text)] + [marks.flush()]
        joined = list[str | tuple[int, ...]]()
        for part in parts:
            if isinstance(part, str) and joined and isinstance(joined[-1], str):
                joined[-1] += part
            elif part:
                joined.append(part)
        return joined

    assert split(pieces) == split(["".join(pieces)])


def test_citations_stand_on_the_text_that_they_are_for() -> None:
    said: list[Delta] = [TextDelta("甲^"), TextDelta("[1]^。乙^[1][2]^"), TextDelta("^[9]^丙")]
    deltas = [SearchingDelta("q"), SourcesDelta(SOURCES), *said, FinishDelta(FinishReason.NORMAL)]
    content = whole([deltas], Usage())["content"]
    assert content[0]["input"] == {"query": "q"}
    assert [each["url"] for each in content[1]["content"]] == [each.url for each in SOURCES]
    told = [
        (each["text"], [cited["title"] for cited in each.get("citations", ())])
        for each in content[2:]
    ]
    assert told == [("甲", ["第1"]), ("。乙", ["第1", "第2"]), ("丙", [])]


@pytest.mark.parametrize("reason", [FinishReason.LENGTH, FinishReason.CONTENT_FILTER])
def test_a_call_that_is_cut_off_is_none(reason: FinishReason) -> None:
    """Its arguments are no JSON; a stream has told as much of it as there was."""
    said = [TextDelta("好"), *call(0, ["北"]), *call(1, ["京"])[:-1], FinishDelta(reason)]
    first = {"type": "text", "text": "好", "citations": []}, ("tool_use", "call_0", {"x": "北"})
    text, *calls = whole([said], Usage())["content"]
    assert (text, *((each["type"], each["id"], each["input"]) for each in calls)) == first
