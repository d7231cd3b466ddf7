"""The grammars of an answer with functions, as Lark text for llguidance.

A model that needs no function does not write a word that says so: it begins to answer. So the
decision is free text against calls, in one grammar. Asked for a word (`reply`, `none`, `回答`),
the 1.5B model took that word's improbability for a reason to call, and erred in a quarter of the
questions that need no call; in this form it erred in none of them (`bench/tools.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from llguidance import LLMatcher

from xinghe.core import Tool
from xinghe.generation.structure import Unguaranteed, structured
from xinghe.generation.tools.notation import END, GAP
from xinghe.generation.tools.prompt import EXAMPLES

MOST_CALLS = 16
"""In one answer: a small model may otherwise repeat itself until its length is used up."""
OPEN = frozenset(
    {
        "additionalProperties", "patternProperties", "propertyNames", "minProperties",
        "unevaluatedProperties", "allOf", "anyOf", "oneOf", "$ref", "$dynamicRef", "if", "not",
        "dependentSchemas",
    }
)  # fmt: skip
"""Keywords by which a schema may mean properties that its `properties` do not list."""
ANYTHING = r"(.|\n)*"
BEGINNING = r"[\x00-\x7f]{0,16}[^\x00-\x7f]{0,6}"
"""So much of a reply ends the pass that decides: room for any first token. (`max_tokens` would
count tokens, but llguidance 1.9 panics where a grammar with it has more than about 100 parts.)"""


def arguments(tool: Tool, *, max_tokens: int) -> str:
    """The grammar of a call's arguments. Raises `Unguaranteed` if none can be promised to fit."""
    return structured(closed(tool.parameters), max_tokens=max_tokens).constraint.grammar


def decision(tools: Sequence[Tool], grammars: Sequence[str], *, free: bool, several: bool) -> str:
    """Calls of `tools`, whose arguments keep to `grammars`, or where `free` a reply's beginning.

    Raises `Unguaranteed` for more than the engine can hold to at a time.
    """
    calls = f"call ({_quoted(END)} call){{0,{MOST_CALLS - 1}}}" if several else "call"
    rules = [f"start: {calls}{' | OTHER' if free else ''}"]
    if free:
        rules.append(f"OTHER: {_not_a_call(tool.name for tool in tools)} & /{BEGINNING}/ & /.+/s")
    rules.append("call: " + " | ".join(f"call_{number}" for number in range(len(tools))))
    for number, (tool, grammar) in enumerate(zip(tools, grammars, strict=True)):
        rules.append(f"call_{number}: {_quoted(tool.name + GAP)} %lark {{\n{grammar}\n}}")
    text = "\n".join(rules)
    if LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(text)):
        raise Unguaranteed("tools", "", f"are too many or too large together: {len(tools)}")
    return text


def reply(tools: Sequence[Tool]) -> str:
    """Any text that does not begin as a call."""
    return f"start: TEXT\nTEXT: {_not_a_call(tool.name for tool in tools)}"


def _not_a_call(names: Iterable[str]) -> str:
    """A terminal for texts that begin with no function's name, nor as the prompt's examples do.

    The 0.5B model would call the functions of the examples, in any spelling that is left to it.
    """
    called = f"({'|'.join(map(re.escape, names))})([^a-zA-Z0-9_-]{ANYTHING})?"
    copied = f"({'|'.join(EXAMPLES)}){ANYTHING}"
    return f"/{ANYTHING}/ & ~/{called}/ & ~/{copied}/"


def closed(parameters: dict[str, object]) -> dict[str, object]:
    """The schema of an object that has no arguments but the declared ones.

    A model would make some up; a schema that counts on others says so. Raises `Unguaranteed` for
    a schema of something else.
    """
    kind = parameters.get("type", "object")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise Unguaranteed("type", "/type", f"is {kind!r}, but arguments are an object")
    schema = {**parameters, "type": "object"}
    if OPEN.isdisjoint(schema):
        schema["additionalProperties"] = False
    return schema


def placed(number: int, error: Unguaranteed) -> Unguaranteed:
    """The same fault, its path starting from the request's field `tools`."""
    path = f"/{number}/function/parameters{error.path}"
    return Unguaranteed(error.keyword, path, error.reason)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
