"""What the page fills in where somebody wants to see how it is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def tools(text: Callable[[str, str], str]) -> str:
    """A list of one tool, in the words of the page's language."""
    city = {"type": "string", "description": text("城市名", "Name of the city")}
    function = {
        "name": "get_weather",
        "description": text("查询一个城市今天的天气", "The weather of a city today"),
        "parameters": {"type": "object", "properties": {"city": city}, "required": ["city"]},
    }
    return _written([{"type": "function", "function": function}])


def schema(text: Callable[[str, str], str]) -> str:
    """A schema that can be guaranteed."""
    title, year = text("书名", "title"), text("出版年", "year")
    properties = {
        title: {"type": "string", "maxLength": 60},
        year: {"type": "integer", "minimum": 0, "maximum": 2100},
    }
    return _written(
        {
            "type": "object",
            "properties": properties,
            "required": [title, year],
            "additionalProperties": False,
        }
    )


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
