"""Whatever an engine gives and however it is cut, a stream adds up to the answer in one piece."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from xinghe.api.body import BodyBudget
from xinghe.api.chat.response import Accumulator
from xinghe.api.dialect import Dialect
from xinghe.api.exchange import Exchange
from xinghe.api.responses.encoder import ResponseEncoder, merged
from xinghe.api.responses.reading import CheckedRequest
from xinghe.api.responses.schema import Reasoning, ResponseRequest
from xinghe.api.responses.tools import AnyTool, CustomTool, FunctionTool, read_tools
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
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from xinghe.engines import Batch

TOOLS: list[AnyTool] = [FunctionTool(name="f"), CustomTool("g")]
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
SAID = st.text('字a ^[1]^"\\\n\x85\u2028', max_size=6)
PIECES = st.lists(SAID, max_size=4)


def likely(text: str) -> tuple[TokenLogprob, ...]:
    """A token a character, each with another that might have been."""
    told = [(each, each.encode()) for each in text]
    return tuple(TokenLogprob(*one, -0.5, (TokenLogprob(*one, -0.7),)) for one in told)


@st.composite
def answers(draw: st.DrawFn) -> list[Delta]:
    """An answer in the order in which generation makes one."""
    deltas: list[Delta] = []
    if draw(st.booleans()):
        deltas.append(SearchingDelta(draw(SAID)))
        if draw(st.booleans()):
            deltas.append(SourcesDelta((Source(1, "http://a", "甲"),)))
        elif draw(st.booleans()):
            deltas += [NothingFoundDelta(failed=draw(st.booleans())), SourcesDelta(())]
    deltas += [ReasoningDelta(text) for text in draw(PIECES)]
    told = draw(st.booleans())
    deltas += [TextDelta(text, 1, likely(text) if told else ()) for text in draw(PIECES)]
    if told and deltas and isinstance(deltas[-1], TextDelta):
        deltas.append(TextDelta("", 0, likely("\n")))
    deltas += [RefusalDelta(text) for text in draw(PIECES)]
    for index, name in enumerate(draw(st.lists(st.sampled_from("fgh"), max_size=3))):
        said = json.dumps({"input": draw(SAID)})
        at = draw(st.integers(0, len(said)))
        deltas.append(ToolCallDelta(index, f"call_{index}", name))
        deltas += [ToolCallDelta(index, arguments=piece) for piece in (said[:at], said[at:])]
    return [*deltas, FinishDelta(draw(st.sampled_from(FinishReason)))]


@settings(max_examples=40)
@given(answers(), st.data(), st.sampled_from([None, "auto"]))
def test_the_stream_adds_up(deltas: list[Delta], data: st.DataObject, summary: Any) -> None:
    body = ResponseRequest(model="m", input="x", tools=TOOLS, reasoning=Reasoning(summary=summary))
    whole, streamed = encoder(body), encoder(body)
    accumulated = Accumulator()
    accumulated.take(Batch(0.0, deltas))
    whole.encode(merged(accumulated.deltas))
    sent = b"".join(streamed.encode(batch) for batch in cut(deltas, data))
    expected = plain(whole)
    assert plain(streamed) == expected
    assert read(sent) == expected


@pytest.mark.parametrize(("failed", "told"), [(True, "failed"), (False, "completed")])
def test_a_search_that_failed_is_none_that_found_nothing(failed: bool, told: str) -> None:
    streamed = encoder(ResponseRequest(model="m", input="x"))
    nothing: list[Delta] = [NothingFoundDelta(failed=failed), SourcesDelta(())]
    end = FinishDelta(FinishReason.NORMAL)
    sent = streamed.encode([SearchingDelta("q"), *nothing, TextDelta("x", 1), end])
    assert read(sent)["output"][0]["status"] == told


def encoder(body: ResponseRequest) -> ResponseEncoder:
    async def nothing(*_: Any) -> Any: ...

    scope = {"type": "http", "method": "POST", "path": "/v1/responses", "headers": []}
    exchange = Exchange(scope, nothing, nothing, Dialect.OPENAI, BodyBudget(0))
    exchange.request_id, exchange.created = "as-0123456789", 0
    asked = CheckedRequest(body, None, read_tools(body.tools or ()), [])  # type: ignore[arg-type]
    made = ResponseEncoder(exchange, asked, kept=False, ended=lambda _: None)
    made.usage = Usage()
    return made


def cut(deltas: Sequence[Delta], data: st.DataObject) -> list[list[Delta]]:
    edges = sorted(data.draw(st.lists(st.integers(0, len(deltas)), max_size=4)))
    return [list(deltas[a:b]) for a, b in zip([0, *edges], [*edges, len(deltas)], strict=True)]


def plain(made: ResponseEncoder) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(msgspec.json.encode(made.response))
    return told | {"completed_at": None}


def read(sent: bytes) -> dict[str, Any]:
    """What OpenAI's own accumulator makes of the events, its checks included; and each item of
    them, as it was last told."""
    text = sent.decode()
    assert text.splitlines() == text.split("\n")[:-1], "some client would cut a line in two"
    state: ResponseStreamState[None] = ResponseStreamState(input_tools=omit, text_format=omit)
    items: dict[int, Any] = {}
    last: dict[str, Any] = {}
    for number, block in enumerate(text.removesuffix("\n\n").split("\n\n")):
        name, line = block.split("\n")
        event = json.loads(line.removeprefix("data: "))
        assert event["sequence_number"] == number
        assert name == f"event: {event['type']}"
        state.handle_event(EVENT.validate_python(event))
        if event["type"] == "response.output_item.done":
            items[event["output_index"]] = event["item"]
        last = event.get("response", last)
    assert [items[at] for at in sorted(items)] == last["output"]
    return last | {"completed_at": None}
