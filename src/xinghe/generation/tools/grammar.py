"""What the functions of a request may be called with, as one grammar.

It stands apart from `plan`, which the gateway loads: here the libraries are loaded that compile
schemas, and `vetting`'s workers alone do that.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from xinghe.core import Tool, ToolUse
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.structure.library import grammar_fault
from xinghe.generation.structure.refusals import NAMED, VALUES
from xinghe.generation.structure.structure import structured, verifiable
from xinghe.generation.tools.plan import Decision, placed
from xinghe.generation.tools.prompt import END, EXAMPLES, GAP, told

MOST_CALLS = 16
"""In one answer: a small model may otherwise repeat itself until its length is used up."""
OPEN = frozenset(
    {
        "additionalProperties", "patternProperties", "propertyNames", "minProperties",
        "unevaluatedProperties", "allOf", "anyOf", "oneOf", "$ref", "$dynamicRef", "if", "not",
        "dependentSchemas", "enum", "const",
    }
)  # fmt: skip
"""Keywords by which a schema may mean properties that its `properties` do not list."""
CLOSING = ("additionalProperties", "unevaluatedProperties")
ANYTHING = r"(.|\n)*"
BEGINNING = r"[\x00-\x7f]{0,16}[^\x00-\x7f]{0,6}"
"""So much of a reply ends the pass that decides: room for any first token. (`max_tokens` would
count tokens, but llguidance 1.9 panics where a grammar with it has more than about 100 parts.)"""


def _ignored(_number: int) -> None:
    """Where nobody asks how far it is."""


def decide(use: ToolUse, *, max_tokens: int, begun: Callable[[int], None] = _ignored) -> Decision:
    """For an answer of at most `max_tokens` tokens; `begun` hears each function's number.

    Raises `Unguaranteed` for parameters that no grammar can guarantee; its path is a JSON Pointer
    into the request's `tools`. Takes up to 4 ms a function, but hostile ones may take any time:
    not for the gateway.
    """
    allowed, grammars, exact = [], [], True
    for number, tool in enumerate(use.tools):
        if not use.allows(tool.name):
            continue
        begun(number)
        allowed.append(tool)
        try:
            arguments = structured(_closed(tool.parameters), max_tokens=max_tokens)
        except Unguaranteed as error:
            raise placed(number, error) from None
        grammars.append(arguments.constraint.grammar)
        exact &= arguments.exact
    free = use.choice == "auto"
    # A reply is any text that does not begin as a call, be it of a function that is not allowed.
    other = _not_a_call(use.tools) if free else None
    calls = _calls(allowed, grammars, other, several=use.parallel is not False)
    reply = None if other is None else f"start: TEXT\nTEXT: {other}"
    # Where a call is certain, the grammar alone sees to it that it is one of those allowed.
    return Decision(calls, reply, told(allowed if free else use.tools), exact)


def vet(use: ToolUse, begun: Callable[[int], None] = _ignored) -> None:
    """Raise `Unguaranteed` for parameters that no call could be held against.

    Its path is a JSON Pointer into the request's `tools`. `begun` hears each function's number.
    Takes about 0.1 ms a function, but hostile ones may take any time: not for the gateway.
    """
    for number, tool in enumerate(use.tools):
        begun(number)
        try:
            verifiable(_closed(tool.parameters))
        except Unguaranteed as error:
            raise placed(number, error) from None


def _calls(
    tools: Sequence[Tool], grammars: Sequence[str], other: str | None, *, several: bool
) -> str:
    """Calls of `tools`, whose arguments keep to `grammars`, or the beginning of an `other` text.

    Raises `Unguaranteed` for more than the engine can hold to at a time.
    """
    calls = f"call ({_quoted(END)} call){{0,{MOST_CALLS - 1}}}" if several else "call"
    rules = [f"start: {calls}{' | OTHER' if other else ''}"]
    if other:
        # The 0.5B model would call the functions of the examples, in any spelling left to it.
        copied = f"({'|'.join(EXAMPLES)}){ANYTHING}"
        rules.append(f"OTHER: {other} & ~/{copied}/ & /{BEGINNING}/ & /.+/s")
    rules.append("call: " + " | ".join(f"call_{number}" for number in range(len(tools))))
    for number, (tool, grammar) in enumerate(zip(tools, grammars, strict=True)):
        rules.append(f"call_{number}: {_quoted(tool.name + GAP)} %lark {{\n{grammar}\n}}")
    text = "\n".join(rules)
    if grammar_fault(text):
        raise Unguaranteed("tools", "", f"are too many or too large together: {len(tools)}")
    return text


def _not_a_call(tools: Sequence[Tool]) -> str:
    """A terminal for texts that begin with no function's name."""
    called = f"({'|'.join(re.escape(tool.name) for tool in tools)})([^a-zA-Z0-9_-]{ANYTHING})?"
    return f"/{ANYTHING}/ & ~/{called}/"


def _closed(parameters: dict[str, object]) -> dict[str, object]:
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
    closed: dict[str, object] = declared(schema)
    return closed


def declared(schema: Any, *, of_names: bool = False) -> Any:
    """The schema, where each object that is closed lists what it requires among its properties.

    Else no value fits, and what OpenAI takes would be refused; only the name is an oversight.
    `of_names` tells that `schema` maps names to schemas.
    """
    if isinstance(schema, list):
        return [declared(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if of_names:
        return {name: declared(each) for name, each in schema.items()}
    made = {
        word: value if word in VALUES else declared(value, of_names=word in NAMED)
        for word, value in schema.items()
    }
    if any(made.get(word) is False for word in CLOSING):
        listed = made.get("properties", {})
        if isinstance(listed, dict) and (lacking := _required(made) - listed.keys()):
            made["properties"] = listed | dict.fromkeys(sorted(lacking), True)
    return made


def _required(schema: object) -> set[str]:
    """The names that a schema requires, be it in one of its branches."""
    if not isinstance(schema, dict):
        return set()
    own = schema.get("required")
    names = {name for name in own if isinstance(name, str)} if isinstance(own, list) else set()
    for word in ("allOf", "anyOf", "oneOf"):
        branches = schema.get(word)
        if isinstance(branches, list):
            names = names.union(*map(_required, branches))
    return names


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
