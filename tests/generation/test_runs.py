"""Texts that come together go on together: every byte of the answer is the same either way."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xinghe.api.chat.encoder import StreamEncoder
from xinghe.api.dialect import Dialect
from xinghe.core import EngineRequest, FinishDelta, Prompt, Sampling, Usage
from xinghe.engines import portions
from xinghe.engines.chunks import Chunks
from xinghe.generation.filter import OutputFilter
from xinghe.generation.reasoning_parser import ReasoningParser
from xinghe.generation.usage import UsageCounter
from xinghe.outbound.response import EventParser
from xinghe.safety import Moderator
from xinghe.text_run import TextRun

PAYLOAD = {"messages": [{"role": "user", "content": "hi"}], "tools": []}
MODERATOR = Moderator({"own.txt": "甲乙丙\n丁a1戊".encode()}, builtin=False)

TEXTS = st.one_of(
    st.sampled_from(
        ["你好", "a", "甲", "乙", "丙", "丁", "1", "戊", "", " ", "<", "think>", "</think>"]
    ),
    st.sampled_from(
        ["\n\n", '"', "\\", "\x85\u2028\u2029", "\x7f\x00", "😀", "chat", "data: x", "字" * 40]
    ),
    st.text(max_size=6),
)
"""Of a chunk: some of them are what a word list names, tags, or what JSON escapes."""
SAID = st.fixed_dictionaries(
    {"content": TEXTS},
    optional={"role": st.just("assistant"), "reasoning_content": st.sampled_from([None, "", "想"])},
)
ODD = st.sampled_from(
    [
        b'{"choices":[{"index":0,"delta":{"content":"\\ud83d"},"finish_reason":null}]}',
        b'{"choices":[{"index":0,"delta":{"content":"\\ude00"},"finish_reason":null}]}',
        b'{"choices":[{"index":0,"delta":{"content":"a","content":"b"},"finish_reason":null}]}',
        b'{"choices":[{"index":0,"delta":{"content":"a"},"text":"b","finish_reason":null}]}',
        b'{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}',
        b'{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"error":{}}',
        b'{"choices":[{"index":0,"delta":{"content":7},"finish_reason":null}]}',
        b'{"choices":[{"index":0,"delta":{"content":["a"]},"finish_reason":null}]}',
        b'{"choices":[{"index":0,"message":{"content":"abc"},"finish_reason":null}]}',
        b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}',
        b'{"choices":[{"index":0,"delta":{"content":""a","b""},"finish_reason":null}]}',
        b'{"choices":[{"index":0,"delta":{"content":},"finish_reason":null}]}',
        b'{"choices":[{"index":0,"delta":{"content":null},"finish_reason":null}]}',
        b'{"id":"c","code":500}',
        b"nonsense",
        b"",
        b"[DONE]",
    ]
)


PLAIN = b'{"choices":[{"delta":{"content":"x"}}]}'
REASON = b'{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}'


@st.composite
def events(draw: st.DrawFn) -> list[bytes]:
    """Those of one answer: most of them alike, as one server writes them."""
    ascii_, spaced = draw(st.booleans()), draw(st.booleans())
    usage = draw(st.sampled_from([None, None, {"prompt_tokens": 3, "completion_tokens": 2}]))

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        told: dict[str, Any] = {"id": "chat", "model": "甲", "choices": []}
        told["choices"] = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        if usage:
            told["usage"] = usage
        separators = (", ", ": ") if spaced else (",", ":")
        return json.dumps(told, ensure_ascii=ascii_, separators=separators).encode()

    plain = TEXTS.map(lambda text: chunk({"content": text}))
    reason = TEXTS.map(lambda text: chunk({"content": text}, "stop"))
    kinds = st.one_of(plain, plain, plain, plain, reason, SAID.map(chunk), ODD)
    ends = st.sampled_from([[chunk({}, "stop"), b"[DONE]"], [chunk({"content": ""}, "length")], []])
    return [*draw(st.lists(kinds, max_size=24)), *draw(ends)]


def answer(
    reads: list[bytes], job: EngineRequest, *, thinks: bool, max_tokens: int
) -> tuple[list[bytes], Usage, list[tuple[bool, ...]]]:
    """What is sent of each read, what is counted, and what is known of the end after each read."""
    parser, chunks, usage = EventParser(), Chunks(job, "up"), Usage()
    processors: list[Any] = [ReasoningParser(inside=False)] if thinks else []
    processors += [
        UsageCounter(usage, job.prompt, max_tokens, thinking=5 if thinks else 0),
        OutputFilter((), MODERATOR.scanner),
    ]
    exchange = SimpleNamespace(dialect=Dialect.OPENAI, request_id="as-0", created=0)
    request = SimpleNamespace(n=1, include_usage=True, model="m", search=None)
    encoder = StreamEncoder(cast("Any", exchange), cast("Any", request), usage)
    sent, known, ended = list[bytes](), list[tuple[bool, ...]](), False
    for read in [*reads, None]:
        if ended or chunks.ended or chunks.failure is not None:
            break
        deltas = chunks.deltas(parser.end() if read is None else parser.feed(read))
        known.append((chunks.is_whole, chunks.over, chunks.ended))
        for portion, _ in portions(deltas):
            shown = portion
            for processor in processors:
                shown = processor(shown)
            sent.append(encoder.encode(shown))
            ended = ended or (bool(shown) and isinstance(shown[-1], FinishDelta))
            if ended:
                break
    return sent, usage, known


@given(
    events(),
    st.lists(st.integers(0, 4000), max_size=4),
    st.sampled_from(
        ["data: {}\n\n", "data: {}\n\n", "data:{}\n\n", "data: {}\r\n\r\n", ": c\n\ndata: {}\n\n\n"]
    ),
    st.booleans(),
    st.sampled_from([3, 1000]),
)
@example([PLAIN] * 3, [], "data: {}\n\n", False, 1000)
@example([PLAIN, REASON, PLAIN], [], "data: {}\n\n", False, 1000)
def test_it_is_all_the_same(
    events: list[bytes], cuts: list[int], frame: str, thinks: bool, max_tokens: int
) -> None:
    before, behind = frame.encode().split(b"{}")
    data = b"".join(before + event + behind for event in events)
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    reads = [data[a:b] for a, b in itertools.pairwise(edges)]
    job = EngineRequest("as-0", Prompt(5, 9, exact=False, payload=PAYLOAD), Sampling(), 1000)
    together = msgspec.structs.replace(job, in_runs=True)
    one = answer(reads, job, thinks=thinks, max_tokens=max_tokens)
    other = answer(reads, together, thinks=thinks, max_tokens=max_tokens)
    assert (other[0], other[2]) == (one[0], one[2])
    assert msgspec.structs.asdict(other[1]) == msgspec.structs.asdict(one[1])


@pytest.mark.parametrize("text", ["你好", "\n", '"', "a"])
def test_events_alike_are_few_objects(text: str) -> None:
    told = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    data = b"data: " + json.dumps(told).encode() + b"\n\n"
    prompt = Prompt(5, 9, exact=False, payload=PAYLOAD)
    job = EngineRequest("as-0", prompt, Sampling(), 1000, in_runs=True)
    (run,) = Chunks(job, "up").deltas(EventParser().feed(data * 50))
    assert isinstance(run, TextRun)
    assert run.texts == [text] * 50
    assert run.escaped == [msgspec.json.encode(text)] * 50
