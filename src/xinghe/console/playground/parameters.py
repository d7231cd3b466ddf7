"""What may be set for a chat, as the shape of the API's own request says it, not typed twice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

import msgspec

from xinghe.api.chat.schema import ChatRequestOpenai, WebSearch
from xinghe.api.chat.thinking import EFFORTS
from xinghe.api.models import Model
from xinghe.console.reference.told import Told, told

OF_THE_PAGE = {"model", "messages", "stream", "stream_options"}
"""What the page itself fills in."""
APART = {"tools", "tool_choice", "parallel_tool_calls", "response_format"}
"""What has a form of its own on the page."""
OTHER_NAMES = {
    "n",
    "logprobs",
    "top_logprobs",
    "max_tokens",
    "enable_thinking",
    "thinking",
    "function_call",
    "user",
    "user_id",
    "search_number",
    "reference_number",
}
"""Other names of the same, what is told to nobody here, and what has gone out of use; and further
answers and what is told of tokens, for which the page has no room."""
EXACT = 2**53 - 1
"""Beyond it, a browser's numbers are not exact."""
NEEDS = {
    "thinking_budget": "reasoning",
    "reasoning_effort": "reasoning",
    "web_search": "web_search",
}
"""What the model must be able to do."""
IGNORED = ("thinking_budget", "reasoning_effort")
"""Of these, what is passed over where it is not; the others are refused."""


class Parameter(msgspec.Struct, frozen=True):
    """`default` is told of what has one. `low` and `high` bound a number; `choices` are the words
    of a choice. `within` names the object that it stands in; `needs` what the model must be able
    to do.
    """

    name: str
    kind: Literal["number", "integer", "choice", "flag", "texts"]
    about: Told
    default: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    within: str = ""
    needs: str = ""

    @property
    def range(self) -> str:
        if self.low is None or self.high is None or self.high > EXACT:
            return ""
        return f"{self.low:g}–{self.high:g}" if self.high < 2**31 - 1 else f"≥ {self.low:g}"

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """For a browser's field."""
        if self.low is None or self.high is None:
            return None, None
        return max(self.low, -EXACT), min(self.high, EXACT)


@cache
def parameters() -> tuple[Parameter, ...]:
    """All that has a field on the page, in the order of the API's reference."""
    _, shapes = msgspec.json.schema_components([ChatRequestOpenai, WebSearch])
    found = [*_of(shapes["ChatRequestOpenai"]["properties"])]
    return (*found, *_of(shapes["WebSearch"]["properties"], within="web_search"))


def told_of(model: Model) -> dict[str, Any]:
    """What the page's scripts know of a model."""
    about = model.xinghe
    limits = about.limits if about.limits is not msgspec.UNSET else None
    able = about.capabilities.served
    lacking = [name for name in IGNORED if NEEDS[name] not in able]
    ranges = {}
    if limits:
        ranges["max_completion_tokens"] = {
            "most": limits.effective.max_output_tokens,
            "default": limits.default_output_tokens,
        }
        ranges["thinking_budget"] = {
            "most": limits.max_reasoning_tokens,
            "default": limits.default_reasoning_tokens,
        }
    return {
        "ranges": ranges,
        "ignored": [*(about.ignored_parameters or []), *lacking],
        "able": able,
    }


def _of(properties: dict[str, Any], within: str = "") -> Iterator[Parameter]:
    for name, schema in properties.items():
        if name in OF_THE_PAGE | APART | OTHER_NAMES:
            continue
        found = read(name, schema)
        if found is not None:
            needs = NEEDS.get(within or name, "")
            yield msgspec.structs.replace(found, within=within, needs=needs)


def read(name: str, schema: dict[str, Any]) -> Parameter | None:
    """A field of a request by its schema. None of what has one value only, and of objects."""
    schema = schema["anyOf"][0] if "anyOf" in schema else schema
    about, default = told(schema.get("description", "")), schema.get("default", "")
    default = f"{default:g}" if isinstance(default, float | int) else default
    if name == "stop":
        return Parameter(name, "texts", about)
    choices = schema.get("enum", [])
    if len(choices) > 1:
        ordered = tuple(sorted(choices, key=_effort))
        return Parameter(name, "choice", about, default, choices=ordered)
    match schema.get("type"):
        case "boolean" if not choices:
            return Parameter(name, "flag", about)
        case "number" | "integer" as kind if schema["minimum"] < schema["maximum"]:
            return Parameter(name, kind, about, default, schema["minimum"], schema["maximum"])
    return None


def _effort(word: str) -> int:
    return [*EFFORTS].index(word) if word in EFFORTS else len(EFFORTS)
