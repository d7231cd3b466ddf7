"""The newest anthropic-python: what it makes of our answers, streams and errors.

It is given a base URL, a key and scripts of the upstream by name; its report is by name, too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from anthropic import Anthropic

from tests.clients.programs.task import refusal

WEATHER = {
    "name": "weather",
    "description": "天气",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


def program(task: dict[str, Any]) -> dict[str, Any]:
    scripts = task["scripts"]
    client = Anthropic(base_url=task["base_url"], api_key=task["key"], max_retries=0)
    given = {"model": task["model"], "max_tokens": 100}

    def asked(script: str, **fields: Any) -> dict[str, Any]:
        return {**given, "messages": [{"role": "user", "content": script}], **fields}

    report: dict[str, Any] = {}
    whole = client.messages.create(**asked(scripts["text"]))
    report["whole"] = whole.to_dict()
    report["request_id"] = whole._request_id
    with client.messages.stream(**asked(scripts["text"])) as stream:
        report["pieces"] = list(stream.text_stream)
        report["streamed"] = stream.get_final_message().to_dict()

    # A conversation goes on from what the client was given, thought and call included.
    messages = [{"role": "user", "content": scripts["call"]}]
    with client.messages.stream(**given, messages=messages, tools=[WEATHER]) as stream:
        called = stream.get_final_message()
    report["called"] = called.to_dict()
    use = next(block for block in called.content if block.type == "tool_use")
    messages += [
        {"role": "assistant", "content": called.content},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": use.id, "content": "晴"},
                {"type": "text", "text": scripts["text"]},
            ],
        },
    ]
    goes_on = client.messages.create(**given, messages=messages, tools=[WEATHER])
    report["goes_on"] = goes_on.to_dict()

    form = {"format": {"type": "json_schema", "schema": AGE}}
    structured = client.messages.create(**asked(scripts["json"], output_config=form))
    report["structured"] = json.loads(structured.content[0].text)
    counted = client.messages.count_tokens(
        model=task["model"], messages=[{"role": "user", "content": "你好"}], tools=[WEATHER]
    )
    report["counted"] = counted.input_tokens

    stranger = Anthropic(base_url=task["base_url"], api_key="wrong", max_retries=0)
    calls: dict[str, Callable[[], object]] = {
        "model": lambda: client.messages.create(**asked("x", model="no-such-model")),
        "key": lambda: stranger.messages.create(**asked("x")),
        "range": lambda: client.messages.create(**asked("x", max_tokens=0)),
        "away": lambda: client.messages.create(**asked("x", model=task["down"])),
        "stream": lambda: drained(client.messages.create(**asked(scripts["broken"], stream=True))),
    }
    report["refusals"] = {name: asdict(refusal(call)) for name, call in calls.items()}
    return report


def drained(stream: Iterable[object]) -> None:
    for _ in stream:
        pass


json.dump(program(json.load(sys.stdin)), sys.stdout)
