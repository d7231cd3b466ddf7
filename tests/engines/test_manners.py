"""What servers send where they mean nothing, or mean the usual in a way of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engines.tape import HANG, RESET, STREAM_HEAD, Step, chunk, event
from tests.engines.test_hostile import CHUNKED, in_chunk
from tests.engines.test_upstream import ANSWER, DONE, EXPECTED, deltas_of
from tests.upstreams.fixtures import Wanted
from tests.upstreams.test_parser import check, events_of
from tests.upstreams.test_parser import deltas_of as read
from xinghe.core import FinishDelta, FinishReason, TextDelta, UsageDelta
from xinghe.engines import EngineFailed

TEXT = [event({"choices": [{"delta": {"content": text}}]})[6:].strip() for text in ("你", "好")]
END = [
    b'{"choices":[{"delta":{},"finish_reason":"stop"}]}',
    b'{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}',
    b"[DONE]",
]
NOTHINGS: tuple[Any, ...] = (None, False, "", [], {})
PIECE = {"index": 0, "id": "", "type": "function", "function": {"name": "", "arguments": ""}}


def nothings() -> list[dict[str, Any]]:
    """Events that say nothing: each field absent, null, or empty in any language's way."""
    delta = ("content", "reasoning_content", "reasoning", "reasoning_details", "refusal")
    calls = ("tool_calls", "function_call")
    events: list[dict[str, Any]] = []
    for nothing in NOTHINGS:
        events += [{"choices": nothing}, {"choices": [nothing]}]
        events += [{"choices": [{name: nothing}]} for name in ("delta", "message", "text")]
        events += [{"choices": [], name: nothing} for name in ("usage", "error")]
        events.append({"choices": [{"delta": dict.fromkeys((*delta, *calls), nothing)}]})
        events.append({"choices": [{"delta": {"tool_calls": [{"function": nothing}]}}]})
        if nothing is not None and not isinstance(nothing, dict | list):
            events.append({"choices": [{"finish_reason": nothing}]})
    events.append({"choices": [{"delta": {"tool_calls": [PIECE]}}]})
    events.append({"choices": [{"delta": {"function_call": PIECE["function"]}}]})
    events.append({"choices": [], "error": {"message": "", "code": None}})
    return events


@pytest.mark.parametrize("at", range(5))
def test_what_is_empty_means_nothing(at: int) -> None:
    for nothing in nothings():
        said = [*TEXT, *END]
        said.insert(at, json.dumps(nothing).encode())
        try:
            check(Wanted(text="你好", usage=[7, 2, 0]), *read(said, at_once=1))
        except AssertionError as error:
            raise AssertionError(nothing) from error


ENDS = {
    "normal": ["stop", "STOP", "eos_token", "end_turn", "completed", "whatever"],
    "length": ["length", "MAX_TOKENS", "token_limit", "incomplete"],
    "content_filter": ["sensitive", "contentFilter", "BLOCKLIST", "SPII", "data_inspection_failed"],
    "error": [
        *("network_error", "timeout", "time-out", "canceled", "failed", "MALFORMED_FUNCTION_CALL"),
        *("1", "expired", "killed", "preempted", "rate-limit", "RESOURCE_EXHAUSTED"),
    ],
}


@pytest.mark.parametrize(("ends", "words"), ENDS.items(), ids=ENDS)
def test_finish_reasons_are_known_by_their_stems(ends: Any, words: list[str]) -> None:
    for word in words:
        end = json.dumps({"choices": [{"delta": {}, "finish_reason": word}]}).encode()
        check(Wanted(text="你好", finish=ends, counted=2), *read([*TEXT, end], at_once=1))


def test_a_word_for_broken_off_behind_the_end_destroys_nothing() -> None:
    late = b'{"choices":[{"delta":{},"finish_reason":"error"}]}'
    check(Wanted(text="你好", usage=[7, 2, 0]), *read([*TEXT, END[0], late, *END[1:]], at_once=1))


def test_what_cannot_be_read_loses_nothing_unless_more_is_said_behind_it() -> None:
    """Whether "stop" stands on every chunk or on the last."""
    choices = [{"delta": {"content": text}, "finish_reason": "stop"} for text in "你好"]
    said = [json.dumps({"choices": [choice]}).encode() for choice in choices]
    check(Wanted(text="你好", usage=[7, 2, 0]), *read([*said, *END[:2], b"{oops"], at_once=1))
    assert read([said[0], b"{oops", *said[1:], *END], at_once=1)[1]
    assert read([*TEXT, b"{oops", *END], at_once=1)[1]


def test_lines_that_no_empty_line_divides_are_events_of_their_own() -> None:
    lines = [*TEXT, *END]
    events = events_of([b"".join(b"data: " + line + b"\n" for line in lines)])
    check(Wanted(text="你好", usage=[7, 2, 0]), *read(events, at_once=1))
    pretty = json.dumps(json.loads(TEXT[0]) | {"x": [None, {}, {"y": None}, []]}, indent=0)
    lines = [b"data: " + line for line in pretty.encode().split(b"\n")]
    assert len(events_of([b"\n".join(lines)])) == 1


CUT = ANSWER.removesuffix(DONE)
BREAKS: dict[str, list[Step]] = {
    "end without a last chunk": [CHUNKED + in_chunk(CUT)],
    "end inside of a chunk": [CHUNKED + in_chunk(CUT), 0.1, b"ff\r\ndata: {"],
    "fewer bytes than announced": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\nConnection: close\r\n\r\n" + CUT
    ],
    "reset": [CHUNKED + in_chunk(CUT), 0.2, RESET],
    "broken framing": [CHUNKED + in_chunk(CUT), 0.1, b"zzz\r\n", HANG],
    "an event that is too long": [STREAM_HEAD, CUT, b"data: " + b"x" * 600_000 + b"\n\n", DONE],
}


@pytest.mark.parametrize("steps", BREAKS.values(), ids=BREAKS)
async def test_a_break_behind_the_end_destroys_nothing(steps: list[Step]) -> None:
    assert await deltas_of(*steps, silence_timeout=5) == EXPECTED


@pytest.mark.parametrize("end", [RESET, HANG])
@pytest.mark.parametrize("steps", [[chunk("你", "stop"), chunk("好", "stop")], [chunk("你")]])
async def test_a_break_before_the_end_is_an_error(steps: list[bytes], end: Step) -> None:
    """Whoever says "stop" with every chunk may not have ended."""
    said = map(in_chunk, steps)
    with pytest.raises(EngineFailed):
        await deltas_of(CHUNKED, *said, 0.2, end, silence_timeout=0.5)


@pytest.mark.parametrize("name", ["none", "identity", "", "UTF-8"])
async def test_what_is_not_compressed_is_read(name: str) -> None:
    head = STREAM_HEAD.replace(b"Connection", b"Content-Encoding: %s\r\nConnection" % name.encode())
    assert await deltas_of(head, ANSWER) == EXPECTED


@pytest.mark.parametrize(
    "said",
    [
        [b"[DONE]"],
        [b'{"choices":[{"delta":{"role":"assistant"}}]}', b"[DONE]"],
        [*TEXT, b'{"code":500,"msg":"success"}', b"[DONE]"],
        [*TEXT, b'{"detail":"engine dead"}', b"[DONE]"],
        [*TEXT, b'{"error_code":336100,"error_msg":"busy"}', b"[DONE]"],
        [*TEXT, b'{"choices":null,"base_resp":{"status_code":1002}}', b"[DONE]"],
        [*TEXT, b'{"choices":[],"base_resp":{"status_code":1002}}', b"[DONE]"],
        [*TEXT, b'{"choices":[],"usage":null,"code":"overloaded"}', b"[DONE]"],
    ],
)
def test_its_end_alone_makes_no_answer(said: list[bytes]) -> None:
    assert read(said, at_once=1)[1]
    assert not read([*said[:-1], *TEXT, *END], at_once=1)[1]


FINE = [
    '{"code":200,"msg":"success"}',
    '{"code":"0","message":"OK"}',
    '{"choices":[],"base_resp":{"status_code":0,"status_msg":""}}',
]


@pytest.mark.parametrize("fine", FINE)
def test_what_says_that_all_is_well_is_no_complaint(fine: str) -> None:
    check(Wanted(text="你好", counted=2), *read([*TEXT, fine.encode(), b"[DONE]"], at_once=1))


@pytest.mark.parametrize(
    ("reason", "ends"), [("MAX_TOKENS", "length"), ("SAFETY", "content_filter")]
)
def test_a_reason_under_its_other_name(reason: str, ends: Any) -> None:
    end = json.dumps({"choices": [{"delta": {}, "finishReason": reason}]}).encode()
    check(Wanted(text="你好", finish=ends, counted=2), *read([*TEXT, end, b"[DONE]"], at_once=1))


def test_what_is_framed_twice_is_read() -> None:
    framed = b"".join(b"data: data: " + line + b"\ndata:\ndata:\n\n" for line in [*TEXT, *END])
    check(Wanted(text="你好", usage=[7, 2, 0]), *read(events_of([framed]), at_once=1))


def test_half_a_character_is_joined_to_no_later_one() -> None:
    """What has no other half is an honest error."""
    said = [rb"\ud83d", b"x", rb"\ude00"]
    events = [b'{"choices":[{"delta":{"content":"%s"}}]}' % each for each in said]
    assert read([*events, *END], at_once=1) == ([TextDelta("x")], True)


def test_a_backslash_before_it_makes_no_half() -> None:
    said = rb'{"choices":[{"delta":{"content":"a\\ud83d"},"logprobs":NaN}]}'
    check(Wanted("a\\ud83d", usage=[7, 2, 0]), *read([said, *END], at_once=1))


@pytest.mark.parametrize("end", [b"[DONE]", b"[done]", b'"[DONE]"'])
def test_the_end_in_other_letters(end: bytes) -> None:
    check(Wanted(text="你好", counted=2), *read([*TEXT, end], at_once=1))


CONTENTS: dict[str, tuple[Any, Wanted]] = {
    "texts in a list": (["你", {"type": "text", "text": "好"}], Wanted("你好", counted=1)),
    "a number": (5, Wanted("5", counted=1)),
    "a refusal among its parts": (
        [{"type": "refusal", "refusal": "不"}],
        Wanted(refusal="不", counted=1),
    ),
}


@pytest.mark.parametrize(("content", "wanted"), CONTENTS.values(), ids=CONTENTS)
def test_contents(content: Any, wanted: Wanted) -> None:
    for name in ("delta", "message"):
        said = json.dumps({"choices": [{name: {"content": content}}]}).encode()
        check(wanted, *read([said, END[0]], at_once=1))


@pytest.mark.parametrize(
    "choices",
    [
        [{"message": {"content": "你"}}, {"message": {"content": "好"}}],
        [{"message": {"content": "你"}}, {"message": {"content": "你好"}}],
        [{"text": "你"}, {"text": "好"}, {"text": ""}],
        [{"delta": {"content": ""}, "message": {"content": "你好"}}],
        [{"delta": {"role": "assistant"}, "message": {"content": ""}, "text": "你好"}],
        [
            {"delta": {"content": "你"}},
            {"delta": {"content": "好"}},
            {"message": {"content": "你好"}},
        ],
    ],
)
def test_messages_and_texts_in_place_of_deltas(choices: list[Any]) -> None:
    said = [json.dumps({"choices": [choice]}).encode() for choice in choices]
    deltas, broke_off = read([*said, *END], at_once=1)
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == "你好"
    assert (deltas[-1], broke_off) == (FinishDelta(FinishReason.NORMAL), False)


FUNCTION = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
AT_LAST: list[tuple[dict[str, Any], dict[str, Any], Wanted]] = [
    ({"reasoning_content": "想"}, {"content": "好"}, Wanted("好", "想", usage=[7])),
    ({"content": "好"}, {"content": "好", "refusal": "不"}, Wanted("好", refusal="不", usage=[7])),
    (
        {"content": "好"},
        {"content": "好", "tool_calls": [FUNCTION]},
        Wanted("好", calls=[("f", "{}")], usage=[7]),
    ),
    (
        {"tool_calls": [FUNCTION]},
        {"content": "好", "tool_calls": [FUNCTION | {"id": "b"}]},
        Wanted("好", calls=[("f", "{}")], usage=[7]),
    ),
]


@pytest.mark.parametrize(("delta", "message", "wanted"), AT_LAST)
def test_the_last_message_says_what_no_delta_has_said(
    delta: dict[str, Any], message: dict[str, Any], wanted: Wanted
) -> None:
    choices = [{"delta": delta}, {"message": message}]
    said = [json.dumps({"choices": [choice]}).encode() for choice in choices]
    check(wanted, *read([*said, *END], at_once=1))


def test_what_is_read_once_more_is_said_once() -> None:
    """The message cannot be read before its empty list is taken for nothing."""
    half = {"id": "a", "function": {"name": "f", "arguments": '{"a":'}}
    rest = {"id": "a", "function": {"arguments": "1}"}}
    choice = {"delta": {"tool_calls": [half]}, "message": {"content": ["好", []]}}
    said = [choice, {"delta": {"tool_calls": [rest]}}]
    events = [json.dumps({"choices": [each]}).encode() for each in said]
    check(Wanted("好", calls=[("f", '{"a":1}')], usage=[7]), *read([*events, *END], at_once=1))


COUNTS: dict[str, tuple[list[Any], UsageDelta]] = {
    "other names": ([{"input_tokens": 7, "output_tokens": 2}], UsageDelta(7, 2)),
    "0 under the usual names": (
        [{"prompt_tokens": 0, "completion_tokens": 0, "input_tokens": 7, "output_tokens": 2}],
        UsageDelta(7, 2),
    ),
    "the prompt first": (
        [{"prompt_tokens": 7, "completion_tokens": 0}, {"completion_tokens": 2}],
        UsageDelta(7, 2),
    ),
    "cached, as DeepSeek counts": (
        [{"prompt_tokens": 7, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}],
        UsageDelta(7, 2, 4),
    ),
    "cached, as Moonshot counts": (
        [{"prompt_tokens": 7, "completion_tokens": 2, "cached_tokens": 4}],
        UsageDelta(7, 2, 4),
    ),
    "a thought that is counted apart": (
        [
            {
                "prompt_tokens": 7,
                "completion_tokens": 2,
                "total_tokens": 14,
                "completion_tokens_details": {"reasoning_tokens": 5},
            }
        ],
        UsageDelta(7, 7, 0, 5),
    ),
    "a thought that is counted beside, as SGLang does": (
        [{"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9, "reasoning_tokens": 1}],
        UsageDelta(7, 2, 0, 1),
    ),
    "details that are none": (
        [{"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": []}],
        UsageDelta(7, 2),
    ),
    "details below 0": (
        [
            {
                "prompt_tokens": 7,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": -1},
                "completion_tokens_details": {"reasoning_tokens": "x"},
            }
        ],
        UsageDelta(7, 2),
    ),
}


@pytest.mark.parametrize(("counts", "wanted"), COUNTS.values(), ids=COUNTS)
def test_a_sound_count_stands(counts: list[Any], wanted: UsageDelta) -> None:
    said = [json.dumps({"choices": [], "usage": usage}).encode() for usage in counts]
    deltas, _ = read([*TEXT, END[0], *said, b"[DONE]"], at_once=1)
    assert [delta for delta in deltas if isinstance(delta, UsageDelta)][-1] == wanted


async def test_a_reason_behind_each_piece_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some proxies send it as a chunk of its own."""
    monkeypatch.setattr("xinghe.engines.upstream.USAGE_TIMEOUT", 0.2)
    end = chunk(finish="stop")
    steps: list[Step] = [chunk("你"), end, chunk("好"), end, 0.6, chunk("吗"), end, DONE]
    deltas = await deltas_of(STREAM_HEAD, *steps, silence_timeout=5)
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == "你好吗"
