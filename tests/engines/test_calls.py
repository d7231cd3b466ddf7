"""Tool calls as servers send them: which pieces belong together, and what they amount to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engines.tape import STREAM_HEAD, Step, chunk
from tests.engines.test_hostile import DONE, STANDSTILL, calls, standstill
from tests.engines.test_hostile import read as deltas_read
from tests.engines.test_manners import END, TEXT
from tests.upstreams.fixtures import Wanted
from tests.upstreams.test_parser import check
from tests.upstreams.test_parser import deltas_of as read
from xinghe.core import ToolCallDelta
from xinghe.engines import calls as calls_module
from xinghe.engines.calls import MOST_AGAIN, MOST_ESCAPED, settled

SETTLED: list[tuple[list[str], str]] = [
    (['{"a":', '{"a":1}', "}"], '{"a":{"a":1}}'),
    (['{"a":', '"{}"', "}"], '{"a":"{}"}'),
    (['{"a":"}{"}'], '{"a":"}{"}'),
    (["", '{"a"', '{"a":1}'], '{"a":1}'),
    (["{}", '{"a":', "1}"], '{"a":1}'),
    (['{"a":', "1}", '{"a":1}'], '{"a":1}'),
    (["{", '{"a":"1 2"}'], '{"a":"1 2"}'),
    (["", "\n", '{"a":', '"1', " ", '{"a":"1 2"}', ""], '{"a":"1 2"}'),
    (['{"a":1}{"a":1}{"a":1}'], '{"a":1}'),
    (['{"a":1}', '"{\\"a\\":1}"'], '{"a":1}'),
    (['"{\\"a\\":1}"'], '{"a":1}'),
    (['{"a":"1', "\n", '\t2\\ud800"}'], '{"a":"1\\n\\t2\\ud800"}'),
    # Besides bare line breaks nothing is changed.
    (
        ['{"a":12345678901234567890.123, "a":"\n\x01好\\"\n"}'],
        '{"a":12345678901234567890.123, "a":"\\n\\u0001好\\"\\n"}',
    ),
    (['{\n"a":1e999,\n"b":"\\\\","c":"\n"}'], '{\n"a":1e999,\n"b":"\\\\","c":"\\n"}'),
    (['"{\\"a\\":\\"1\\n2\\"}"'], '{"a":"1\\n2"}'),
    (['{"a":"' + "长" * 100_000 + '\n"}'], '{"a":"' + "长" * 100_000 + '\\n"}'),
    (["null"], ""),
    (['{"a":"1"{"a":"1","b":2}'], '{"a":"1","b":2}'),
    (['{{"a":1}'], '{"a":1}'),
    (['{"a":1}"}'], '{"a":1}'),
    (['{"a":{"b":1}}', "}\n"], '{"a":{"b":1}}'),
    # What is broken stays so: no inner object is taken for the whole.
    (['{"a":', '{"b":1}'], '{"a":{"b":1}'),
    (['{"a":1}{"b":2}'], '{"a":1}{"b":2}'),
    (['{"a":{"a":1}'], '{"a":{"a":1}'),
    (['{"a":1} and'], '{"a":1} and'),
    (["[" * 100_000], "[" * 100_000),
]


@pytest.mark.parametrize(("pieces", "arguments"), SETTLED)
def test_arguments_that_are_said_again(pieces: list[str], arguments: str) -> None:
    assert settled(pieces) == arguments


def test_arguments_at_the_edge_of_what_can_be_nested() -> None:
    for deep in range(900, 1005):
        nested = "[" * deep + "]" * deep
        text = f'{{"a":"\n","b":{nested}}}'
        assert settled([text]) in {text, f'{{"a":"\\n","b":{nested}}}'}


def test_of_texts_with_bare_line_breaks_only_so_many_are_mended() -> None:
    for more in (0, 1):
        texts = ",".join(['"\n"'] * (MOST_ESCAPED + more))
        assert settled([f'{{"a":[{texts}]}}']).count("\n") == more


AGAIN_AND_AGAIN = ["{}", '{"a":1}', '{"a":"长"}', '{"a":[' + "[]," * 10_000 + "0]}"]


@pytest.mark.parametrize("said", AGAIN_AND_AGAIN, ids=range(len(AGAIN_AND_AGAIN)))
def test_arguments_that_are_said_again_without_end_hold_nobody_up(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As much as one answer's calls may bring: each look copies what is left of it."""
    looks = []
    scan = calls_module._scan

    def counted(text: str) -> tuple[Any, int]:
        looks.append(len(text))
        return scan(text)

    monkeypatch.setattr(calls_module, "_scan", counted)
    text = said * (260_000 // len(said))
    assert len(settled([text])) < len(text)
    assert len(looks) == MOST_AGAIN


CALLS: dict[str, tuple[list[list[dict[str, Any]]], list[tuple[str, str]]]] = {
    "indexes as text, interleaved": (
        [
            [{"index": "0", "id": "a", "function": {"name": "f", "arguments": ""}}],
            [{"index": "1", "id": "b", "function": {"name": "g", "arguments": ""}}],
            [{"index": "0", "function": {"arguments": '{"a":1}'}}],
            [{"index": "1", "function": {"arguments": '{"b":1}'}}],
        ],
        [("f", '{"a":1}'), ("g", '{"b":1}')],
    ),
    "indexes that are none": (
        [
            [{"index": "9" * 400, "id": "a", "function": {"name": "f", "arguments": '{"a":1}'}}],
            [{"index": "\uff11", "id": "b", "function": {"name": "g", "arguments": '{"b":1}'}}],
            [{"index": 1e300, "id": "c", "function": {"name": "h", "arguments": '{"c":1}'}}],
        ],
        [("f", '{"a":1}'), ("g", '{"b":1}'), ("h", '{"c":1}')],
    ),
    "two functions of one id": (
        [
            [{"id": "a", "function": {"name": "f", "arguments": '{"a":1}'}}],
            [{"id": "a", "function": {"name": "g", "arguments": '{"a":1}'}}],
        ],
        [("f", '{"a":1}'), ("g", '{"a":1}')],
    ),
    "two of one id, interleaved, with all said on each piece": (
        [
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a":'}}],
            [{"index": 1, "id": "a", "function": {"name": "g", "arguments": '{"b":'}}],
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "1}"}}],
            [{"index": 1, "id": "a", "function": {"name": "g", "arguments": "2}"}}],
        ],
        [("f", '{"a":1}'), ("g", '{"b":2}')],
    ),
    "two without arguments and ids": (
        [[{"function": {"name": "f"}}, {"function": {"name": "g"}}]],
        [("f", ""), ("g", "")],
    ),
    "two without arguments, of one id": (
        [[{"id": "a", "function": {"name": "f"}}], [{"id": "a", "function": {"name": "g"}}]],
        [("f", ""), ("g", "")],
    ),
    "two without arguments under one index": (
        [[{"index": 0, "function": {"name": name, "arguments": ""}}] for name in "fg"],
        [("f", ""), ("g", "")],
    ),
    "one whose name stands on each piece": (
        [[{"function": {"name": "f", "arguments": piece}}] for piece in ("", '{"a"', ":1}")],
        [("f", '{"a":1}')],
    ),
    **{
        f"arguments that are {said}": (
            [[{"id": "a", "function": {"name": "f", "arguments": json.loads(said)}}]],
            [("f", said)],
        )
        for said in ("[1]", "5", "true")
    },
    "arguments that PHP means as an empty object": (
        [[{"id": "a", "function": {"name": "f", "arguments": []}}]],
        [("f", "")],
    ),
    "names behind the arguments of two": (
        [
            [{"index": 0, "id": "a", "function": {"arguments": '{"a":1}'}}],
            [{"index": 0, "function": {"name": "f"}}],
            [{"index": 1, "id": "b", "function": {"arguments": '{"b":1}'}}],
            [{"index": 1, "function": {"name": "g"}}],
        ],
        [("f", '{"a":1}'), ("g", '{"b":1}')],
    ),
    "an id alone first": (
        [
            [{"index": 0, "id": "a"}],
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a":1}'}}],
            [{"index": 1, "id": "b"}],
            [{"index": 1, "id": "b", "function": {"name": "g", "arguments": '{"b":1}'}}],
        ],
        [("f", '{"a":1}'), ("g", '{"b":1}')],
    ),
    "one id under two indexes": (
        [
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a":1}'}}],
            [{"index": 1, "id": "a", "function": {"name": "f", "arguments": ""}}],
            [{"index": 1, "function": {"arguments": '{"a":2}'}}],
        ],
        [("f", '{"a":1}'), ("f", '{"a":2}')],
    ),
}


@pytest.mark.parametrize(("pieces", "called"), CALLS.values(), ids=CALLS)
def test_calls(pieces: list[Any], called: list[tuple[str, str]]) -> None:
    said = [json.dumps({"choices": [{"delta": {"tool_calls": each}}]}).encode() for each in pieces]
    check(Wanted(calls=called, usage=[7, 2, 0]), *read([*said, *END], at_once=1))


CALL = {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a":'}}


def test_a_stream_may_end_with_a_call_that_is_complete() -> None:
    pieces = [CALL, {"index": 0, "function": {"arguments": "1}"}}]
    said = [
        json.dumps({"choices": [{"delta": {"tool_calls": [each]}}]}).encode() for each in pieces
    ]
    check(Wanted(calls=[("f", '{"a":1}')], counted=2), *read(said, at_once=1))
    assert read(said[:1], at_once=1)[1]
    assert read([*said, *TEXT], at_once=1)[1]
    assert read(TEXT, at_once=1)[1]


async def test_pieces_that_ask_whether_a_call_is_complete_hold_nobody_up() -> None:
    text = '{"a":[' + "[]," * 2_700 + "0]}"
    whole = {"id": "a", "function": {"name": "f", "arguments": text}}
    again = {"id": "a", "function": {"name": "f"}}
    steps: list[Step] = [STREAM_HEAD, calls(whole), calls(*[again] * 120), chunk(None, "stop")]
    async with standstill() as worst:
        deltas = await deltas_read([*steps, DONE], max_tokens=1000)
    called = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert {delta.index for delta in called} == {0}
    assert "".join(delta.arguments for delta in called) == text
    assert worst[0] < STANDSTILL
