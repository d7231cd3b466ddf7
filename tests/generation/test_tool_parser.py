"""Calls are read alike wherever the text is cut, and nothing of them is lost."""

from __future__ import annotations

import json
import re
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from xinghe.core import Delta, FinishDelta, FinishReason, TextDelta, ToolCallDelta
from xinghe.generation.tool_parser import ToolCallParser

NAMES = ("get", "get_weather", "get_weather_now", "a")


@st.composite
def calls(draw: st.DrawFn) -> list[tuple[str, str]]:
    values = st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=3)
    some = draw(st.lists(st.tuples(st.sampled_from(NAMES), values), min_size=1, max_size=4))
    plain = draw(st.booleans())
    return [(name, json.dumps(value, ensure_ascii=plain)) for name, value in some]


def pieces(text: str, cuts: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[a:b] for a, b in pairwise(edges)]


def read(text: str, cuts: list[int]) -> list[list[str]]:
    """The calls (name, arguments, id); checks the order of what comes, and the end."""
    parser = ToolCallParser(NAMES)
    deltas: list[Delta] = []
    for piece in pieces(text, cuts):
        deltas += parser([TextDelta(piece)])
    *deltas, end = [*deltas, *parser([FinishDelta(FinishReason.NORMAL)])]
    found: list[list[str]] = []
    for delta in deltas:
        assert isinstance(delta, ToolCallDelta)
        if delta.name is not None:
            assert delta.index == len(found)
            assert delta.id is not None
            assert delta.arguments == ""
            found.append([delta.name, "", delta.id])
        else:
            assert delta.id is None
            assert delta.index == len(found) - 1
            found[-1][1] += delta.arguments
    assert end == FinishDelta(FinishReason.FUNCTION_CALL if found else FinishReason.NORMAL)
    return found


CUTS = st.lists(st.integers(min_value=0), max_size=40)


@given(calls(), CUTS)
def test_calls_come_whole_from_any_cut(made: list[tuple[str, str]], cuts: list[int]) -> None:
    text = "\n".join(f"{name} {arguments}" for name, arguments in made)
    found = read(text, cuts)
    assert [(name, arguments) for name, arguments, _ in found] == made
    ids = [id_ for _, _, id_ in found]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"call_[a-z0-9]{24}", id_) for id_ in ids)


@given(st.text() | st.text(alphabet="get_wahrno {}\n\"'"), CUTS)
@example("get_weatherman {}", [3, 5])
@example("get_weather", [3])
@example(' get_weather {"city": "x"}', [])
@example('{"name": "get_weather", "arguments": {}}', [1])
@example('<tool_call>\n{"name": "get"}\n</tool_call>', [4])
@example("好的\nget {}", [2, 3])
@example("get\n{}", [3])
def test_what_does_not_begin_as_a_call_is_none(text: str, cuts: list[int]) -> None:
    found = read(text, cuts)
    assert bool(found) == any(text.startswith(f"{name} ") for name in NAMES)


@given(calls(), st.integers(min_value=0), CUTS)
def test_a_text_cut_off_by_its_length_gives_a_beginning(
    made: list[tuple[str, str]], end: int, cuts: list[int]
) -> None:
    text = "\n".join(f"{name} {arguments}" for name, arguments in made)
    text = text[: end % (len(text) + 1)]
    found = read(text, cuts)
    for (name, arguments, _), (wanted, whole) in zip(found, made, strict=False):
        assert name == wanted
        assert whole.startswith(arguments)
    begun = [name for name, _ in made if text.startswith(f"{name} ")]
    assert bool(found) == bool(begun)


def test_arguments_pass_at_once() -> None:
    parser = ToolCallParser(NAMES)
    assert parser([TextDelta("get_wea")]) == []
    (opening,) = parser([TextDelta("ther ")])
    assert isinstance(opening, ToolCallDelta)
    assert opening.name == "get_weather"
    assert parser([TextDelta('{"ci')]) == [ToolCallDelta(0, arguments='{"ci')]
    assert parser([TextDelta('ty": 1}')]) == [ToolCallDelta(0, arguments='ty": 1}')]
    cut_off = FinishDelta(FinishReason.LENGTH)
    assert parser([cut_off]) == [cut_off]
