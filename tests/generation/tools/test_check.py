"""Calls that an engine made by its own means are held against the request."""

from __future__ import annotations

import pytest

from tests.generation.tools.functions import ALL
from tests.generation.vetted import check_call
from xinghe.core import ToolUse

USE = ToolUse(ALL)


async def test_right_calls() -> None:
    assert await check_call(USE, "get_weather", '{"city": "北京", "unit": "celsius"}') is None
    assert await check_call(USE, "get", " {} ") is None
    assert await check_call(USE, "plant", '{"root": {"v": 1, "next": {"v": 2}}}') is None


@pytest.mark.parametrize(
    ("name", "arguments", "wrong"),
    [
        ("get_weathe", "{}", "no function 'get_weathe'"),
        ("get_weather", "", "cannot be taken"),
        ("get_weather", '{"city": "北京"', "cannot be taken"),
        ("get_weather", '{"city": "北京"} {}', "cannot be taken"),
        ("get_weather", '{"city": NaN}', "cannot be taken"),
        ("get_weather", '{"city": "\\ud800"}', "cannot be taken"),
        ("get_weather", "[" * 100_000, "cannot be taken"),
        ("get_weather", '["北京"]', "not an object"),
        ("get_weather", "{}", "city"),
        ("get_weather", '{"city": "北京", "unit": "kelvin"}', "/unit"),
        ("plant", '{"root": {"v": 1, "next": {"v": "2"}}}', "/root/next/v"),
    ],
)
async def test_wrong_calls(name: str, arguments: str, wrong: str) -> None:
    fault = await check_call(USE, name, arguments)
    assert fault is not None
    assert wrong in fault
    assert name in fault


async def test_a_demanded_function_is_the_only_right_one() -> None:
    use = ToolUse(ALL, "required", "get")
    assert await check_call(use, "get", "{}") is None
    assert await check_call(use, "get_weather", '{"city": "x"}') is not None
