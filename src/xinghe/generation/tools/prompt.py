"""What the engine reads: how to call, the functions, and the calls of earlier rounds as text.

Measured on Qwen2.5-Coder 1.5B: examples for functions that do not exist are worth more than any
wording of the instruction (`bench/tools.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import msgspec

from xinghe.core import Message, Tool
from xinghe.generation.tools.notation import END, written_call
from xinghe.generation.tools.signature import signature

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


def told(tools: Iterable[Tool]) -> str:
    """The instruction and the functions."""
    return HEAD + "\n".join(map(signature, tools))


def instructed(messages: Sequence[Message], head: str) -> tuple[Message, ...]:
    """The conversation after one system message: `head` (see `told`), then the client's own.

    The instruction is the same for all requests and the functions for all of one client, so the
    engine's prefix cache serves both.
    """
    rest = list(messages)
    if rest and rest[0].role == "system":
        head = f"{head}\n\n{rest.pop(0).content}"
    return (Message("system", head), *flatten(rest))


def flatten(messages: Sequence[Message]) -> tuple[Message, ...]:
    """A conversation that may hold calls, for a chat template that knows none.

    Calls stand in the notation, results are the user's words.
    """
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
            out.append(Message("assistant", _calls(message)))
        else:
            out.append(message)
    if results:
        out.append(Message("user", "\n".join(results)))
    return tuple(out)


def _joined(results: Message, question: Message) -> Message:
    opening = results.content + "\n"
    parts = (opening, *question.parts) if question.parts else ()
    return msgspec.structs.replace(question, content=opening + question.content, parts=parts)


def _calls(message: Message) -> str:
    lines = [written_call(call.name, _compact(call.arguments)) for call in message.tool_calls]
    return END.join([message.content, *lines] if message.content else lines)


def _compact(arguments: str) -> str:
    """On one line, as the model writes them; clients may send back what they like better."""
    try:
        return json.dumps(json.loads(arguments), ensure_ascii=False)
    except (ValueError, RecursionError):
        return " ".join(arguments.split())
