"""The official openai client, unmodified: conversations, its own accumulator, parsing, errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import ResponseInputParam, ToolParam
from pydantic import BaseModel

from tests.kit.api import STRICT
from tests.kit.models import ABLE, CHAT
from tests.kit.script import Call, Script
from tests.kit.server import Server

TOOL: ToolParam = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


class Number(BaseModel):
    n: int


@pytest.fixture(scope="module")
def strict(server: Server, token: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url + STRICT, api_key=token, max_retries=0) as running:
        yield running


def asking(script: Script) -> ResponseInputParam:
    return [{"role": "user", "content": script.prompt}]


def test_a_conversation(strict: OpenAI) -> None:
    first = strict.responses.create(model=CHAT, input=asking(Script()))
    assert first.output_text == Script().text
    assert first.usage is not None
    history: Any = [*asking(Script()), *first.output, *asking(Script(pieces=["再", "见"]))]
    assert strict.responses.create(model=CHAT, input=history).output_text == "再见"


def test_its_own_accumulator(strict: OpenAI) -> None:
    script = Script(thoughts=["想"], pieces=list("一二三"))
    with strict.responses.stream(model=ABLE, input=asking(script)) as stream:
        said = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(said) == final.output_text == script.text
    assert [each.type for each in final.output] == ["reasoning", "message"]


def test_parsed_answers(strict: OpenAI) -> None:
    script = Script(pieces=['{"n": ', "7}"])
    parsed = strict.responses.parse(model=ABLE, input=asking(script), text_format=Number)
    assert parsed.output_parsed == Number(n=7)
    with strict.responses.stream(model=ABLE, input=asking(script), text_format=Number) as stream:
        assert stream.get_final_response().output_parsed == Number(n=7)


def test_tools(strict: OpenAI) -> None:
    script = Script(
        pieces=[], calls=[Call("weather", ['{"city":"a"}'], id="c")], finish="tool_calls"
    )
    with strict.responses.stream(model=ABLE, input=asking(script), tools=[TOOL]) as stream:
        (call,) = stream.get_final_response().output
    assert call.type == "function_call"
    history: Any = [
        *asking(script),
        call,
        {"type": "function_call_output", "call_id": call.call_id, "output": "晴"},
        *asking(Script()),
    ]
    answer = strict.responses.create(model=ABLE, input=history, tools=[TOOL])
    assert answer.output_text == Script().text


def test_errors_are_the_clients_own(strict: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as wrong:
        strict.responses.create(model=CHAT, input="x", temperature=3)
    assert wrong.value.param == "temperature"
    with pytest.raises(openai.NotFoundError):
        strict.responses.retrieve("resp_0123456789")
    broken = Script(pieces=list("一二三"), rate=20, fault="reset", after=2)
    with pytest.raises(openai.APIError) as failed:
        for _ in strict.responses.create(model=CHAT, input=asking(broken), stream=True):
            pass
    assert failed.value.code == "dispatch_internal_error"
