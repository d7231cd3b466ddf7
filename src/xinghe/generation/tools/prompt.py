"""What the engine reads: how to call, the functions, and the calls of earlier rounds as text.

The model writes `name {"argument": …}`, one line a call, from its first character. Measured on
Qwen2.5-Coder 1.5B: examples for functions that do not exist are worth more than any wording of
the instruction (`bench/tools.py`).
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from xinghe.core import Message, Tool

GAP = " "
"""Between a name and its arguments. No name holds one: no call is the beginning of another."""
END = "\n"
"""Between two calls. Arguments are compact JSON, which has no line ends."""
MOST_DECODED = 16_384
"""Characters of a conversation's arguments that are made compact: it takes some milliseconds."""
EXAMPLES = ("time", "note")
"""The functions of the examples, which exist nowhere else."""
HEAD = """You can call functions. Where the request needs them, write only the function's name and \
JSON arguments, one line a call, with only the values that the user gave; leave out optional ones \
that were not given. Otherwise just answer.
Example, were the functions time(city: string, style?: "12h"|"24h") and \
note(text: string, day?: string):
Q: What time is it in London and Tokyo?
A: time {"city": "London"}
time {"city": "Tokyo"}
Q: 你好
A: 你好!有什么可以帮你?
Q: Note for Friday: buy milk
A: note {"text": "buy milk", "day": "Friday"}
Q: What is photosynthesis?
A: Plants turn light into sugar.
Q: [result of time] 14:05
A: It is 14:05.
Q: 记一下:开会
A: note {"text": "开会"}
Your functions now:
"""
"""The instruction of the pass that decides; the functions follow."""
LISTED = "The functions of this conversation:\n"
"""In its place where the pass only thinks or replies: small models repeat the examples."""
PLAIN = frozenset({"type", "description", "enum", "title", "default", "items", "properties"})
PLAIN_OBJECT = PLAIN | {"required", "additionalProperties"}
BOUNDS = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
        "maxLength", "minItems", "maxItems", "format", "pattern", "examples",
    }
)  # fmt: skip
"""Kept by the grammar, whether the model has read them or not."""


def told(tools: Iterable[Tool]) -> str:
    """The functions, one a line."""
    return "\n".join(map(signature, tools))


def instructed(messages: Sequence[Message], head: str) -> tuple[Message, ...]:
    """A `flatten`ed conversation after one system message: `head`, then the client's own.

    `head` is `HEAD` or `LISTED` with the functions: the same for all requests and for all of
    one client, so the engine's prefix cache serves both.
    """
    if messages and messages[0].role == "system":
        head = f"{head}\n\n{messages[0].content}"
        messages = messages[1:]
    return (Message("system", head), *messages)


def flatten(messages: Sequence[Message]) -> tuple[Message, ...]:
    """A conversation that may hold calls, for a chat template that knows none.

    Calls stand in the notation, results are the user's words.
    """
    arguments = sum(len(call.arguments) for message in messages for call in message.tool_calls)
    written = _compact if arguments <= MOST_DECODED else _on_one_line
    names: dict[str, str] = {}
    results: list[str] = []
    out: list[Message] = []
    for message in messages:
        if message.role in {"tool", "function"}:
            name = names.get(message.tool_call_id or "", message.name)
            results.append(f"[result of {name or 'the function'}] {message.content}")
            continue
        if results:
            out.append(Message("user", "\n".join(results)))
            results = []
            if message.role == "user":  # templates may insist on turns that alternate
                out[-1] = _joined(out[-1], message)
                continue
        if message.tool_calls:
            names |= {call.id: call.name for call in message.tool_calls}
            out.append(Message("assistant", _calls(message, written)))
        else:
            out.append(message)
    if results:
        out.append(Message("user", "\n".join(results)))
    return tuple(out)


def _joined(results: Message, question: Message) -> Message:
    opening = results.content + "\n"
    parts = (opening, *question.parts) if question.parts else ()
    return msgspec.structs.replace(question, content=opening + question.content, parts=parts)


def _calls(message: Message, written: Callable[[str], str]) -> str:
    lines = [f"{call.name}{GAP}{written(call.arguments)}" for call in message.tool_calls]
    return END.join([message.content, *lines] if message.content else lines)


def _compact(arguments: str) -> str:
    """On one line, as the model writes them; clients may send back what they like better."""
    try:
        return json.dumps(json.loads(arguments), ensure_ascii=False)
    except (ValueError, RecursionError):
        return _on_one_line(arguments)


def _on_one_line(arguments: str) -> str:
    return " ".join(arguments.split())


def signature(tool: Tool) -> str:
    """`name(city: string /* 城市 */, day?: "today"|"tomorrow") // what it does`, on one line.

    Parameters that this form cannot tell (unions, references, …) are shown as their schema.
    """
    shown = _object(tool.parameters, "(", ")")
    if shown is None:
        shown = f"({_json(tool.parameters)})"
    return f"{tool.name}{shown}{_note('// ', tool.description)}"


def _object(schema: Mapping[str, Any], opening: str, closing: str) -> str | None:
    if not schema.keys() <= PLAIN_OBJECT or schema.get("type", "object") != "object":
        return None
    required = schema.get("required", ())
    members = []
    for name, member in schema.get("properties", {}).items():
        kind = _kind(member)
        if kind is None:
            return None
        mark = "" if name in required else "?"
        note = _note("/* ", member.get("description", ""), " */")
        members.append(f"{name}{mark}: {kind}{note}")
    return opening + ", ".join(members) + closing


def _kind(schema: object) -> str | None:
    if not isinstance(schema, dict):
        return None
    kind = schema.get("type")
    if kind == "object" and schema.get("properties"):
        return _object(schema, "{", "}")
    if not schema.keys() <= PLAIN | BOUNDS:
        return None
    if "enum" in schema:
        return "|".join(map(_json, schema["enum"]))
    if kind == "array":
        item = _kind(schema.get("items", {"type": "any"}))
        return None if item is None else f"{item}[]"
    return kind if isinstance(kind, str) else None


def _note(opening: str, text: str, closing: str = "") -> str:
    """A description on one line; line ends in it would look like further functions."""
    text = " ".join(text.split())
    return f" {opening}{text}{closing}" if text else ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
